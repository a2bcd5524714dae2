#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bugs that a document plants are found, by the reports that it shows: check_planted.py DOC LIBPHYR.SO CC

 Each block "diff" of the document is a change of my_device.c or my_ring.c; it is made, the tests of
 that file are built with it and run: they must fail, and print each line of the block that follows,
 but for the numbers in hexadecimal."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What may be changed, and with what it makes a program.
PROGRAMS = {"my_device.c": ["test_my_device.c"], "my_ring.c": ["test_my_ring.c", "my_nic.c"]}
HEADERS = ["my_bench.h", "my_machine.h", "my_device.h", "my_ring.h"]


def planted(text):
    """(change, what is printed) of each bug."""
    blocks = BLOCK.findall(text)
    return [(body, blocks[at + 1][1]) for at, (kind, body) in enumerate(blocks) if kind == "diff"]


def apply(change):
    """(file, its text with the change): of all files one has what is taken out, once."""
    lines = change.splitlines()
    old = "".join(line[1:] + "\n" for line in lines if line[0] in "- ")
    new = "".join(line[1:] + "\n" for line in lines if line[0] in "+ ")
    texts = {name: (HERE / name).read_text(encoding="utf-8") for name in PROGRAMS}
    found = [name for name in texts for _ in range(texts[name].count(old))]
    if len(found) != 1:
        sys.exit(f"this is in {found}, not once in one file:\n{old}")
    return found[0], texts[found[0]].replace(old, new)


def run(folder, name, library, compiler):
    """Build the tests in the folder and run them: exit status, what they print."""
    program = folder / "test"
    sources = [folder / source for source in [name, *PROGRAMS[name]]]
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-g", "-I", HERE.parent / "include",
                    "-o", program, *sources, library, "-lcmocka", f"-Wl,-rpath,{library.parent}"],
                   check=True)
    done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout


def plain(text):
    return re.sub(r"0x[0-9a-f]+", "0x…", text)


def check(folder, change, expected, library, compiler):
    name, text = apply(change)
    (folder / name).write_text(text, encoding="utf-8")
    status, printed = run(folder, name, library, compiler)
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
        for file in HEADERS + sum(PROGRAMS.values(), []):
            shutil.copy(HERE / file, folder)
        found = sum([check(folder, change, expected, library, compiler) for change, expected in bugs])
    print(f"{found} of {len(bugs)} planted bugs are found as told")
    sys.exit(0 if bugs and found == len(bugs) else 1)


if __name__ == "__main__":
    main()
