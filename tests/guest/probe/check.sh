#!/bin/sh
# SPDX-License-Identifier: MIT
# The probe on the simulated controller: check.sh PROBE
set -u
disk=$(mktemp)
trap 'rm -f "$disk"' EXIT
truncate -s 8m "$disk"
sh "$(dirname "$0")/../checks-probe.sh" "$1" "sim:$disk"
