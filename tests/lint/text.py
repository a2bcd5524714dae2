#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What no file has: work left over by its own words, paths of somebody's machine, odd white space;
and what every source file has: its licence line, and a line of purpose."""
import re
import subprocess

import tree

# Spelled so that this file passes its own check.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|st" r"ub|not impl" r"emented)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(wo" r"rk|far" r"m|ro" r"ot|ho" r"me)/[\w.]")
LICENCE = re.compile(r"SPDX-License-Identifier: MIT")
CODE = {".c", ".h", ".py", ".sh"}
NOT_TEXT = {".png", ".gz", ".bin"}
OWN_WORDS = {"tests/lint/text.py"}


def tracked():
    """Files of the repository; all but build folders where there is no git."""
    try:
        listed = subprocess.run(["git", "-C", tree.ROOT, "ls-files", "-co", "--exclude-standard", "-z"],
                                capture_output=True, check=True).stdout.decode().split("\0")
        paths = [tree.ROOT / file for file in listed if file]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in tree.ROOT.rglob("*")
                 if not path.relative_to(tree.ROOT).parts[0].startswith(("build", ".git"))]
    return sorted(path for path in paths if path.is_file() and path.suffix not in NOT_TEXT)


def check_lines(problems, path, text):
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{tree.name(path)}:{number}"
        if line != line.rstrip():
            problems.add(where, "white space at the line's end")
        if "\r" in line:
            problems.add(where, "carriage return")
        if tree.name(path) in OWN_WORDS:
            continue
        found = UNFINISHED.search(line) if path.suffix in CODE else None
        if found:
            problems.add(where, f"unfinished by its own words: {found.group(0)}")
        found = MACHINE_PATH.search(line)
        if found:
            problems.add(where, f"a path of somebody's machine: {found.group(0)}")


def check_head(problems, path, text):
    if path.suffix not in CODE:
        return
    lines = text.split("\n")
    at = 1 if lines[0].startswith("#!") else 0
    if not LICENCE.search(lines[at]):
        problems.add(tree.name(path), "its first line is not the SPDX line")
    elif path.suffix in {".c", ".h"} and not lines[at + 1].startswith("/*"):
        problems.add(tree.name(path), "no line of purpose under the SPDX line")


def main():
    problems = tree.Problems()
    paths = tracked()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        check_lines(problems, path, text)
        check_head(problems, path, text)
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            problems.add(tree.name(path), "does not end with one newline")
    problems.finish(f"text of {len(paths)} files")


if __name__ == "__main__":
    main()
