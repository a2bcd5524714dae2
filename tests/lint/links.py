#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every relative link of the documents leads to something: links.py [FOLDER]

 Without a folder, the repository; with one, the documents as they were installed there, beside which
 all that they link to has to lie."""
import re
import sys
from pathlib import Path

import tree

CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:|#")  # a web address, or a place on the same page


def documents(root):
    for path in sorted(root.rglob("*.md")):
        if not path.relative_to(root).parts[0].startswith(("build", ".")):
            yield path


def links(path):
    """(line, target) of each link to a file; code is blanked, but for the brackets around it."""
    text = CODE.sub(lambda match: "\n" * match.group(0).count("\n"), path.read_text(encoding="utf-8"))
    for match in LINK.finditer(text):
        if not ELSEWHERE.match(match.group(1)):
            yield text.count("\n", 0, match.start()) + 1, match.group(1).split("#")[0]


def main():
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else tree.ROOT
    problems = tree.Problems()
    found = 0
    for path in documents(root):
        for line, target in links(path):
            found += 1
            if not (path.parent / target).exists():
                problems.add(f"{path.relative_to(root)}:{line}", f"{target}: there is no such file")
    if not found:
        problems.add(str(root), "no links at all: are these the documents?")
    problems.finish(f"{found} links")


if __name__ == "__main__":
    main()
