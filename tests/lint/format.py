#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every C file is as clang-format leaves it. Versions differ in what they leave, so another one than
the project's is no judge."""
import re
import shutil
import subprocess

import tree

VERSION = "14"


def main():
    tool = shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")
    if not tool:
        tree.skip("no clang-format")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
    if not re.search(rf"version {VERSION}\.", version):
        tree.skip(f"clang-format {VERSION} is wanted, here is {version.strip()}")
    problems = tree.Problems()
    paths = tree.c_files()
    for path in paths:
        done = subprocess.run([tool, "--dry-run", "-Werror", "--ferror-limit=1", path],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            problems.add(tree.name(path), done.stderr.split("\n")[0].replace(f"{tree.ROOT}/", ""))
    problems.finish(f"format of {len(paths)} files")


if __name__ == "__main__":
    main()
