#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the library exports is what its headers declare: exports.py LIBPHYR.SO LIBPHYR.A CC

 The shared library exports exactly the PHYR_API functions. Every global name in the static one starts
 with phyr_, so that it can stand in any program. Both need libc, and liburing for pins where they were
 built with it."""
import re
import subprocess
import sys

import tree

NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
LIBC = re.compile(r"lib(c|pthread)\.so\.\d+|ld-linux[-\w]*\.so\.\d+")
URING = re.compile(r"liburing\.so\.\d+")
LINKER_OWN = {"_GLOBAL_OFFSET_TABLE_", "__tls_get_addr", "__ehdr_start"}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(path, *options):
    """Names and types, as nm has them."""
    for line in output("nm", "--format=posix", *options, path).splitlines():
        fields = line.split()
        if len(fields) >= 2:
            yield fields[0].split("@")[0], fields[1]


def needs(library):
    return NEEDED.findall(output("readelf", "-d", library))


def declared():
    names = {}
    for path in tree.public_headers():
        names.update((name, f"{tree.name(path)}:{line}") for name, line in tree.functions(path).items())
    return names


def check_shared(problems, library, names):
    exported = {name for name, kind in symbols(library, "-D", "--defined-only") if kind != "A"}
    for name in sorted(exported - names.keys()):
        problems.add(library, f"exports {name}, which no public header declares PHYR_API")
    for name in sorted(names.keys() - exported):
        problems.add(names[name], f"{name} is declared, not exported")
    for needed in needs(library):
        if not LIBC.fullmatch(needed) and not URING.fullmatch(needed):
            problems.add(library, f"needs {needed}")
    return len(exported)


def check_static(problems, library, libraries):
    defined = {name for name, _ in symbols(library, "--defined-only", "-g")}
    for name in sorted(defined):
        if not name.startswith("phyr_"):
            problems.add(library, f"global name {name} does not start with phyr_")
    provided = defined | LINKER_OWN
    for other in libraries:
        provided.update(name for name, _ in symbols(other, "-D", "--defined-only"))
    undefined = {name for name, _ in symbols(library, "-u")}
    for name in sorted(undefined - provided):
        problems.add(library, f"needs {name}, which neither libc nor liburing has")


def main():
    shared, static, compiler = sys.argv[1:4]
    wanted = ["libc.so.6", *filter(URING.fullmatch, needs(shared))]
    libraries = [output(compiler, f"-print-file-name={name}").strip() for name in wanted]
    problems = tree.Problems()
    exported = check_shared(problems, shared, declared())
    check_static(problems, static, libraries)
    problems.finish(f"{exported} exported functions")


if __name__ == "__main__":
    main()
