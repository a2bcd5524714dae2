#!/bin/sh
# SPDX-License-Identifier: MIT
# Errors that a user makes: one clear line on stderr, nothing on stdout, the right exit status.
set -u
phyr=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failures=0

# expect STATUS PATTERN ARGS…: stderr is one line with the pattern in it
expect() {
	status=$1 pattern=$2
	shift 2
	"$phyr" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	if [ $got -ne "$status" ] || [ "$(wc -l <"$dir/err")" -ne 1 ] || [ -s "$dir/out" ] ||
		! grep -qi -e "$pattern" "$dir/err"; then
		echo "FAIL: phyr $*: status $got (want $status), stderr:"
		cat "$dir/err"
		failures=$((failures + 1))
	fi
}

truncate -s 1m "$dir/img"
truncate -s 1000 "$dir/odd"
: >"$dir/empty"
img=sim:$dir/img

expect 2 "unknown command 'frob'" frob
expect 2 "no target" io
expect 2 "neither sim:FILE nor pci:ADDRESS" io "$dir/img"
expect 2 "neither sim:FILE nor pci:ADDRESS" io sim:
for address in "" x 01:00 0000:01:00.8 0000:01:20.0 "0000:01:00.0 " /dev/nvme0; do
	expect 2 "not a PCI address" io "pci:$address"
done
# Nothing lives there; where there is no PCI at all that is what is said.
nowhere=pci:ffff:ff:1f.7
expect 1 "no .*PCI\|PCI.* no\|no such device" io $nowhere
expect 2 "destroy-data to allow it$" io $nowhere --rw write
expect 2 "kernel's IOMMU: vfio or iommufd" io $nowhere --iommu none
expect 2 "kernel's IOMMU: vfio or iommufd" io $nowhere --iommu soft
expect 2 "--scatter is for sim:FILE" io $nowhere --scatter mixed
expect 2 "--format is of phyr's own page tables" io $nowhere --format amdv1
expect 2 "--format is of phyr's own page tables" io "$img" --format amdv1 --iommu none
expect 2 "one of x86_64, vtdss, amdv1, arm64_s1, arm64_s2, riscv64" io "$img" --format sv39
expect 2 "--create is for sim:FILE" io $nowhere --create 1m --rw write
expect 2 "for a real device" io "$img" --iommu vfio
expect 2 "for a real device" io "$img" --iommu iommufd
expect 2 "one target only" io "$img" "$img"
expect 1 "no such file" io "sim:$dir/none"
expect 1 "multiple of" io "sim:$dir/odd"
expect 1 "multiple of\|block" io "sim:$dir/empty"
expect 1 "not a regular file" io "sim:$dir"
mkfifo "$dir/pipe"
expect 1 "not a regular file" io "sim:$dir/pipe"
expect 1 "not a regular file" io sim:/dev/null
expect 2 "in full" io "$img" --rw write --destroy
expect 2 "beyond" io "sim:$dir/new" --create 1m --size 2m --rw write
expect 2 "destroy-data" io "$img" --rw write
expect 2 "destroy-data" io "$img" --rw randrw
expect 2 "beyond" io "$img" --size 2m
expect 2 "multiples of" io "$img" --size 1000
expect 2 "unknown option" io "$img" --frob
expect 2 "^phyr io: --bs: its value is missing" io "$img" --bs
expect 2 "^phyr io: --json=yes: this option takes no value" io "$img" --json=yes
expect 2 "^phyr io: -x: unknown option" io "$img" -x
expect 2 "^phyr io: -x: unknown option" io "$img" -xh
expect 2 "^phyr io: --threads" io "$img" --threads 0100 # no octal
expect 2 "^phyr io: --s: unknown option" io "$img" --s
expect 2 "^phyr layout: --json=1: this option takes no value" layout --json=1
expect 2 "^phyr bench: --json=1: this option takes no value" bench --json=1
expect 2 "not a size" io "$img" --bs 4q
expect 2 "not a size" io "$img" --bs -4k
expect 2 "not a size" io "$img" --size 1mm
expect 2 "first size is the larger" io "$img" --bs 8k-4k
expect 2 "not a size" io "$img" --size 99999999999999999999
expect 2 "nothing to do" io "$img" --size 0
expect 2 "from 512 bytes to 8m" io "$img" --bs 256
expect 2 "from 512 bytes to 8m" io "$img" --bs 16m
expect 2 "multiples of 512" io "$img" --bs 1000
expect 2 "one of read, write" io "$img" --rw readwrite
expect 2 "one of perpage, oneshot" io "$img" --map oneshot,frob
expect 2 "no mode" io "$img" --map ,
expect 2 "one of default, none, soft, vfio, iommufd" io "$img" --iommu most
expect 2 "one of mixed" io "$img" --scatter most
expect 2 "not from 1 to 1024" io "$img" --iodepth 0
expect 2 "not from 1 to 1024" io "$img" --iodepth 2000
expect 2 "not a number" io "$img" --iodepth many
expect 2 "not a number" io "$img" --seed x
expect 2 "checksum needs" io "$img" --checksum --rw randread
expect 2 "leave --io-size out" io "$img" --checksum --io-size 4k
expect 2 "leave --runtime out" io "$img" --checksum --runtime 1
expect 2 "leave --threads out" io "$img" --checksum --threads 2
for seconds in x -1 1s 1. .5 1e3 1.5.5 31536001 99999999999999999999; do
	expect 2 "not seconds" io "$img" --runtime $seconds
done
expect 2 "no time" io "$img" --runtime 0
expect 2 "no time" io "$img" --runtime 0.000
expect 2 "no time" io "$img" --timeout 0
expect 2 "not seconds" io "$img" --timeout soon
expect 2 "value is missing" io "$img" --runtime
expect 2 "not from 1 to 64" io "$img" --threads 0
expect 2 "not from 1 to 64" io "$img" --threads 65
expect 2 "not a number" io "$img" --threads two
expect 2 "not a number" io "$img" --threads -1
expect 2 "queues for 63 with --interrupt" io "$img" --threads 64 --interrupt
expect 2 "only 512 bytes; a smaller --bs, or fewer threads" io "$img" --size 2k --threads 4 --bs 1k
expect 2 "only 0 bytes" io "$img" --size 2k --threads 5 --bs 512
expect 2 "only 2560 bytes" io "$img" --size 8k --threads 3
expect 2 "only 1048576 bytes; a smaller --bs$" io "$img" --bs 512-2m
expect 2 "less than an I/O" io "$img" --io-size 4k --bs 8k
for rate in fast 10q -1m iops 5kiops -5iops 10iopss 99999999999999999999iops; do
	expect 2 "neither bytes a second" io "$img" --rate $rate
done
expect 2 "nothing to do" io "$img" --rate 0
expect 2 "nothing to do" io "$img" --rate 0iops
expect 2 "share of writes" io "$img" --trim 10
expect 2 "share of writes" io "$img" --trim 10 --rw randread
expect 2 "not from 1 to 100" io "$img" --trim 0 --rw write
expect 2 "not from 1 to 100" io "$img" --trim 101 --rw write
expect 2 "not a number" io "$img" --trim half --rw write
expect 2 "not a number" io "$img" --trim 10% --rw write
expect 2 "destroy-data" io "$img" --trim 100 --rw write
expect 1 "is there already" io "$img" --create 1m --rw write
expect 1 "No such file" io "sim:$dir/no/where" --create 1m --rw write
expect 2 "multiples of" io "sim:$dir/new" --create 1m --rw write --io-size 1000
[ ! -e "$dir/new" ] || { echo "FAIL: a file was left behind"; failures=$((failures + 1)); }
expect 2 "unknown option" bench --frob
expect 2 "value is missing" bench --filter
expect 2 "1 to 99" bench --runs 0
expect 2 "1 to 99" bench --runs 3x
expect 2 "chosen by --filter" bench dma
expect 2 "a multiple of 512" io "sim:$dir/new" --create 1000 --rw write
expect 2 "no row" bench --filter no-such-row
expect 2 "takes no options" demo now

if [ "$(id -u)" -ne 0 ]; then
	truncate -s 1m "$dir/locked"
	chmod 0 "$dir/locked"
	expect 1 "no right to open" io "sim:$dir/locked"
	chmod 400 "$dir/locked"
	expect 1 "no right to open" io "sim:$dir/locked" --rw write --destroy-data
fi

complain() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# What could not be printed is no success, whatever printed it.
lost() {
	"$phyr" "$@" >/dev/full 2>"$dir/err" </dev/null
	got=$?
	if [ $got -ne 1 ] || [ "$(wc -l <"$dir/err")" -ne 1 ] || ! grep -q "^phyr: standard output: " "$dir/err"; then
		complain "phyr $* >/dev/full: status $got, stderr: $(cat "$dir/err")"
	fi
}
lost --help
lost --version
lost io --help
lost io "$img"
lost io "$img" --json --map oneshot,twostep
lost layout --size 1m
lost layout --size 1m --json
lost demo
lost bench --filter list/append-one
lost bench --filter list/append-one --json
# A closed output is not replaced by the target, which then would hold the table.
"$phyr" io "$img" --rw write --destroy-data --verify >&- 2>"$dir/err" &&
	complain "a closed output is a success"
"$phyr" io "$img" --verify >"$dir/out" 2>"$dir/err" ||
	complain "the table went into the target: $(cat "$dir/err")"

[ $failures -eq 0 ] || exit 1
echo "all errors as they should be"
