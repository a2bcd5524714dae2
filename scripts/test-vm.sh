#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Build what runs in guests, and run them: test-vm.sh [run.py's options]. What can't run here says why, and
# counts as skipped.
set -u
cd "$(dirname "$0")/.." || exit 1

scripts/deps.sh vm || {
	echo 'SKIPPED: no guest was run, for packages that are not here and could not be installed; see above'
	echo '0 passed, 0 failed, 1 skipped'
	exit 0
}
make --no-print-directory build/tests-enabled || exit 1
ninja -C build guest-programs || exit 1
exec tests/guest/run.py "$@" build
