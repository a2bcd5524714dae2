# SPDX-License-Identifier: MIT
"""An initramfs: files, folders and links as a cpio archive in its "newc" form, which the kernel unpacks;
and what a dynamic program needs beside it."""
import gzip
import os
import re
import stat
import subprocess
import tempfile

LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
LIBRARY_FOLDER = "lib"  # the dynamic linker looks there without being told


class Archive:
    """Collects entries; a file's folders come by themselves."""

    def __init__(self):
        self.entries = {}

    def add(self, name, mode, data=b"", device=(0, 0)):
        folder = os.path.dirname(name)
        if folder and folder not in self.entries:
            self.folder(folder)
        self.entries[name] = (mode, data, device)

    def folder(self, name, permissions=0o755):
        self.add(name, stat.S_IFDIR | permissions)

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def text(self, name, text, permissions=0o644):
        self.add(name, stat.S_IFREG | permissions, text.encode())

    def character_device(self, name, major, minor):
        self.add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def file(self, name, path):
        mode = stat.S_IFREG | (0o755 if os.access(path, os.X_OK) else 0o644)
        with open(path, "rb") as file:
            self.add(name, mode, file.read())

    def program(self, name, path):
        """A program without its debug information, and its libraries; a script is a file like others."""
        with open(path, "rb") as file:
            is_elf = file.read(4) == b"\x7fELF"
        if not is_elf:
            self.file(name, path)
            return
        self.add(name, stat.S_IFREG | 0o755, stripped(path))
        for library in libraries(path):
            inside = f"{LIBRARY_FOLDER}/{os.path.basename(library)}"
            if inside not in self.entries:
                self.add(inside, stat.S_IFREG | 0o755, stripped(library))

    def packed(self):
        parts, at = [], 0
        for number, (name, (mode, data, device)) in enumerate([*self.entries.items(), END], 1):
            path = name.encode() + b"\0"
            fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
            head = b"070701" + b"".join(b"%08X" % field for field in fields)
            for part in (head + path, data):
                parts += [part, bytes(-len(part) % 4)]
                at += len(part) + -len(part) % 4
        parts.append(bytes(-at % 512))
        return gzip.compress(b"".join(parts), compresslevel=1, mtime=0)


END = ("TRAILER!!!", (0, b"", (0, 0)))


def stripped(path):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["strip", "-g", "-o", out.name, path], stderr=subprocess.DEVNULL, check=False)
        with open(out.name if done.returncode == 0 else path, "rb") as file:
            return file.read()


def libraries(path):
    """The shared libraries of a program, its dynamic linker among them; none where it is static."""
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    if "not found" in done.stdout:
        raise RuntimeError(f"{path}: a library is missing:\n{done.stdout}")
    return LIBRARY.findall(done.stdout)
