#!/bin/sh
# SPDX-License-Identifier: MIT
# phyr io on a real file: verified mixes, checksums, damage that must be seen, the JSON that is promised,
# and each option that says how long, how fast, by how many, and what happens on Ctrl-C.
set -eu
phyr=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
all=perpage,oneshot,twostep,registered
here=$(dirname "$0")

fail() {
	echo "FAIL: $*"
	exit 1
}

# io ROWS PYTHON ARGS…: the run's JSON is as promised, and PYTHON holds of it (top, and rows)
io() {
	rows=$1 claim=$2
	shift 2
	"$phyr" io "$@" --json >"$dir/json" || fail "status $?: phyr io $*"
	claims "$rows" "$claim" || fail "phyr io $*: $claim"
}

claims() {
	python3 "$here/check_json.py" io "$1" <"$dir/json" &&
		python3 -c 'import json, sys
top = json.load(open(sys.argv[1]))
rows = top["rows"]
if not eval(sys.argv[2]):
    sys.exit(json.dumps(top))' "$dir/json" "$2"
}

echo "== a verified mix in every mode, with and without IOMMU, in every scatter"
for iommu in soft none; do
	rm -f "$dir/mix"
	"$phyr" io "sim:$dir/mix" --create 24m --rw randrw --bs 512-1m --iodepth 16 --io-size 48m \
		--verify --map $all --iommu $iommu --seed 7
done
for format in x86_64 vtdss amdv1 arm64_s1 arm64_s2 riscv64; do
	io 4 'top["format"] and all(r["bytes"] == 8 << 20 and r["read_back"] and not r["faults"] for r in rows)' \
		"sim:$dir/mix" --destroy-data --rw randrw --bs 4k-2m --iodepth 8 --io-size 8m --verify \
		--map $all --format $format --scatter huge --seed 10
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
claims 1 'rows[0]["verify_errors"] == 1 and rows[0]["wrong_blocks"] == [{"lba": 1234567 // 512,
	"expected": "stamp", "generation": None, "found": "damaged", "found_lba": None,
	"found_generation": None}]' || fail "not exactly one wrong block, and which"
dd if="$dir/new" of="$dir/new" bs=512 skip=40 seek=50 count=1 conv=notrunc 2>/dev/null
dd if=/dev/zero of="$dir/new" bs=512 seek=60 count=20 conv=notrunc 2>/dev/null
"$phyr" io "sim:$dir/new" --rw read --bs 64k --verify >"$dir/out" 2>"$dir/err" && fail "more damage passes"
for line in "block 50: expected a stamp of an earlier run; found block 40, generation 1" \
	"block 60: expected a stamp of an earlier run; found zeroes" "these are the first 8;"; do
	grep -q "^oneshot: .*$line" "$dir/out" || fail "no '$line': $(cat "$dir/out")"
done

echo "== SHA-256 as others compute it"
head -c 5000192 /dev/urandom >"$dir/random"
want=$(sha256sum <"$dir/random" | cut -d' ' -f1)
"$phyr" io "sim:$dir/random" --checksum --bs 512-300k --map $all --json >"$dir/json"
[ "$(grep -c "\"sha256\":\"$want\"" "$dir/json")" -eq 4 ] || fail "a checksum differs"

echo "== the JSON has all that is promised"
python3 "$here/check_json.py" io 4 <"$dir/json"
"$phyr" bench --filter list/append-one --json >"$dir/json"
python3 "$here/check_json.py" bench 1 <"$dir/json"

echo "== a file that was opened to read stays as it is"
before=$(sha256sum <"$dir/random")
"$phyr" io "sim:$dir/random" --rw randread --bs 4k >/dev/null
[ "$(sha256sum <"$dir/random")" = "$before" ] || fail "reading changed the file"

echo "== threads: each its own part, in every mode, verified"
rm -f "$dir/mix"
for iommu in soft none; do
	io 4 'all(r["bytes"] == 24 << 20 and r["read_back"] for r in rows)' "sim:$dir/mix" \
		--create 12m --rw randrw --bs 512-256k --iodepth 8 --io-size 24m --verify --threads 3 \
		--map $all --iommu $iommu --seed 11
	rm "$dir/mix"
done
# Sequential: all of it once, though nothing divides evenly.
io 1 'rows[0]["bytes"] == 1000 * 512' "sim:$dir/new" --size 512000 --rw write --bs 12k --threads 7 \
	--verify --destroy-data
io 1 'rows[0]["bytes"] == 1000 * 512' "sim:$dir/new" --size 512000 --bs 64k --verify --threads 4
io 1 'rows[0]["bytes"] == 2048 and rows[0]["ios"] == 4' "sim:$dir/new" --size 2k --threads 4 --bs 512
# I/Os are as large as was asked for, however many threads share what is to move; but for the last.
io 1 'rows[0]["bytes"] == 10 << 10 and rows[0]["ios"] == 3' "sim:$dir/new" --io-size 10k --threads 3
# More threads than I/Os: some have nothing to do.
io 1 'rows[0]["bytes"] == 1536' "sim:$dir/new" --io-size 1536 --bs 512 --threads 8

echo "== a run time: wrapping around, and whichever is first with a size"
io 2 'all(r["bytes"] > 1 << 16 and r["seconds"] >= 0.4 and not r["stopped"] for r in rows)' \
	"sim:$dir/new" --size 64k --runtime 0.4 --rw write --verify --destroy-data --bs 512-4k --threads 2 \
	--map oneshot,registered
io 1 'rows[0]["bytes"] == 1 << 20 and rows[0]["seconds"] < 1000' "sim:$dir/new" --runtime 1000 --io-size 1m
io 1 'rows[0]["bytes"] < 1 << 50' "sim:$dir/new" --runtime 0.2 --io-size 1024t

echo "== a rate is not exceeded"
# 250 of 4 KiB at 1000 a second: the last begins when it is due.
io 1 'rows[0]["ios"] == 250 and rows[0]["seconds"] >= 0.25 and 0 < rows[0]["rate_share"] <= 1' \
	"sim:$dir/new" --io-size 1000k --rate 1000iops
io 1 'rows[0]["seconds"] >= 0.25 and rows[0]["rate_share"] <= 1 and top["rate_bytes_s"] == 4 << 20' \
	"sim:$dir/new" --io-size 1m --rate 4m --threads 3 --bs 512-16k --rw randwrite --destroy-data --verify

# An I/O as large as what the rate gives in a while waits for that while.
io 1 'rows[0]["ios"] == 1 and rows[0]["seconds"] >= 0.25 and rows[0]["rate_share"] <= 1' \
	"sim:$dir/new" --bs 1m --io-size 1m --rate 4m
io 1 'rows[0]["seconds"] >= 0.5 and rows[0]["rate_share"] <= 1' "sim:$dir/new" --bs 256k --io-size 512k \
	--rate 1m --threads 2 --rw randrw --destroy-data --trim 50

echo "== interrupts: threads that sleep, in every mode, verified"
for iommu in soft none; do
	io 4 'top["interrupt"] and all(r["bytes"] == 16 << 20 and r["read_back"] for r in rows)' "sim:$dir/mix" \
		--create 8m --rw randrw --bs 512-256k --iodepth 8 --io-size 16m --verify --threads 2 \
		--map $all --iommu $iommu --interrupt --seed 12
	rm "$dir/mix"
done
io 1 'rows[0]["ios"] == 100' "sim:$dir/new" --interrupt --iodepth 1 --io-size 400k
io 1 'rows[0]["ios"] == 100 and rows[0]["rate_share"] <= 1' "sim:$dir/new" --interrupt --io-size 400k \
	--rate 1000iops --threads 4

echo "== deallocated blocks read as zeroes, in every mode"
for iommu in soft none; do
	io 4 'all(r["trims"] and r["trims_verified"] and r["bytes"] + r["trim_bytes"] == 24 << 20 and r["read_back"]
		for r in rows)' "sim:$dir/mix" --create 12m --rw randrw --bs 512-256k --iodepth 8 \
		--io-size 24m --verify --threads 2 --map $all --iommu $iommu --trim 30 --seed 13
	rm "$dir/mix"
done
io 1 'rows[0]["trim_bytes"] == 3 << 20 and rows[0]["ios"] == 0 and rows[0]["bytes"] == 0' "sim:$dir/random" \
	--size 3m --rw write --bs 3m --trim 100 --destroy-data
head -c 3m "$dir/random" | cmp -s -n 3145728 - /dev/zero || fail "--trim 100 left something"
tail -c +3145729 "$dir/random" | head -c 4096 | cmp -s -n 4096 - /dev/zero && fail "--trim went past --size"
"$phyr" io "sim:$dir/random" --rw write --trim 50 --destroy-data >"$dir/out"
grep -q '^oneshot: [0-9]* deallocates, [0-9.]* MiB, not verified' "$dir/out" || fail "deallocates are not told"

echo "== a histogram of latencies"
"$phyr" io "sim:$dir/new" --histogram --map oneshot,twostep >"$dir/out"
[ "$(grep -c '^latencies, ' "$dir/out")" -eq 2 ] || fail "not a histogram a row"
[ "$(sed -n '/^latencies, twostep/,$p' "$dir/out" | awk '/%$/ { n += $(NF-2) } END { print n }')" -eq 1024 ] ||
	fail "the histogram has not all I/Os"

echo "== a row of no I/O has no means, and says so"
"$phyr" io "sim:$dir/new" --runtime 0.0000001 >"$dir/out"
grep -q '^oneshot: no I/O was begun in the run time$' "$dir/out" || fail "a run of nothing: $(cat "$dir/out")"
"$phyr" io "sim:$dir/random" --size 1m --bs 64k --rw write --trim 100 --destroy-data --map $all >"$dir/out"
[ "$(grep -cE '^[a-z]+( +-){7} .* 0  (-|window)$' "$dir/out")" -eq 4 ] || fail "means of no I/O: $(cat "$dir/out")"
[ "$(grep -cE '^[a-z]+ +0 +0 ( +-){8}$' "$dir/out")" -eq 4 ] || fail "latencies of no I/O: $(cat "$dir/out")"

echo "== nothing printed is wider than 100 columns"
"$phyr" io sim:"$dir/new" --histogram --map $all --threads 2 --bs 512-64k --runtime 0.2 --rate 100m \
	--rw randrw --verify --destroy-data >"$dir/out"
python3 -c 'import sys
wide = [l for l in open(sys.argv[1], encoding="utf-8") if len(l.rstrip("\n").replace(sys.argv[2], "")) > 100]
sys.exit("".join(wide) or None)' "$dir/out" "$dir" || fail "wide lines"

# stop BYTES ARGS…: Ctrl-C once so many were read and written; the status is the run's
stop() {
	bytes=$1
	shift
	"$phyr" io "$@" >"$dir/out" 2>"$dir/err" &
	python3 "$here/wait_for_io.py" $! "$bytes"
	kill -INT $!
	wait $!
}

echo "== Ctrl-C: what was found until then"
stop 4000000 "sim:$dir/new" --runtime 1000 --rw randrw --verify --destroy-data --threads 2 --map $all --json ||
	fail "stopped: status $?: $(cat "$dir/err")"
cp "$dir/out" "$dir/json"
claims 1 'top["stopped"] and rows[0]["stopped"] and not rows[0]["read_back"] and rows[0]["ios"] > 0' ||
	fail "the JSON of a stopped run"
stop 0 "sim:$dir/new" --runtime 1000 --rate 1iops --interrupt --threads 2 || fail "stopped asleep: status $?"
grep -q '^oneshot: stopped after' "$dir/out" || fail "the table of a run stopped asleep"
stop 0 "sim:$dir/new" --runtime 1000 --rate 1iops --rw write --verify --destroy-data --map oneshot,twostep ||
	fail "stopped at a slow pace: status $?"
grep -q '^oneshot: stopped after .*not read back' "$dir/out" || fail "the table of a stopped run"
grep -q '^twostep: stopped before it began' "$dir/out" || fail "the row that did not begin"
stop 0 "sim:$dir/new" --checksum --rate 64k || fail "a stopped checksum: status $?"
grep -q 'no sha256, not all was read' "$dir/out" || fail "a checksum of a part"
io 1 'not top["stopped"] and rows[0]["sha256"]' "sim:$dir/new" --checksum
# What was wrong until then still counts.
"$phyr" io "sim:$dir/bad" --create 64k --rw write --verify >"$dir/out"
printf x | dd of="$dir/bad" bs=1 seek=20000 conv=notrunc 2>/dev/null
stop 4000000 "sim:$dir/bad" --runtime 1000 --verify --bs 64k && fail "a stopped run with wrong blocks passes"
grep -q 'wrong blocks' "$dir/err" || fail "wrong blocks of a stopped run: $(cat "$dir/err")"

echo "== the progress line of a terminal"
python3 "$here/terminal.py" "$phyr" io "sim:$dir/new" --runtime 0.9 --rw randread --threads 2 >"$dir/out" ||
	[ $? = 77 ] || fail "on a terminal: exit $?"
[ ! -s "$dir/out" ] || grep -q 'oneshot .* %  .* MiB/s  .* IOPS  0:0[01] left' "$dir/out" || fail "no progress: $(cat "$dir/out")"
