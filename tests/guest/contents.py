# SPDX-License-Identifier: MIT
"""What lies in a guest: one archive that all have, and a small one of its own behind it. The kernel
unpacks both."""
import os
import shutil
import subprocess
from pathlib import Path

from initramfs import Archive

HERE = Path(__file__).resolve().parent
USERS = "root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n"
EXAMPLES = ["broker", "my_pci", "pci_layers", "read"]
GROUPS = "root:x:0:\nuser:x:1000:\n"


def programs(build, more):
    """What lies in /checks: the command, examples, what tests/guest has, and what was asked for."""
    own = [path for path in sorted((build / "tests/guest").glob("*"))
           if path.is_file() and os.access(path, os.X_OK) and not path.suffix]
    examples = [build / "examples" / name for name in EXAMPLES]
    return [build / "tools/phyr/phyr", *examples, *sorted(HERE.glob("checks-*.sh")), *own,
            *(Path(path) for path in more)]


def common(build, more):
    """Busybox, the checks' programs with their libraries, a few files of /etc."""
    archive = Archive()
    for folder in ("proc", "sys", "dev", "tmp", "guest", "usr"):
        archive.folder(folder)
    archive.link("lib64", "lib")
    archive.link("sbin", "bin")
    archive.link("usr/lib", "../lib")
    archive.character_device("dev/console", 5, 1)
    archive.file("init", HERE / "init")
    busybox = shutil.which("busybox")
    archive.program("bin/busybox", busybox)
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            archive.link(f"bin/{applet}", "busybox")
    archive.text("etc/passwd", USERS)
    archive.text("etc/group", GROUPS)
    for path in programs(build, more):
        archive.program(f"checks/{path.name}", path)
    return archive.packed()


def own(kind, rows, kernel, patience=1.0, shell=False):
    """A guest's rows, its variables, its kernel's modules."""
    archive = Archive()
    archive.text("guest/list", "".join(f"{row.name} {round(row.seconds * patience)} {row.command}\n"
                                       for row in rows))
    variables = {**kind.environment(), "PATH": "/checks:/bin", "HOME": "/", "PHYR": "/checks/phyr",
                 "EXAMPLE_READ": "/checks/read", "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    if shell:
        variables["GUEST_SHELL"] = "1"
    archive.text("guest/env", "".join(f"{name}={value}\n" for name, value in variables.items()))
    for module in sorted((kernel / "modules").glob("*")):
        archive.file(f"guest/modules/{module.name}", module)
    return archive.packed()
