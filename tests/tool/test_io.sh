#!/bin/sh
# SPDX-License-Identifier: MIT
# phyr io on a real file: verified mixes, checksums, damage that must be seen, the JSON that is promised.
set -eu
phyr=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
all=perpage,oneshot,twostep,registered

fail() {
	echo "FAIL: $*"
	exit 1
}

echo "== a verified mix in every mode, with and without IOMMU, in every scatter"
for iommu in soft none; do
	rm -f "$dir/mix"
	"$phyr" io "sim:$dir/mix" --create 24m --rw randrw --bs 512-1m --iodepth 16 --io-size 48m \
		--verify --map $all --iommu $iommu --seed 7
done
for scatter in single huge linear; do
	"$phyr" io "sim:$dir/mix" --destroy-data --rw randrw --bs 4k-2m --iodepth 8 --io-size 16m \
		--verify --map $all --scatter $scatter --seed 8
done

echo "== larger than the device takes in one command"
"$phyr" io "sim:$dir/mix" --destroy-data --rw randrw --bs 512-8m --iodepth 4 --io-size 64m --verify \
	--map $all --seed 9

echo "== what was written reads right in another run, and damage shows"
"$phyr" io "sim:$dir/new" --create 4m --rw write --bs 64k --verify
"$phyr" io "sim:$dir/new" --rw read --bs 12k --verify >/dev/null || fail "a good image was refused"
printf x | dd of="$dir/new" bs=1 seek=1234567 conv=notrunc 2>/dev/null
if "$phyr" io "sim:$dir/new" --rw read --bs 64k --verify --json >"$dir/json" 2>/dev/null; then
	fail "a damaged block was not seen"
fi
"$phyr" io "sim:$dir/mix" --rw read --verify >/dev/null 2>"$dir/err" && fail "unstamped blocks pass"
grep -q "carry no stamp" "$dir/err" || fail "unstamped blocks are not told apart"
grep -q '"verify_errors":1,' "$dir/json" || fail "not exactly one wrong block"

echo "== SHA-256 as others compute it"
head -c 5000192 /dev/urandom >"$dir/random"
want=$(sha256sum <"$dir/random" | cut -d' ' -f1)
"$phyr" io "sim:$dir/random" --checksum --bs 512-300k --map $all --json >"$dir/json"
[ "$(grep -c "\"sha256\":\"$want\"" "$dir/json")" -eq 4 ] || fail "a checksum differs"

echo "== the JSON has all that is promised"
python3 "$(dirname "$0")/check_json.py" io 4 <"$dir/json"
"$phyr" bench --filter list/append-one --json >"$dir/json"
python3 "$(dirname "$0")/check_json.py" bench 1 <"$dir/json"

echo "== a file that was opened to read stays as it is"
before=$(sha256sum <"$dir/random")
"$phyr" io "sim:$dir/random" --rw randread --bs 4k >/dev/null
[ "$(sha256sum <"$dir/random")" = "$before" ] || fail "reading changed the file"
