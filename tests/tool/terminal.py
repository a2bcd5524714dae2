#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command on a terminal and prints what it shows: terminal.py COMMAND ARGS..."""
import os
import pty
import sys

sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
