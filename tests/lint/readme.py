#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The README shows what is there: its program is examples/read.c, its first screen what `phyr demo` prints.

Times differ from run to run: numbers are compared by their place, not their value.
"""
import re
import subprocess
import sys

import tree


def blocks(text):
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M)


def shape(text):
    lines = [re.sub(r"0x[0-9a-f]+|[0-9]+(\.[0-9]+)?", "N", line) for line in text.splitlines()]
    return [re.sub(r" +", " ", line).strip() for line in lines]


def main():
    problems = []
    shown = blocks((tree.ROOT / "README.md").read_text())
    program = (tree.ROOT / "examples/read.c").read_text().split("\n", 1)[1]
    if program not in [body for kind, body in shown if kind == "c"]:
        problems.append("README.md: its program is not examples/read.c")
    demo = subprocess.run([sys.argv[1], "demo"], capture_output=True, text=True, check=True).stdout
    if shape(demo) != shape(shown[0][1]):
        problems.append("README.md: its first screen is not what `phyr demo` prints")
    for problem in problems:
        print(problem)
    print(f"README: {len(problems) or 'no'} problems")
    return bool(problems)


sys.exit(main())
