#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles when it is included first and alone, and twice: public ones as C11 and
GNU C11 and C++, internal ones as GNU C11. headers.py CC CXX"""
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

WARN = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
C_ALONE = ["-xc", "-std=gnu11", *WARN, "-Wstrict-prototypes", "-Wundef"]
C_STRICT = ["-xc", "-std=c11", *WARN, "-Wpedantic"]
CXX_ALONE = ["-xc++", "-std=c++11", *WARN, "-Wpedantic"]


def compile_alone(job):
    compiler, flags, path = job
    inside = path.relative_to(tree.ROOT)
    spelled = f"<{inside.relative_to('include')}>" if inside.parts[0] == "include" else \
        f'"{inside.relative_to("src")}"'
    text = f"#include {spelled}\n#include {spelled}\nint alone;\n"
    command = [compiler, *flags, "-I", tree.ROOT / "include", "-I", tree.ROOT / "src",
               "-fsyntax-only", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return path, flags[0][2:], flags[1], done.returncode, done.stderr


def main():
    cc, cxx = sys.argv[1:3]
    jobs = []
    for path in tree.public_headers():
        jobs += [(cc, C_ALONE, path), (cc, C_STRICT, path), (cxx, CXX_ALONE, path)]
    jobs += [(cc, C_ALONE, path) for path in tree.files(["src"], ".h")]
    problems = tree.Problems()
    with ThreadPoolExecutor(2) as pool:
        for path, language, standard, status, errors in pool.map(compile_alone, jobs):
            if status:
                problems.add(tree.name(path), f"not alone in {language} {standard}\n{errors}")
    problems.finish(f"{len(jobs)} headers alone")


if __name__ == "__main__":
    main()
