#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples that want a real device. What the first drive holds is written over and put back: it starts
# as the second one does, where each 8-byte word is its own number.
failed=0

check() { # check NAME COMMAND…
	name=$1
	shift
	if ("$@") >/tmp/examples.log 2>&1; then
		echo "GUEST CHECK pass $name"
	else
		echo "GUEST CHECK fail $name: $(tail -n 1 /tmp/examples.log)"
		cat /tmp/examples.log
		failed=1
	fi
}

# Reads, compares, and sees a difference; writes nothing without its flag.
layers() {
	same="pci_layers $GUEST_IOMMU $GUEST_NVME2 $GUEST_NVME"
	$same | grep '^the same$' || return 1
	"$PHYR" io "pci:$GUEST_NVME" --destroy-data --rw write --bs 64k --size 64k || return 1
	for _ in 1 2; do
		! $same >/tmp/out || return 1
		cat /tmp/out
		[ "$(cat /tmp/out)" = 'Invalid or incomplete multibyte or wide character' ] || return 1
	done
	$same --destroy-data | grep '^the same$' && $same && "$EXAMPLE_READ" "pci:$GUEST_NVME" | cmp - /tmp/pattern
}

own_driver() {
	for device in $GUEST_EDU $GUEST_EDU2; do
		[ "$(my_pci "pci:$device")" = "two interrupts, and the same bytes" ] || return 1
	done
	! my_pci "pci:$GUEST_SHM" >/tmp/out && cat /tmp/out && [ "$(cat /tmp/out)" = "No such device" ]
}

# The child is an ordinary user, who has no right of his own to any of the files.
brokered() {
	! su user -c "/checks/broker $GUEST_NVME2 1000" >/tmp/out 2>&1 && cat /tmp/out &&
		[ "$(cat /tmp/out)" = "broker: Permission denied" ] || return 1
	broker "$GUEST_NVME2" 1000 >/tmp/out && cmp /tmp/out /tmp/pattern
}

"$EXAMPLE_READ" "pci:$GUEST_NVME2" >/tmp/pattern
check layers layers
check own-driver own_driver
check broker brokered
exit $failed
