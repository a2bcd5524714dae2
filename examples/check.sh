#!/bin/sh
# SPDX-License-Identifier: MIT
# Run an example; it must print what is expected, where 0x… stands for any address: check.sh OUT PROGRAM
set -eu
out=$1 program=$2
is=$(mktemp)
trap 'rm -f "$is"' EXIT

"$program" >"$is"
if grep -q '0x…' "$out"; then
	sed -E 's/0x[0-9a-f]+/0x…/g' "$is" | diff -u "$out" -
else
	diff -u "$out" "$is"
fi
