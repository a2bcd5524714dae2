#!/bin/sh
# SPDX-License-Identifier: MIT
# phyr devices on a real sysfs: what it says, and a drive that goes from VFIO to the kernel's driver and back,
# but not while anything uses it. The drive's first bytes are written, and restored.
failed=0
sys=/sys/bus/pci/devices
nvme=$GUEST_NVME2
saved=/tmp/devices.saved
out=/tmp/devices.out
holder=

check() { # check NAME COMMAND...
	name=$1
	shift
	why=$("$@" 2>&1)
	case $? in
	0) echo "GUEST CHECK pass $name" ;;
	77) echo "GUEST CHECK skip $name: $(echo "$why" | tail -n 1)" ;;
	*)
		echo "$why"
		echo "GUEST CHECK fail $name: $(echo "$why" | tail -n 1)"
		failed=1
		;;
	esac
}

driver() {
	basename "$(readlink $sys/"$1"/driver 2>/dev/null)" 2>/dev/null
}

disk() { # the drive's block device, once the kernel has it
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		for path in $sys/$nvme/nvme/nvme*/nvme*n1; do
			[ ! -b "/dev/${path##*/}" ] || { echo "/dev/${path##*/}"; return; }
		done
		sleep 0.2
	done
	return 1
}

keep() { # keep HOW...: held until let_go
	: >$out.held
	/checks/hold "$@" >$out.held &
	holder=$!
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -q held $out.held && return
		sleep 0.1
	done
	let_go
	return 1
}

let_go() {
	kill $holder
	wait $holder 2>/dev/null
	holder=
}

refused() { # refused OPTION PATTERN: one line that says so, and nothing has changed
	before=$(driver "$nvme")
	override=$(cat $sys/$nvme/driver_override)
	"$PHYR" devices "$1" $nvme >$out 2>$out.err
	status=$?
	cat $out $out.err
	[ $status = 1 ] && [ ! -s $out ] && [ "$(wc -l <$out.err)" = 1 ] && grep -q "$2" $out.err &&
		[ "$(driver "$nvme")" = "$before" ] && [ "$(cat $sys/$nvme/driver_override)" = "$override" ]
}

lists() {
	"$PHYR" devices >$out || return 1
	cat $out
	for device in $GUEST_NVME $GUEST_NVME2 $GUEST_EDU $GUEST_EDU2 $GUEST_SHM; do
		grep -q "^$device .* vfio-pci  *dmar[0-9]*  *ready$" $out || return 1
	done
	grep -q "^$GUEST_NVME  *nvme " $out && ! grep -q ' bridge ' $out &&
		"$PHYR" devices --all | grep -q ' bridge ' &&
		"$PHYR" devices --json $GUEST_EDU | grep -q '"ready":true'
}

bind_again() {
	"$PHYR" devices --bind $nvme | grep -q already && [ "$(driver $nvme)" = vfio-pci ]
}

held_by_group() {
	keep open "/dev/vfio/$(basename "$(readlink $sys/$nvme/iommu_group)")" || return 1
	refused --unbind "is open in process $holder (hold)"
	status=$?
	let_go
	return $status
}

held_by_device() {
	keep vfio "/dev/vfio/$(basename "$(readlink $sys/$nvme/iommu_group)")" $nvme || return 1
	refused --unbind "is held by process $holder (hold)" && "$PHYR" devices | grep "^$nvme.*in use"
	status=$?
	let_go
	return $status
}

held_unseen() { # the kernel alone knows
	keep away "/dev/vfio/$(basename "$(readlink $sys/$nvme/iommu_group)")" || return 1
	refused --unbind "somebody has its group"
	status=$?
	let_go
	return $status
}

to_the_kernel() {
	"$PHYR" devices --unbind $nvme && [ "$(driver $nvme)" = nvme ] || return 1
	[ "$(cat $sys/$nvme/driver_override)" = "(null)" ] || return 1
	disk && dd if="$(disk)" of=$saved bs=1M 2>/dev/null || return 1
	sha256sum <$saved | cut -d' ' -f1 >$saved.sum
	"$PHYR" devices --unbind $nvme | grep -q already
}

mounted() {
	modprobe ext4 2>/dev/null
	grep -q 'ext[24]$' /proc/filesystems || { echo "this kernel has no file system for a disk"; return 77; }
	mkdir -p "/tmp/a disk"
	mke2fs "$(disk)" >/dev/null && mount "$(disk)" "/tmp/a disk" || return 1
	refused --bind "$(basename "$(disk)") is mounted at /tmp/a disk"
	status=$?
	umount "/tmp/a disk"
	return $status
}

mounted_elsewhere() { # in a mount namespace of another process
	grep -q 'ext[24]$' /proc/filesystems || { echo "this kernel has no file system for a disk"; return 77; }
	mkdir -p /tmp/elsewhere
	: >$out.held
	unshare -m sh -c "mount $(disk) /tmp/elsewhere && echo held && exec sleep 100" >$out.held &
	holder=$!
	sleep 1
	! grep -q /tmp/elsewhere /proc/mounts && refused --bind "is mounted at /tmp/elsewhere"
	status=$?
	let_go
	return $status
}

swapped_to() {
	[ -e /proc/swaps ] || { echo "this kernel has no swap"; return 77; }
	mkswap "$(disk)" >/dev/null && swapon "$(disk)" || return 1
	refused --bind "$(basename "$(disk)") is swap space"
	status=$?
	swapoff "$(disk)"
	return $status
}

partition_mounted() { # only a part of it is claimed
	printf 'n\np\n1\n\n+8M\nw\n' | fdisk "$(disk)" >/dev/null 2>&1
	for _ in 1 2 3 4 5; do [ -b "$(disk)p1" ] && break || sleep 0.2; done
	[ -b "$(disk)p1" ] || { echo "no partition came"; return 1; }
	keep claim "$(disk)p1" || return 1
	refused --bind "$(disk) or a part of it is claimed"
	status=$?
	let_go
	return $status
}

claimed() {
	keep claim "$(disk)" || return 1
	refused --bind "$(disk) or a part of it is claimed"
	status=$?
	let_go
	return $status
}

opened() {
	keep open "$(disk)" || return 1
	refused --bind "$(basename "$(disk)") is open in process $holder (hold)"
	status=$?
	let_go
	return $status
}

restored() {
	dd if=$saved of="$(disk)" bs=1M conv=fsync 2>/dev/null && rm $saved &&
		echo "GUEST DISK 2 0 33554432 original devices" >/proc/self/fd/9
}

commands_bind() { # what is printed does it
	"$PHYR" devices $nvme | sed -n 's/^    //p' >$out.sh
	cat $out.sh
	grep -q drivers_probe $out.sh && sh -e $out.sh && [ "$(driver $nvme)" = vfio-pci ] &&
		"$PHYR" devices --unbind $nvme
}

back() {
	"$PHYR" devices --bind $nvme && [ "$(driver $nvme)" = vfio-pci ] &&
		[ "$(cat $sys/$nvme/driver_override)" = vfio-pci ] &&
		"$PHYR" devices | grep -q "^$nvme .* ready$"
}

same_bytes() { # what the kernel read is what phyr reads, and an ordinary user reads
	sum=$(cat $saved.sum)
	group=/dev/vfio/$(basename "$(readlink $sys/$nvme/iommu_group)")
	"$PHYR" io pci:$nvme --bs 1m --checksum --json | grep "\"sha256\":\"$sum\"" || return 1
	! su user -c "$PHYR io pci:$nvme --bs 1m --checksum" || return 1
	chown 1000 "$group"
	su user -c "ulimit -l 8192; ulimit -l; $PHYR io pci:$nvme --bs 64k --checksum --json --iommu vfio" >$out
	chown 0 "$group"
	grep "\"sha256\":\"$sum\"" $out
}

no_driver() { # a device that the kernel has no driver for
	"$PHYR" devices --unbind $GUEST_EDU2 | grep 'no driver of this kernel' && [ -z "$(driver $GUEST_EDU2)" ] &&
		"$PHYR" devices --bind $GUEST_EDU2 && [ "$(driver $GUEST_EDU2)" = vfio-pci ]
}

dir_of_rights() { # which files a user is told of
	[ "$GUEST_IOMMU" = iommufd ] && echo '/dev/iommu and .*/dev/vfio/devices, nor its group' || echo /dev/vfio/GROUP
}

ordinary_user() {
	group=/dev/vfio/$(basename "$(readlink $sys/$GUEST_EDU2/iommu_group)")
	su user -c "$PHYR devices $GUEST_EDU2" >$out || return 1
	cat $out
	grep -q 'Permission denied' $out && grep -q 'RLIMIT_MEMLOCK' $out || return 1
	! su user -c "$PHYR io pci:$GUEST_NVME" 2>$out.err || return 1
	cat $out.err
	grep -q "no right to open .*$(dir_of_rights)" $out.err || return 1
	sed -n 's/^    //p' $out >$out.sh
	grep -q "^chown 1000 /dev/vfio/" $out.sh && sh -e $out.sh &&
		su user -c "$PHYR devices" | grep "^$GUEST_EDU2 .* ready$" || return 1
	chown 0 "$group" /dev/vfio/devices/* /dev/iommu 2>/dev/null
	su user -c "$PHYR devices --unbind $GUEST_EDU2" 2>&1 | grep 'takes root'
}

exec 9>&1
check list lists
check bind-again bind_again
check held-by-group held_by_group
check held-by-device held_by_device
check held-unseen held_unseen
check no-driver no_driver
check user ordinary_user
if [ -d /sys/bus/pci/drivers/nvme ]; then
	check to-the-kernel to_the_kernel
	for case in mounted mounted_elsewhere swapped_to opened claimed partition_mounted; do
		check $case $case
	done
	check restored restored
	check commands-bind commands_bind
	check back back
	check same-bytes same_bytes
else
	echo "GUEST CHECK skip disks: this kernel has no driver nvme"
fi
exit $failed
