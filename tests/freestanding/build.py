#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The freestanding layers without a system: build.py run|cross COMPILER WORK_FOLDER [ARCHIVE]

 Every source of those layers is compiled with -ffreestanding and without the system's headers,
 floating point or vector registers, warnings as errors. Together they may need the mem* functions and
 nothing else. `run` then links them with main.c, which brings its own _start, system calls and mem*,
 and runs the program; then again with the archive that is installed, which must hold the same files."""
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lint"))
import tree  # noqa: E402, the checks' own module
from tree import ROOT  # noqa: E402

PROVIDED = {"memcpy", "memmove", "memset", "memcmp"}
# Bit counts, which a compiler calls its own runtime for where the machine has no instruction.
COMPILER_RUNTIME = {"riscv64": {"__clzdi2", "__ctzdi2"}}

FLAGS = ["-std=gnu11", "-O2", "-ffreestanding", "-nostdinc", "-fno-stack-protector", "-fno-pie",
         "-fno-strict-aliasing", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wundef",
         "-Wmissing-prototypes", "-Wstrict-prototypes", "-I", ROOT / "include", "-I", ROOT / "src"]
# By the compiler's machine: integer registers only, and no helper functions for atomics.
MACHINE = {
    "x86_64": ["-mgeneral-regs-only"],
    "aarch64": ["-mgeneral-regs-only", "-mno-outline-atomics"],
    "riscv64": ["-march=rv64imac", "-mabi=lp64"],
}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        print(" ".join(map(str, command)))
        sys.exit(f"{done.stdout}{done.stderr}exit {done.returncode}")
    return done.stdout


def sources():
    return [path for path in tree.files(["src"], ".c") if tree.is_freestanding(path)]


class Toolchain:
    def __init__(self, compiler, work):
        self.compiler, self.work = compiler, work
        self.machine = run(compiler, "-dumpmachine").split("-")[0]
        if self.machine not in MACHINE:
            tree.skip(f"no flags are known for {self.machine}")
        # Clang's own headers are found without being named; gcc's go with -nostdinc.
        own_headers = run(compiler, "-print-file-name=include").strip()
        self.flags = [*FLAGS, *MACHINE[self.machine], "-isystem", own_headers]

    def compile(self, source, *more):
        out = self.work / (source.relative_to(ROOT).as_posix().replace("/", "_") + ".o")
        run(self.compiler, *self.flags, *more, "-c", source, "-o", out)
        return out

    def together(self, objects):
        out = self.work / "layers.o"
        run(self.compiler, "-nostdlib", "-r", *MACHINE[self.machine], *objects, "-o", out)
        return out

    def undefined(self, obj):
        # Every nm of binutils reads every machine's symbol table, given the ELF.
        prefix = self.compiler.removesuffix("gcc") if self.compiler.endswith("-gcc") else ""
        nm = shutil.which(prefix + "nm") or "nm"
        return {line.split()[0] for line in run(nm, "--format=posix", "-u", obj).splitlines()}


def check_archive(tools, archive):
    """It is of the same sources, and needs no more than they do."""
    members = run("ar", "t", archive).split()
    wanted = sorted(path.relative_to(ROOT / "src").as_posix().replace("/", "_") + ".o" for path in sources())
    if sorted(members) != wanted:
        sys.exit(f"{archive}: its members are not the freestanding sources: "
                 f"{', '.join(sorted(set(members) ^ set(wanted)))}")
    whole = tools.work / "archive.o"
    run(tools.compiler, "-nostdlib", "-r", "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive",
        "-o", whole)
    more = tools.undefined(whole) - PROVIDED - {"_GLOBAL_OFFSET_TABLE_"}
    if more:
        sys.exit(f"{archive} needs {', '.join(sorted(more))}")


def run_program(tools, layers):
    if tools.machine != "x86_64":
        tree.skip(f"main.c has no system calls for {tools.machine}")
    main = tools.compile(HERE / "main.c")
    program = tools.work / "program"
    run(tools.compiler, "-nostdlib", "-static", "-no-pie", main, layers, "-o", program)
    print(run(program), end="")


def main():
    what, compiler, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if not shutil.which(compiler):
        tree.skip(f"no {compiler}")
    work.mkdir(parents=True, exist_ok=True)
    tools = Toolchain(compiler, work)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(tools.compile, sources()))
    layers = tools.together(objects)
    wanted = tools.undefined(layers) - PROVIDED - COMPILER_RUNTIME.get(tools.machine, set())
    if wanted:
        sys.exit(f"{tools.machine}: the freestanding layers need {', '.join(sorted(wanted))}")
    print(f"{tools.machine}: {len(objects)} files need nothing but mem*")
    if what == "run":
        run_program(tools, layers)
        for archive in map(Path, sys.argv[4:]):
            check_archive(tools, archive)
            run_program(tools, archive)


if __name__ == "__main__":
    main()
