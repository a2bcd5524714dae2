#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A page-table walk is plain code: walk.py COMPILER

 Each format's file is compiled and its object read. No function in it calls or jumps through a
 pointer, or to memset or memmove, which may store half an entry; and none refers to constant data
 (which is where a description of the format would lie);
 strings for reports may be named. Switches are compiled as compares here: a table of jumps would look
 like both."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tree

FLAGS = ["-std=gnu11", "-O2", "-g0", "-fno-strict-aliasing", "-fPIC", "-fvisibility=hidden",
         "-fno-jump-tables"]
FUNCTION = re.compile(r"^[0-9a-f]+ <(\S+)>:$")
# AT&T: a call or jump whose target is in a register or in memory.
INDIRECT = re.compile(r"\b(?:call|jmp)q?\s+\*")
RELOCATION = re.compile(r"^\s+[0-9a-f]+:\s+R_\w+\s+(\S+)")
# Of a struct on the stack a compiler may make a memcpy; tables are neither set nor moved by one.
MEM_CALL = re.compile(r"mem(set|move)\b")
MEM_SOURCE = re.compile(r"\b(mem_?(cpy|copy|set|move)) *\(")
CONSTANT_DATA = re.compile(r"\.(rodata|data)(?!\.str|\.cst)")


def output(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=True).stdout


def data_objects(obj):
    """Names of the object's own data, by nm."""
    lines = (line.split() for line in output("nm", "--format=posix", "--defined-only", obj).splitlines())
    return {fields[0] for fields in lines if fields[1] in "rRdD" and not fields[0].startswith(".L")}


def check(problems, source, obj):
    """Reads one object; says how many functions it has."""
    objects, function, found = data_objects(obj), None, 0
    for line in output("objdump", "-dr", "--no-show-raw-insn", "-j", ".text", obj).splitlines():
        match = FUNCTION.match(line)
        if match:
            function, found = match.group(1), found + 1
            continue
        where = f"{tree.name(source)}: {function}"
        if INDIRECT.search(line):
            problems.add(where, f"goes through a pointer: {line.strip()}")
        match = RELOCATION.match(line)
        if match:
            target = re.split(r"[-+]0x", match.group(1))[0]
            if target in objects or CONSTANT_DATA.match(target):
                problems.add(where, f"refers to data: {target}")
            if MEM_CALL.match(target):
                problems.add(where, f"calls {target}, which may store half an entry")
    return found


def main():
    compiler = sys.argv[1]
    if not shutil.which(compiler):
        tree.skip(f"no {compiler}")
    if not output(compiler, "-dumpmachine").startswith("x86_64"):
        tree.skip("reads x86-64 objects only")
    problems, functions = tree.Problems(), 0
    for source in tree.files(["src/pgtbl"], ".c", ".h"):
        for match in MEM_SOURCE.finditer(tree.blank(source.read_text(encoding="utf-8"))):
            problems.add(tree.name(source), f"{match.group(1)}() may store half an entry")
    formats = tree.files(["src/pgtbl/fmt"], ".c")
    if not formats:
        problems.add("src/pgtbl/fmt", "no format is there")
    with tempfile.TemporaryDirectory() as folder:
        for source in formats:
            obj = Path(folder) / (source.stem + ".o")
            output(compiler, *FLAGS, "-I", tree.ROOT / "include", "-I", tree.ROOT / "src", "-c", source,
                   "-o", obj)
            functions += check(problems, source, obj)
    problems.finish(f"{functions} functions of {len(formats)} formats, by {compiler}")


if __name__ == "__main__":
    main()
