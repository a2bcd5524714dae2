#!/bin/sh
# SPDX-License-Identifier: MIT
# Run the example on a file of its own: what it prints is the file's start; a missing file is one line, and so
# is a device that is no drive.
set -eu
read=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

head -c 1048576 /dev/urandom >"$dir/disk.img"
"$read" "sim:$dir/disk.img" >"$dir/out"
head -c 65536 "$dir/disk.img" | cmp - "$dir/out"

if "$read" "sim:$dir/none.img" 2>"$dir/err"; then
	echo "reading a file that is not there succeeded" >&2
	exit 1
fi
grep -q 'read: No such file or directory' "$dir/err"
[ "$(wc -l <"$dir/err")" -eq 1 ]

if "$read" sim: >"$dir/out" 2>"$dir/err"; then
	echo "reading a device that is no drive succeeded" >&2
	exit 1
fi
[ "$(cat "$dir/err")" = "read: Invalid argument" ]
[ ! -s "$dir/out" ]
