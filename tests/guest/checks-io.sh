#!/bin/sh
# SPDX-License-Identifier: MIT
# phyr io and examples/read on an NVMe drive: the same command lines as on a simulated one, verified; a
# drive that is read stays as it is; Ctrl-C, kill, and what a user does wrong. The second drive is only read
# here and must be as it was made: each 8-byte word is its own number.
failed=0
all=perpage,oneshot,twostep,registered
log=/tmp/io.log
disk=pci:$GUEST_NVME
untouched=pci:$GUEST_NVME2
untouched_sha=fedb71051caa72b710bf1dd7abe3e0e96578221bdf2b540ce7afeb9bc5c1e88b # of 32 MiB of such words

check() { # check NAME COMMAND…
	name=$1
	shift
	if ("$@") >$log 2>&1; then
		echo "GUEST CHECK pass $name"
	else
		echo "GUEST CHECK fail $name: $(tail -n 1 $log)"
		cat $log
		failed=1
	fi
}


# The JSON, without its blanks, has a text so many times.
has() {
	[ "$(tr -d ' \n' </tmp/json | grep -o "$2" | wc -l)" -eq "$1" ] || {
		cat /tmp/json
		echo "not $1 times $2"
		return 1
	}
}

# expect STATUS PATTERN ARGS…: one line on stderr, with the pattern in it
expect() {
	status=$1 pattern=$2
	shift 2
	"$PHYR" "$@" >/tmp/out 2>/tmp/err
	got=$?
	[ $got -eq "$status" ] && [ "$(wc -l </tmp/err)" -eq 1 ] && grep -q -e "$pattern" /tmp/err && return 0
	echo "phyr $*: status $got (want $status, '$pattern'): $(cat /tmp/err)"
	return 1
}

# A mix of reads and writes; everything is read back, and the counts of phyr are as promised.
mix() { # mix TARGET IOMMU ARGS…
	target=$1 iommu=$2
	shift 2
	"$PHYR" io "$target" --destroy-data --rw randrw --bs 512-256k --iodepth 16 --size 4m --verify --map $all \
		--seed 5 "$@" --json >/tmp/json || return 1
	has 4 '"verify_errors":0' && has 4 '"read_back":true' && has 4 '"leaked":{"iova":0,' &&
		has 4 "\"iommu\":\"$iommu\"" && has 4 '"stopped":false,"read_back"'
}

# The very command line on both kinds of target, and the drives hold the same afterwards.
same_on_both() {
	truncate -s 4194304 /tmp/sim.img
	for target in $disk sim:/tmp/sim.img; do
		"$PHYR" io $target --destroy-data --rw randrw --bs 512-256k --iodepth 16 --size 4m --verify --map $all ||
			return 1
		"$PHYR" io $target --destroy-data --rw write --bs 64k --size 4m --verify --seed 3 || return 1
		"$PHYR" io $target --rw randread --bs 4k-64k --size 4m --verify || return 1
		"$PHYR" io $target --checksum --bs 1m --size 4m | grep '^sha256' | tee -a /tmp/sums || return 1
	done
	[ "$(sort -u /tmp/sums | wc -l)" -eq 1 ] && [ "$(wc -l </tmp/sums)" -eq 2 ]
}

# QEMU says that deallocated blocks read as zeroes (DLFEAT) whatever becomes of them: they do with discard=unmap,
# which the runner gives it; without it the old data is still there, and this fails.
trim() {
	mix $disk "$GUEST_IOMMU" --trim 30 && has 4 '"trims_verified":true'
}

# A row's cost: registered memory costs the kernel nothing, other ways a call or more each way.
ioctls_are_counted() {
	"$PHYR" io $untouched --rw randread --io-size 1m --map oneshot,registered --json >/tmp/json || return 1
	has 1 '"ioctls":0,' && has 2 '"faults":null' && has 2 '"iotlb_hits":null,"iotlb_misses":null' &&
		has 1 '"scatter":null'
}

# To read changes nothing, by any mode; and all of it reads as it was made.
reads_leave_it() {
	"$PHYR" io $untouched --rw randread --bs 512-64k --io-size 4m --map $all || return 1
	"$PHYR" io $untouched --checksum --bs 1m | grep -q "sha256 $untouched_sha"
}

example_reads() {
	"$EXAMPLE_READ" $untouched >/tmp/bytes || return 1
	[ "$(od -A n -v -t u8 -w8 /tmp/bytes | awk '$1 == NR - 1' | wc -l)" -eq 8192 ] || return 1
	"$EXAMPLE_READ" sim:/tmp/bytes | cmp - /tmp/bytes
}

writes_need_leave() {
	expect 2 destroy-data io $disk --rw write && expect 2 destroy-data io $disk --rw randrw &&
		expect 2 "in full" io $disk --rw write --destroy
}

# The first Ctrl-C ends the run well, the second the process; killed with I/O in flight, the drive works again.
start() {
	"$PHYR" io $disk --destroy-data --rw randrw --bs 512-64k --size 8m --runtime 1000 --verify "$@" >/tmp/out 2>/tmp/err &
	sleep 1
}

stopped() {
	start --map registered
	kill -INT $!
	wait $! || { cat /tmp/err; return 1; }
	grep '^registered: stopped after' /tmp/out || return 1
	start --interrupt --map oneshot
	kill -INT $!
	wait $! || { cat /tmp/err; return 1; }
	grep '^oneshot: stopped after' /tmp/out
}

killed() {
	for how in "" --interrupt; do
		start $how
		kill -KILL $!
		wait $!
		[ $? -eq 137 ] || { echo "it had ended before: $(cat /tmp/err)"; return 1; }
		mix $disk "$GUEST_IOMMU" || return 1
	done
}

# Somebody unbinds the drive while it is used, and waits in the kernel: the run ends well, and he goes on.
wanted() {
	start --map oneshot
	io=$!
	echo "$GUEST_NVME" >/sys/bus/pci/drivers/vfio-pci/unbind &
	unbind=$!
	wait $io && wait $unbind || { cat /tmp/err; return 1; }
	echo "$GUEST_NVME" >/sys/bus/pci/drivers_probe
	cat /tmp/err
	[ "$(wc -l </tmp/err)" -eq 1 ] && grep -q "$disk: the kernel wants the device back" /tmp/err &&
		grep '^oneshot: stopped after' /tmp/out && mix $disk "$GUEST_IOMMU"
}

# A device that vfio-pci does not have, one that is none, one that is no drive, an IOMMU that is not to be.
wrong_use() {
	expect 2 "kernel's IOMMU" io $disk --iommu none && expect 2 "kernel's IOMMU" io $disk --iommu soft &&
		expect 1 . io pci:0000:1f:1f.7 && expect 1 ": not an NVMe controller" io "pci:$GUEST_EDU" &&
		expect 2 "beyond" io $disk --size 65m || return 1
	! "$EXAMPLE_READ" "pci:$GUEST_EDU" 2>/tmp/err >/tmp/out || return 1
	cat /tmp/err
	[ "$(cat /tmp/err)" = "read: Invalid argument" ] && [ ! -s /tmp/out ] || return 1
	echo "$GUEST_NVME2" >/sys/bus/pci/drivers/vfio-pci/unbind
	expect 1 "phyr devices --bind" io $untouched
	status=$?
	echo "$GUEST_NVME2" >/sys/bus/pci/drivers_probe
	return $status
}

busy() {
	start
	expect 1 "somebody else has it\(s group\)* open" io $disk
	status=$?
	kill -INT $!
	wait $! && return $status
}

# The files that the device needs, and no more, for user 1000.
files() {
	dir=/sys/bus/pci/devices/$GUEST_NVME
	echo /dev/vfio/"$(basename "$(readlink $dir/iommu_group)")"
	[ ! -d $dir/vfio-dev ] || echo /dev/vfio/devices/"$(ls $dir/vfio-dev)" /dev/iommu
}

ordinary_user() {
	! su user -c "$PHYR io $disk --rw randread --io-size 64k" 2>/tmp/err || { echo "no right is needed"; return 1; }
	cat /tmp/err
	chmod 755 /dev/vfio /dev/vfio/devices 2>/dev/null
	chown user $(files)
	su user -c "ulimit -l 65536; $PHYR io $disk --destroy-data --rw randrw --bs 512-64k --size 8m --verify --map $all" &&
		! su user -c "ulimit -l 64; $PHYR io $disk --rw randread --map registered" 2>/tmp/err &&
		cat /tmp/err && grep -qi memlock /tmp/err
	status=$?
	chown root $(files)
	return $status
}

check example example_reads
check reads reads_leave_it
check ioctls ioctls_are_counted
check mix mix $disk "$GUEST_IOMMU"
check mix-interrupt mix $disk "$GUEST_IOMMU" --interrupt
check threads mix $disk "$GUEST_IOMMU" --threads 3 --interrupt
check trim trim
check same same_on_both
check writes writes_need_leave
check stop stopped
check kill killed
check wanted wanted
check wrong wrong_use
check busy busy
check user ordinary_user
if [ "$GUEST_IOMMU" = iommufd ]; then
	check by-name mix $disk vfio --iommu vfio
else
	check by-name expect 1 . io $disk --iommu iommufd
fi
exit $failed
