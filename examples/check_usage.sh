#!/bin/sh
# SPDX-License-Identifier: MIT
# An example that needs a device says so when it is given none: a line with its usage, exit 2.
set -u
err=$("$1" 2>&1 >/dev/null)
[ $? -eq 2 ] || exit 1
case $err in
"usage: ${1##*/} "*) ;;
*) exit 1 ;;
esac
[ "$(echo "$err" | wc -l)" -eq 1 ]
