#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nothing of the NVMe layouts is left uncompared: each name and each field of the headers is in the
test that puts them beside libnvme's."""
import re

import tree

HEADERS = ["include/phyr/nvme_spec.h", "include/phyr/nvme_data.h"]
TESTS = ["tests/nvme/test_libnvme.c", "tests/nvme/libnvme_names.h"]
NOT_SPEC = {"ASSERT", "SPEC_H", "DATA_H"}
NAME = re.compile(r"(?:#define\s+|^\t|^enum \{ |, )PHYR_NVME_(\w+)", re.MULTILINE)
STRUCT = re.compile(r"^struct phyr_nvme_(\w+) \{(.*?)^\};", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"(\w+)(?:\[\d+\])*;")


def main():
    problems = tree.Problems()
    text = "".join((tree.ROOT / path).read_text(encoding="utf-8") for path in TESTS)
    words = {word.removeprefix("PHYR_NVME_") for word in re.findall(r"\w+", text)}
    found = 0
    for path in HEADERS:
        header = tree.blank((tree.ROOT / path).read_text(encoding="utf-8"), keep_strings=True)
        names = set(NAME.findall(header)) - NOT_SPEC
        for struct, body in STRUCT.findall(header):
            names |= {struct} | set(FIELD.findall(body))
        found += len(names)
        for name in sorted(names - words):
            problems.add(path, f"{name} is not compared with libnvme's")
    problems.finish(f"{found} names of NVMe compared")


if __name__ == "__main__":
    main()
