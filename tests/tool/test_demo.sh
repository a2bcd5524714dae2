#!/bin/sh
# SPDX-License-Identifier: MIT
# phyr demo: it leaves no files, and shows what it says. How long it took is printed, not judged.
set -eu
phyr=$(realpath "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
start=$(date +%s%N)
"$phyr" demo >out
ms=$((($(date +%s%N) - start) / 1000000))
for want in "1 MiB" "░" "the old way" "page-table walks" "IOTLB not told (bug)" "CHANGED" "blocked" \
	"fault: device 01:00.0, write at iova"; do
	grep -q -e "$want" out || { cat out; echo "FAIL: no '$want'"; exit 1; }
done
[ "$(ls)" = out ] || { echo "FAIL: it left files"; exit 1; }
echo "took $ms ms"
