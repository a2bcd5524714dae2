#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each public header has its man page: it names every function of the header, names nothing that is
not there, and its examples compile. man.py CC"""
import re
import subprocess
import sys

import tree

NAME = re.compile(r"\b(?:phyr|PHYR)_\w*[a-zA-Z0-9]\b")
EXAMPLE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check_example(problems, where, compiler, text):
    done = subprocess.run([compiler, "-xc", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
                           "-Wno-unused-parameter", "-I", tree.ROOT / "include", "-fsyntax-only", "-"],
                          input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        problems.add(where, f"its example does not compile:\n{done.stderr}")


def check_page(problems, header, known, compiler):
    page = tree.ROOT / "man" / f"phyr-{header.stem}.3.scd"
    if not page.is_file():
        problems.add(tree.name(header), f"no {tree.name(page)}")
        return
    text = page.read_text(encoding="utf-8")
    named = set(NAME.findall(text))
    for name in sorted(tree.functions(header, inline=True).keys() - named):
        problems.add(tree.name(page), f"does not say what {name}() does")
    for name in sorted(named - known):
        problems.add(tree.name(page), f"names {name}, which no header has")
    examples = [example for example in EXAMPLE.findall(text) if "#include" in example]
    if not examples:
        problems.add(tree.name(page), "no example")
    for example in examples:
        check_example(problems, tree.name(page), compiler, example)


def main():
    problems = tree.Problems()
    headers = tree.public_headers()
    known = set()
    for header in headers:
        known |= set(re.findall(r"\w+", header.read_text(encoding="utf-8")))
    for header in headers:
        check_page(problems, header, known, sys.argv[1])
    problems.finish(f"man pages of {len(headers)} headers")


if __name__ == "__main__":
    main()
