#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal and prints what it shows: terminal.py COMMAND ARGS... Exit status 77
where the system has no terminal to give."""
import os
import pty
import sys

sys.stdout.flush()
try:
    os.close(pty.openpty()[0])
except OSError as why:
    print(f"SKIPPED: no terminal to be had: {why}", file=sys.stderr)
    sys.exit(77)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
