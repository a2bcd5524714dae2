#!/bin/sh
# SPDX-License-Identifier: MIT
# phyr io, killed by SIGKILL with I/O in flight and started again at once, five times: the drive works, what is
# written then is read back, and once the kernel has taken the device back nothing of the dead is blocked any
# more, which is to say that nothing of it reaches for memory.
disk=pci:$GUEST_NVME
failed=0

say() { # say STATUS WHAT
	echo "GUEST CHECK $1 kill-$round$2"
	[ "$1" = pass ] || failed=1
}

# Lines of blocked accesses behind the round's mark.
faults() {
	dmesg | sed "1,/guest: kill $round: it is gone/d" | grep 'DMAR: \[DMA'
}

start() {
	"$PHYR" io "$disk" --destroy-data --rw randrw --bs 512-256k --iodepth 64 --size 8m --runtime 1000 --verify \
		--seed $round "$@" >/tmp/out 2>/tmp/err &
}

for round in 1 2 3 4 5; do
	how=$([ $((round % 2)) = 0 ] && echo --interrupt)
	start $how --map "$([ $round -le 3 ] && echo registered || echo oneshot)"
	sleep 0.$((5 + round))
	if ! kill -KILL $!; then
		say fail ": it had ended before: $(cat /tmp/err)"
		continue
	fi
	wait $!
	echo "guest: kill $round: it is gone" >/dev/kmsg
	if ! "$PHYR" io "$disk" --destroy-data --rw randrw --bs 512-64k --size 4m --io-size 4m --verify $how >/tmp/out 2>&1; then
		say fail ": $(tail -n 1 /tmp/out)"
	elif faults >/tmp/faults; then
		say fail ": $(head -n 1 /tmp/faults)"
	else
		say pass ""
	fi
done
exit $failed
