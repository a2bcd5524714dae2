#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bugs that a document plants are found, by the reports that it shows: check_planted.py DOC LIBPHYR.SO CC

 Each block "diff" of the document is a change of my_device.c; it is made, the tests of
 test_my_device.c are built with it and run: they must fail, and print each line of the block that
 follows, but for the numbers in hexadecimal."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ["my_bench.h", "my_machine.h", "my_device.c", "my_device.h", "test_my_device.c"]


def planted(text):
    """(change, what is printed) of each bug."""
    blocks = BLOCK.findall(text)
    return [(body, blocks[at + 1][1]) for at, (kind, body) in enumerate(blocks) if kind == "diff"]


def apply(change, source):
    lines = change.splitlines()
    old = "".join(line[1:] + "\n" for line in lines if line[0] in "- ")
    new = "".join(line[1:] + "\n" for line in lines if line[0] in "+ ")
    if source.count(old) != 1:
        sys.exit(f"my_device.c has this {source.count(old)} times, not once:\n{old}")
    return source.replace(old, new)


def run(folder, library, compiler):
    """Build the tests in the folder and run them: exit status, what they print."""
    program = folder / "test"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-g", "-I", HERE.parent / "include", "-o", program,
                    folder / "test_my_device.c", folder / "my_device.c", library, "-lcmocka",
                    f"-Wl,-rpath,{library.parent}"], check=True)
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout


def plain(text):
    return re.sub(r"0x[0-9a-f]+", "0x…", text)


def check(folder, change, expected, library, compiler):
    source = (HERE / "my_device.c").read_text(encoding="utf-8")
    (folder / "my_device.c").write_text(apply(change, source), encoding="utf-8")
    status, printed = run(folder, library, compiler)
    missing = [line for line in expected.splitlines() if plain(line.strip()) not in plain(printed)]
    if status and not missing:
        return True
    print(f"planted:\n{change}exit {status}, printed:\n{printed}\nnot printed: {missing}\n")
    return False


def main():
    doc, library, compiler = Path(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3]
    bugs = planted(doc.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in FILES:
            shutil.copy(HERE / file, folder)
        found = sum([check(folder, change, expected, library, compiler) for change, expected in bugs])
    print(f"{found} of {len(bugs)} planted bugs are found as told")
    sys.exit(0 if bugs and found == len(bugs) else 1)


if __name__ == "__main__":
    main()
