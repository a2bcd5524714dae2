#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Build and run the tests: test.sh KIND... -- [meson test's names]
# KIND: gcc, asan, tsan (every suite but lint, each in its own build folder), lint (that suite, gcc's).
# Every kind runs whatever the ones before did; the last lines say how each went.
set -u
cd "$(dirname "$0")/.." || exit 1

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

# Sanitizers take their time; a test's own limit is meant for a plain build.
slowness() {
	case $1 in
	asan) echo 4 ;;
	tsan) echo 8 ;;
	*) echo 1 ;;
	esac
}

folder() {
	case $1 in
	asan | tsan) echo "build-$1" ;;
	*) echo build ;;
	esac
}

# The build folder's target in the GNUmakefile that makes it ready for tests.
ready_target() {
	case $1 in
	asan | tsan) echo "build-$1/build.ninja" ;;
	*) echo build/tests-enabled ;;
	esac
}

run_kind() {
	local kind=$1 dir suites=(--no-suite lint)
	shift
	dir=$(folder "$kind")
	[ "$kind" = lint ] && suites=(--suite lint)
	rm -f "$dir/meson-logs/$kind".*
	make --no-print-directory "$(ready_target "$kind")" || return 1
	ninja -C "$dir" || return 1
	meson test -C "$dir" --no-rebuild --print-errorlogs --logbase "$kind" \
		--timeout-multiplier "$(slowness "$kind")" "${suites[@]}" "$@"
}

kinds=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	kinds+=("$1")
	shift
done
[ $# -gt 0 ] && shift

failed=0
summary=()
for kind in "${kinds[@]}"; do
	printf '\n== %s\n' "$kind"
	start=$SECONDS
	run_kind "$kind" "$@" && went=ok || { went=FAILED && failed=1; }
	counts=$(python3 scripts/count_tests.py "$(folder "$kind")/meson-logs/$kind.json")
	summary+=("$(printf '%-5s %-7s %s, %d s' "$kind" "$went" "$counts" $((SECONDS - start)))")
done
printf '\n'
printf '%s\n' "${summary[@]}"
exit $failed
