#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Everything public is documented: a doc comment stands right above every PHYR_API function, struct
and enum, or above the first of a group of functions without a blank line between (create and
destroy). Every parameter that a comment names exists."""
import re

import tree

START = re.compile(r"^(PHYR_API\b|static inline\b|(?:struct|enum|union) \w+ \{)")
PARAMETER = re.compile(r"@param\s+((?:\w+|…)(?:,\s*(?:\w+|…))*)")


def declaration(lines, at):
    """The declaration's text, to its semicolon or brace."""
    text = ""
    for line in lines[at:]:
        text += line + "\n"
        if re.search(r"[;{]\s*(/\*.*)?$", line):
            break
    return text


def comment_above(lines, at):
    """(first line, text) of the doc comment that ends right above, or None."""
    if at == 0 or not lines[at - 1].rstrip().endswith("*/"):
        return None
    first = at - 1
    while first > 0 and "/*" not in lines[first]:
        first -= 1
    text = "\n".join(lines[first:at])
    return text if text.lstrip().startswith("/**") else None


def in_group(lines, at):
    """Whether the line above ends another function's declaration, which is documented likewise."""
    return at > 0 and re.search(r"\);\s*(/\*.*\*/)?$", lines[at - 1]) is not None


def check(problems, path):
    lines = path.read_text(encoding="utf-8").split("\n")
    found = 0
    for at, line in enumerate(lines):
        if not START.match(line):
            continue
        found += 1
        where, what = f"{tree.name(path)}:{at + 1}", declaration(lines, at)
        comment = comment_above(lines, at)
        is_function = not re.match(r"struct|enum|union", line) or "(" in line
        if comment is None and not (is_function and in_group(lines, at)):
            problems.add(where, f"no doc comment: {line.strip()}")
        if comment and is_function:
            for names in PARAMETER.findall(comment):
                for name in re.split(r",\s*", names):
                    if name != "…" and not re.search(rf"\b{name}\b", what):
                        problems.add(where, f"@param {name}: there is no such parameter")
    return found


def main():
    problems = tree.Problems()
    found = sum(check(problems, path) for path in tree.public_headers())
    problems.finish(f"{found} public declarations")


if __name__ == "__main__":
    main()
