# SPDX-License-Identifier: MIT
"""What every check needs: the tree's files, C text without comments, and one way to report."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
C_FOLDERS = ["include", "src", "tools", "examples", "tests", "bench"]
SKIP = 77  # what meson takes for a skipped test

# Layers that run without a system; of core and backend, these files do not.
FREESTANDING = {"core", "list", "iova", "pgtbl", "iommu", "backend", "dma", "desc"}
HOSTED = {"src/core/env.c", "src/core/format.c", "src/core/pages.c", "src/core/pages.h",
          "src/backend/iommufd.c", "src/backend/kernel.c", "src/backend/kernel_abi.h",
          "src/backend/kernel_aperture.c", "src/backend/kernel_attach.c", "src/backend/kernel_map.c",
          "src/backend/kernel_sys.c", "src/backend/kernel_unmap.c", "src/backend/record.c",
          "src/backend/record_node.c",
          "src/backend/vfio.c", "src/backend/vfio_group.c", "src/backend/vfio_info.c",
          "src/backend/vfio_master.c"}


def files(folders, *suffixes):
    """Files under the folders by suffix, sorted; paths as the repository has them."""
    found = []
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in suffixes and path.is_file():
                found.append(path)
    return sorted(found)


def c_files():
    return files(C_FOLDERS, ".c", ".h")


def public_headers():
    return files(["include"], ".h")


def name(path):
    return str(path.relative_to(ROOT))


def is_freestanding(path):
    """Whether a source has to do without a system."""
    return path.relative_to(ROOT).parts[1] in FREESTANDING and name(path) not in HOSTED


_COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(text, keep_strings=False):
    """C text with comments (and strings) emptied, every newline kept in its place."""

    def empty(match):
        what = match.group(0)
        if what[0] in "\"'":
            return what if keep_strings else what[0] * 2
        return "\n" * what.count("\n") or " "

    return _COMMENT_OR_STRING.sub(empty, text)


_API = re.compile(r"\bPHYR_API\b[^;{]*?\b(phyr_\w+)\s*\(")
_INLINE = re.compile(r"^static inline [^;{]*?\b(phyr_\w+)\s*\(", re.MULTILINE)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)


def functions(header, inline=False):
    """Name and line of each exported function that a header declares, of inline ones too if asked."""
    text = blank(header.read_text(encoding="utf-8"))
    text = _DIRECTIVE.sub(lambda match: "\n" * match.group(0).count("\n"), text)
    found = {}
    for match in [*_API.finditer(text), *(_INLINE.finditer(text) if inline else [])]:
        found[match.group(1)] = text.count("\n", 0, match.end()) + 1
    return found


class Problems:
    """Collects problems, prints them, and says how a check ended."""

    def __init__(self):
        self.count = 0

    def add(self, where, message):
        self.count += 1
        print(f"{where}: {message}")

    def finish(self, checked):
        print(f"{checked}: {self.count or 'no'} problem{'s' if self.count != 1 else ''}")
        sys.exit(1 if self.count else 0)


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(SKIP)
