#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long functions and files are: the median function has under 20 lines, no file over 800. A
function's lines run from the first of its head to its closing brace; functions are told by their
braces in column 0, which the format check sees to. The library and the command set the median; tests
are printed beside."""
import statistics

import tree

MEDIAN_BELOW = 20
FILE_AT_MOST = 800


def functions(path):
    """(lines, first line) of each function in the file."""
    lines = tree.blank(path.read_text(encoding="utf-8")).split("\n")
    start = None
    for at, line in enumerate(lines):
        if line == "{":
            start = head(lines, at)
        elif line == "}" and start is not None:
            yield at - start + 1, start + 1
            start = None


def head(lines, brace):
    """The first line of the head whose brace is given."""
    at = brace
    while at > 0 and lines[at - 1].strip() and lines[at - 1][0] not in "}#":
        at -= 1
    return at


def measure(problems, title, paths):
    sizes, longest = [], (0, "")
    for path in paths:
        total = path.read_text(encoding="utf-8").count("\n")
        if total > FILE_AT_MOST:
            problems.add(tree.name(path), f"{total} lines, over {FILE_AT_MOST}")
        for size, line in functions(path):
            sizes.append(size)
            longest = max(longest, (size, f"{tree.name(path)}:{line}"))
    if not sizes:
        return 0
    sizes.sort()
    median = statistics.median(sizes)
    print(f"{title}: {len(paths)} files, {len(sizes)} functions; median {median:g} lines, "
          f"90 % up to {sizes[len(sizes) * 9 // 10]}, longest {longest[0]} ({longest[1]})")
    return median


def main():
    problems = tree.Problems()
    product = tree.files(["src", "include", "tools", "examples"], ".c", ".h")
    tests = tree.files(["tests"], ".c", ".h")
    median = measure(problems, "product", product)
    measure(problems, "tests", tests)
    if median >= MEDIAN_BELOW:
        problems.add("median", f"{median:g} lines, {MEDIAN_BELOW} or more")
    problems.finish("functions and files")


if __name__ == "__main__":
    main()
