#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Packages that a target needs: deps.sh run|test|vm. Quiet when nothing is missing, and no network
# is touched then. What is missing is installed on a Debian-like system as root, else named.
set -eu

PATH=$PATH:/usr/sbin:/sbin # mkfs.ext4 lives there, and an ordinary user's PATH lacks it

# One line a need: Debian's package, then a probe that succeeds without it being asked for by name.
needs_run() {
	need gcc command gcc
	need libc6-dev header stdio.h
	need meson command meson
	need ninja-build command ninja
	need pkg-config command pkg-config
	need libjson-c-dev module json-c
	need nettle-dev module nettle
	need liburing-dev module liburing
	need e2fsprogs command mkfs.ext4
}

needs_test() {
	needs_run
	need libcmocka-dev module cmocka
	need libnvme-dev header libnvme.h
	need clang command clang
	need libclang-rt-dev clang_file 'libclang_rt.tsan*'
	need clang-format command clang-format
	need clang-tidy command clang-tidy
	need cppcheck command cppcheck
	need g++ command g++
	need gcc-aarch64-linux-gnu command aarch64-linux-gnu-gcc
	need gcc-riscv64-linux-gnu command riscv64-linux-gnu-gcc
	need scdoc command scdoc
}

# The last of them build a kernel.
needs_vm() {
	needs_run
	need libcmocka-dev module cmocka
	need qemu-system-x86 command qemu-system-x86_64
	need busybox-static command busybox
	need xz-utils command xz
	need flex command flex
	need bison command bison
	need bc command bc
	need lz4 command lz4
	need libelf-dev header libelf.h
}

missing=()
need() {
	local package=$1 probe=$2
	shift 2
	"has_$probe" "$@" || missing+=("$package")
}

has_command() { command -v "$1" >/dev/null; }
has_module() { command -v pkg-config >/dev/null && pkg-config --exists "$1"; }
has_header() {
	command -v gcc >/dev/null && echo "#include <$1>" | gcc -E -xc - >/dev/null 2>&1
}
has_clang_file() {
	local dir
	dir=$(clang -print-resource-dir 2>/dev/null) && [ -n "$(find "$dir/lib/" -name "$1" -print -quit 2>/dev/null)" ]
}

install_missing() {
	export DEBIAN_FRONTEND=noninteractive
	echo "deps: installing ${missing[*]}" >&2
	apt-get update -q </dev/null >&2 || echo 'deps: apt-get update failed; going on with what is known' >&2
	apt-get install -q -y --no-install-recommends "${missing[@]}" </dev/null >&2
}

case ${1-} in
run | test | vm) "needs_$1" ;;
*)
	echo 'usage: deps.sh run|test|vm' >&2
	exit 2
	;;
esac
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	install_missing || {
		echo "deps: could not install: ${missing[*]}" >&2
		exit 1
	}
	exit 0
fi
echo "deps: 'make ${1/#vm/test-vm}' needs packages that are not here; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
exit 1
