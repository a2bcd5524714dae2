#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs test_kinds with a file on a real disk: the second drive, which the kernel's driver has meanwhile. All of
# its bytes are put back. Says nothing of its own but why there is no such file; the test skips it then.
sys=/sys/bus/pci/devices/$GUEST_NVME2
saved=/tmp/kinds.saved
mounted=/tmp/kinds.disk

disk() { # the drive's block device, once the kernel has it
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		for path in "$sys"/nvme/nvme*/nvme*n1; do
			[ ! -b "/dev/${path##*/}" ] || { echo "/dev/${path##*/}"; return; }
		done
		sleep 0.2
	done
	return 1
}

mkdir -p $mounted
if "$PHYR" devices --unbind "$GUEST_NVME2" >/dev/null && disk=$(disk) && cat "$disk" >$saved; then
	if mke2fs "$disk" >/dev/null 2>&1 && mount "$disk" $mounted; then
		export GUEST_FILE=$mounted/file
	fi
fi
[ -n "$GUEST_FILE" ] || echo "# no file on a disk: its rows are skipped"

test_kinds
status=$?

umount $mounted 2>/dev/null
[ ! -s $saved ] || cat $saved >"$disk"
sync
rm -f $saved
exit $status
