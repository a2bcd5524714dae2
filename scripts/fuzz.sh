#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzz each target: fuzz.sh BUILD_FOLDER SECONDS [libFuzzer's arguments]
#
# A target fuzz_NAME starts from tests/fuzz/corpus/NAME; what it finds on the way is kept in
# BUILD_FOLDER/fuzz/NAME, and what breaks a rule in BUILD_FOLDER/fuzz/NAME-crash-*. FUZZ_MERGE=1: put
# few of the found inputs that reach as many edges into the corpus instead.
set -eu
cd "$(dirname "$0")/.."

build=$1
seconds=$2
shift 2
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

names=()
for corpus in tests/fuzz/corpus/*/; do
	names+=("$(basename "$corpus")")
done
ninja -C "$build" "${names[@]/#/tests/fuzz/fuzz_}"
for name in "${names[@]}"; do
	found=$build/fuzz/$name
	target=$build/tests/fuzz/fuzz_$name
	mkdir -p "$found"
	if [ -n "${FUZZ_MERGE-}" ]; then
		smaller=$(mktemp -d)
		"$target" -set_cover_merge=1 -use_counters=0 -timeout=10 "$@" "$smaller" "tests/fuzz/corpus/$name" "$found"
		rm -f "tests/fuzz/corpus/$name"/*
		for input in "$smaller"/*; do
			file=$(basename "$input")
			mv "$input" "tests/fuzz/corpus/$name/${file:0:12}.bin"
		done
		rmdir "$smaller"
		continue
	fi
	printf '\n== %s, %d s\n' "$name" "$seconds"
	"$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$build/fuzz/$name-" "$@" "$found" "tests/fuzz/corpus/$name"
done
