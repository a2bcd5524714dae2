#!/bin/sh
# SPDX-License-Identifier: MIT
# What every other check takes for granted: the guest is the one that was asked for.
failed=0
check() { # check NAME COMMAND...
	name=$1
	shift
	if why=$("$@" 2>&1); then
		echo "GUEST CHECK pass $name"
	else
		echo "GUEST CHECK fail $name: $(echo "$why" | tail -n 1)"
		failed=1
	fi
}

devices="$GUEST_NVME $GUEST_NVME2 $GUEST_EDU $GUEST_EDU2 $GUEST_SHM"

iommu_is_on() {
	ls /sys/class/iommu/dmar* >/dev/null && dmesg | grep -q 'DMAR: Intel(R) Virtualization Technology for Directed I/O'
}

# The capability register's bit 7, VT-d specification 10.4.2.
caching_mode_as_asked() {
	cap=$(cat /sys/class/iommu/dmar0/intel-iommu/cap)
	[ $((0x$cap >> 7 & 1)) = "$GUEST_CACHING_MODE" ] || { echo "capabilities are $cap"; return 1; }
}

nodes_are_there() {
	[ -c /dev/vfio/vfio ] || { echo "no /dev/vfio/vfio"; return 1; }
	[ "$GUEST_IOMMU" != iommufd ] || [ -c /dev/iommu ] || { echo "no /dev/iommu"; return 1; }
}

all_bound() {
	for device in $devices; do
		driver=$(basename "$(readlink /sys/bus/pci/devices/$device/driver)")
		[ "$driver" = vfio-pci ] || { echo "$device has driver '$driver'"; return 1; }
	done
}

groups_apart() {
	for device in $devices; do
		group=$(readlink /sys/bus/pci/devices/$device/iommu_group) || { echo "$device has no group"; return 1; }
		[ "$(ls /sys/bus/pci/devices/$device/iommu_group/devices | wc -l)" = 1 ] || { echo "$group is shared"; return 1; }
		[ -c /dev/vfio/"$(basename "$group")" ] || { echo "no node of $group"; return 1; }
		[ "$GUEST_IOMMU" != iommufd ] || ls /sys/bus/pci/devices/$device/vfio-dev/ | grep -q vfio ||
			{ echo "$device has no cdev"; return 1; }
	done
}

hugepages_are_there() {
	[ "$(cat /proc/sys/vm/nr_hugepages)" -ge 8 ] && grep -q hugetlbfs /proc/mounts
}

ordinary_user_is_there() {
	[ "$(su user -c 'id -u')" = 1000 ]
}

command_runs() {
	"$PHYR" --version
}

check iommu iommu_is_on
check caching-mode caching_mode_as_asked
check nodes nodes_are_there
check bound all_bound
check groups groups_apart
check hugepages hugepages_are_there
check user ordinary_user_is_there
check command command_runs
exit $failed
