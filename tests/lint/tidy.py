#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-tidy over every file that the build compiles: tidy.py BUILD_FOLDER"""
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tree


def compiled(build):
    """The tree's own files in the compilation database, each once."""
    with open(build / "compile_commands.json", encoding="utf-8") as database:
        paths = {(Path(entry["directory"]) / entry["file"]).resolve() for entry in json.load(database)}
    return sorted(path for path in paths if path.is_relative_to(tree.ROOT)
                  and not path.is_relative_to(build) and path.is_file())


def tidy(job):
    tool, build, path = job
    done = subprocess.run([tool, "-p", build, "--quiet", "--warnings-as-errors=*",
                           "--extra-arg=-Wno-unknown-warning-option", path],
                          capture_output=True, text=True, check=False)
    return path, done.returncode, done.stdout


def main():
    build = Path(sys.argv[1]).resolve()
    tool = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    if not tool:
        tree.skip("no clang-tidy")
    problems = tree.Problems()
    paths = compiled(build)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, text in pool.map(tidy, [(tool, build, path) for path in paths]):
            if status:
                problems.add(tree.name(path), text.strip().replace(f"{tree.ROOT}/", ""))
    problems.finish(f"clang-tidy, {len(paths)} files")


if __name__ == "__main__":
    main()
