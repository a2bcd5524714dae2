#!/bin/sh
# SPDX-License-Identifier: MIT
# What docs/nvme-models.md says that two controllers answer is what they answer: checks-probe.sh [PROBE TARGET].
# The simulated controller's answers are left of the bar, those of QEMU 7.2 right of it. That an error is in the
# error log (More) is left out.
probe=${1:-nvme_probe} target=${2:-pci:$GUEST_NVME}
out=$(mktemp) list=$(mktemp)
trap 'rm -f "$out" "$list"' EXIT

say() { # say STATUS NAME[: why]
	[ "$1" != fail ] || failed=1
	echo "GUEST CHECK $*"
}

answers() {
	cat <<'END'
write.aqa.ffffffff 0fff0fff | ffffffff
enabled.write.aqa 001f001f | 00030003
enable.sizes.0 csts=00000001 cc=00000001 | csts=00000002 cc=00000001
enable.ams.7 csts=00000002 cc=00463801 | csts=00000001 cc=00463801
enable.asq.0 csts=00000002 cc=00460001 | csts=00000001 cc=00460001
shutdown.then.command silence | 000 dw0=00000007
shutdown.shn.cleared csts=00000009 | csts=00000001
identify.01.nsid.1 002 dnr | 000
identify.11.nsid.1 002 dnr | 000
ctrl.nn 00000001 | 00000100
io.0c 001 dnr | 000
effects.io.00 00100001 | 00000003
firmware.slot.1 "0.1.0   " | "1.0     "
set.01.burst.3 000 | 10e dnr
get.04.4 002 dnr | 000 dw0=00000157
set.07.one.then.get 000 | 000 dw0=003f003f
set.0b.all 002 dnr | 000
set.04.sensor.1 002 dnr | 000
set.04.nsid.2 00b dnr | 10f dnr
set.04.after.reset 000 dw0=00000157 | 000
log.7f 109 dnr | 002 dnr
log.03.length.4096.writes 4096 | 512
log.03.offset.200 000 | 002 dnr
log.03.offset.by.index 002 dnr | 000
log.02.nsid.none 000 | 00b dnr
log.02.nsid.1 002 dnr | 000
errors.entry there | none
smart.spare 100 | 0
create.sq.cq.0 101 dnr | 100 dnr
delete.cq.0 101 dnr | 100 dnr
doorbell.sq.same 000 dw0=00010100 | silence
doorbell.cq.ahead 000 dw0=00010100 | silence
event.doorbell.before.request 000 dw0=00010000 | silence
event.doorbell.log.read silence | 000 dw0=00010000
abort.no.such.queue 000 dw0=00000001 | 002 dnr dw0=00000001
abort.event.request.first 007 | 000 dw0=00000001
delete.cq.in.use 10c dnr | 10c
flags.zeroes.40 002 dnr | 000
flags.flush.01 002 dnr | 000
nsid.read.all 00b dnr | 002 dnr
cdw12.write.dtype.1 002 dnr | 000
dsm.end 080 dnr | 000
prp1.offset.1 013 dnr | 000
prp2.list.offset.4 013 dnr | 000
format.crypto 002 dnr | 000
format.ses.7 002 dnr | 000
do.doorbell.buffer 001 dnr | 000
unmapped.read 004 | 000
unmapped.write 004 | 000
unmapped.write.leaves 77 | 00
unmapped.identify 004 | 000
unmapped.list 004 | 004 dnr
END
}

answer_of() {
	sed -n "s/^$1 //p" "$out" | sed 's/ more//'
}

compare() {
	while read -r name both; do
		case $target in
		sim:*) want=${both%% | *} ;;
		*) want=${both##* | } ;;
		esac
		got=$(answer_of "$name")
		[ "$got" = "$want" ] || say fail "$name: '$got', and not '$want'"
	done <"$list"
}

failed=0
if ! "$probe" --destroy-data "$target" >"$out" 2>"$list"; then
	say fail "asked: $(tail -n 1 "$list")"
	exit 1
fi
if [ "$(answer_of driver.reset)" = works ] && [ "$(wc -l <"$out")" -gt 2800 ]; then
	say pass asked
else
	say fail "asked: $(wc -l <"$out") lines, the last: $(tail -n 1 "$out")"
fi
[ -z "$(cut -d' ' -f1 "$out" | sort | uniq -d)" ] || say fail "asked twice: $(cut -d' ' -f1 "$out" | sort | uniq -d | head -n 1)"
case $target$(answer_of ctrl.fr) in
sim:* | pci:*'"7.2'*)
	answers >"$list"
	compare
	[ $failed = 1 ] || say pass "answers"
	;;
*) say skip "answers: this is QEMU $(answer_of ctrl.fr), and they are those of 7.2" ;;
esac
exit $failed
