#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What two controllers answer in different ways: compare.py OURS THEIRS, each the output of nvme_probe or a
guest's log that has it. A line a question: NAME OURS | THEIRS. That an error is logged (More) and how the
phases of a question that only one has differ is left out. Exit 1 when the files hold no answers."""
import re
import sys

LINE = re.compile(r"([a-z0-9]+(?:\.[\w\[\]-]+)+) (.*)")


def answers(path):
    found = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.fullmatch(line.strip())
            if match:
                found[match[1]] = match[2].replace(" more", "")
    return found


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    ours, theirs = map(answers, sys.argv[1:])
    both = [name for name in ours if name in theirs]
    differing = [name for name in both if ours[name] != theirs[name]]
    for name in differing:
        print(f"{name} {ours[name]} | {theirs[name]}")
    print(f"{len(both)} questions, {len(differing)} answered differently; {len(ours) - len(both)} asked of the first "
          f"alone, {len(theirs) - len(both)} of the second")
    sys.exit(0 if both else 1)


if __name__ == "__main__":
    main()
