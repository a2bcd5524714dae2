#!/bin/sh
# SPDX-License-Identifier: MIT
# cppcheck over the library, the command and the examples. What is suppressed, and why:
# - missingIncludeSystem: the system's headers are not searched
# - identicalInnerCondition: takes "if (*slot) return *slot;" for a slip
# - unusedFunction and style are off: the export check and clang-tidy see to them better
set -eu
cd "$(dirname "$0")/../.."
command -v cppcheck >/dev/null || {
	echo 'SKIPPED: no cppcheck'
	exit 77
}
cppcheck --quiet --std=c11 --language=c --platform=unix64 --enable=warning,performance,portability \
	--inline-suppr --suppress=missingIncludeSystem --suppress=identicalInnerCondition --error-exitcode=1 -j 2 \
	-D__GNUC__=12 -D__x86_64__=1 -D__SSE2__=1 -D__STDC_HOSTED__=1 -DPHYR_VERSION='"0"' \
	-I include -I src -I tools/phyr src tools examples
