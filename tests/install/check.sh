#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Install into an empty folder, then build and run a program outside the tree from what is there:
# check.sh BUILD_FOLDER CC CXX
set -eu
build=$1 cc=$2 cxx=$3
here=$(cd "$(dirname "$0")" && pwd)
program=$here/outside.c
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet
pc=$(find "$root" -name phyr.pc)
[ -n "$pc" ] || {
	echo 'no phyr.pc was installed'
	exit 1
}

# Nothing but the installed folder is searched, and its paths are under $root.
# liburing, which pins memory and which the library may want, is the system's.
uring=$(pkg-config --variable=pcfiledir liburing || true)
export PKG_CONFIG_LIBDIR=${pc%/*}${uring:+:$uring} PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
lib=$(pkg-config --variable=libdir phyr)
[ -d "$lib" ] || lib=$root$lib
cd "$root"

# build_and_run WHAT COMPILER FLAGS... : as one word list, as a user's makefile has it
build_and_run() {
	local what=$1
	shift
	"$@" -o "program-$what"
	LD_LIBRARY_PATH=$lib "./program-$what"
}

# shellcheck disable=SC2046 # pkg-config's answer is a list of words
{
	build_and_run shared "$cc" -Wall -Wextra -Werror "$program" $(pkg-config --cflags --libs phyr)
	build_and_run static "$cc" -Wall -Wextra -Werror -static "$program" \
		$(pkg-config --static --cflags --libs phyr)
	build_and_run cxx "$cxx" -Wall -Wextra -Werror -x c++ "$program" -x none \
		$(pkg-config --cflags --libs phyr)
}

# The examples, as they lie beside the documents.
examples=$(dirname "$(find "$root" -name my_device.c)")
# shellcheck disable=SC2046
example() {
	"$cc" -Wall -Wextra -Werror "$@" $(pkg-config --cflags --libs phyr) \
		-o program-example
	LD_LIBRARY_PATH=$lib ./program-example >program-output || {
		echo "$1 does not run"
		exit 1
	}
}
example "$examples/my_iommu.c"
grep -q 'is blocked: not present' program-output
example "$examples/map_and_look.c"
grep -q 'leads nowhere' program-output
example "$examples/my_env.c"
grep -q '^0 blocks' program-output
example "$examples/my_copy.c" "$examples/my_device.c"
grep -q 'never unmapped' program-output
head -c 65536 /dev/urandom >disk.img
example "$examples/read.c"
cmp disk.img program-output
example "$examples/two_steps.c"
grep -q '^linked again: memory, memory' program-output
for name in broker my_pci pci_layers; do # those that want a real device
	"$cc" -Wall -Wextra -Werror -o program-example "$examples/$name.c" $(pkg-config --cflags --libs phyr)
	status=0
	LD_LIBRARY_PATH=$lib ./program-example 2>program-output || status=$?
	[ $status -eq 2 ] && grep -q "^usage: $name " program-output || {
		echo "$name does not say its usage"
		exit 1
	}
done
# The templates as their page says, in a folder of one's own.
mkdir mine
cp "$examples"/my_* "$examples"/test_* mine
example mine/test_my_device.c mine/my_device.c -lcmocka
example mine/test_my_ring.c mine/my_ring.c mine/my_nic.c -lcmocka
"$here/../lint/links.py" "${examples%/*}"

# Without libc: the layers that need no system, and nothing else.
if [ "$(uname -m)" = x86_64 ]; then
	# shellcheck disable=SC2046
	build_and_run freestanding "$cc" -Wall -Wextra -Wno-unused-parameter -Werror -ffreestanding \
		-nostdlib -static "$examples/freestanding.c" $(pkg-config --cflags --libs phyr-freestanding)
fi

readelf -d program-shared | grep -q 'NEEDED.*libphyr\.so\.0' || {
	echo 'the shared program does not need libphyr.so.0'
	exit 1
}
if readelf -d program-static 2>/dev/null | grep -q NEEDED; then
	echo 'the static program needs a library'
	exit 1
fi
internal=$(find "$root" -path '*include*' -name '*.h' ! -path '*/include/phyr/*')
[ -z "$internal" ] || {
	echo "headers that are not public were installed: $internal"
	exit 1
}
echo "installed: $(find "$root" -type f ! -name 'program-*' ! -path '*/mine/*' ! -name disk.img | wc -l) files; shared, static and C++ programs and the examples run"
