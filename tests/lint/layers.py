#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who includes whom: a file includes its own folder or an earlier one, never a later one.

 core list source iova pgtbl iommu pci backend dma desc nvme io, then the front door, which is what
 lies in src/ itself; sim stands aside. A public header belongs to the folder of its name, types.h to
 core, nvme_spec.h and nvme_data.h to nvme.
 Folders of the freestanding layers take no system header but the compiler's own."""
import re

import tree

ORDER = ["core", "list", "source", "iova", "pgtbl", "iommu", "pci", "backend", "dma", "desc", "nvme",
         "io", "phyr"]
# What stands aside sees these, and itself.
SIM_SEES = {"core", "iommu", "backend", "sim"}
SIM_SEES_INSIDE = {"core", "sim"}
COMPILER_HEADERS = re.compile(
    r"std(int|def|bool|arg|align|atomic)\.h|limits\.h|[a-z]*mmintrin\.h|immintrin\.h|cpuid\.h|arm_neon\.h")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.MULTILINE)


def includes(path):
    """(line, quoted, what) of every include."""
    text = tree.blank(path.read_text(encoding="utf-8"), keep_strings=True)
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1) == '"', match.group(2)


def layer_of_public(header):
    """The layer of <phyr/x.h>."""
    stem = header.rsplit("/", 1)[-1].removesuffix(".h")
    return {"types": "core", "nvme_spec": "nvme", "nvme_data": "nvme"}.get(stem, stem)


def may_see(own, other):
    if own == other:
        return True
    if own == "sim":
        return other in SIM_SEES
    if other == "sim":
        return own == "phyr"  # only the front door knows the simulated machine
    return ORDER.index(other) <= ORDER.index(own)


def check_public(problems, where, own, header):
    other = layer_of_public(header)
    if other != "sim" and other not in ORDER:
        problems.add(where, f"<{header}> belongs to no layer")
    elif not may_see(own, other):
        problems.add(where, f"{own} may not include <{header}>")


def check_internal(problems, where, own, header):
    other = header.split("/")[0] if "/" in header else "phyr"
    if not (tree.ROOT / "src" / header).is_file():
        problems.add(where, f'"{header}": internal headers are named by folder, from src/')
    elif own == "sim" and other not in SIM_SEES_INSIDE:
        problems.add(where, f'sim shares no code with "{header}"')
    elif not may_see(own, other):
        problems.add(where, f'{own} may not include "{header}"')


def check_source(problems, path):
    parts = path.relative_to(tree.ROOT / "src").parts
    own = parts[0] if len(parts) > 1 else "phyr"
    if own not in ORDER and own != "sim":
        problems.add(tree.name(path), f"{own} is no layer")
        return
    # err.h alone takes the system's errno.h where there is one.
    freestanding = tree.is_freestanding(path) and tree.name(path) != "src/core/err.h"
    for line, quoted, header in includes(path):
        where = f"{tree.name(path)}:{line}"
        if quoted:
            check_internal(problems, where, own, header)
        elif header.startswith("phyr/"):
            check_public(problems, where, own, header)
        elif freestanding and not COMPILER_HEADERS.fullmatch(header):
            problems.add(where, f"<{header}> in a freestanding layer")


def check_header(problems, path):
    own = layer_of_public(tree.name(path))
    for line, quoted, header in includes(path):
        where = f"{tree.name(path)}:{line}"
        if quoted:
            problems.add(where, f'"{header}" in a public header')
        elif header.startswith("phyr/"):
            check_public(problems, where, own, header)
        elif own in tree.FREESTANDING and not COMPILER_HEADERS.fullmatch(header):
            problems.add(where, f"<{header}> in a freestanding layer's header")


def check_user(problems, path):
    """Tools and examples use what a stranger has: public headers, and files of their own program."""
    parts = path.relative_to(tree.ROOT).parts
    program = tree.ROOT.joinpath(*parts[:2 if parts[0] == "tools" else 1])
    for line, quoted, header in includes(path):
        if quoted and not (path.parent / header).is_file() and not (program / header).is_file():
            problems.add(f"{tree.name(path)}:{line}", f'"{header}" is not of this program')


def main():
    problems = tree.Problems()
    sources = tree.files(["src"], ".c", ".h")
    headers = tree.public_headers()
    users = tree.files(["tools", "examples"], ".c", ".h")
    for path in sources:
        check_source(problems, path)
    for path in headers:
        check_header(problems, path)
    for path in users:
        check_user(problems, path)
    problems.finish(f"layers of {len(sources) + len(headers) + len(users)} files")


if __name__ == "__main__":
    main()
