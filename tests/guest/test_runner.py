#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The judge of the guests, without a guest: a shell script stands for QEMU. It writes what a guest would, on
both lines, and does what a broken one does: hangs, dies in the midst, leaves out, says too much."""
import sys
import tempfile
import time
from pathlib import Path

import guest
import results

guest.DISKS = (("nvme", 1 << 20), ("nvme2", 1 << 20))
ROWS = [results.Row("a", "program", 5, "*", "-"), results.Row("b", "script", 5, "*", "-"),
        results.Row("c", "cmocka", 5, "*", "-")]
A = "GUEST BEGIN a\nGUEST END a 0\n"
B = "GUEST BEGIN b\nGUEST CHECK pass one\nGUEST CHECK skip two: no such thing\nGUEST END b 0\n"
C = "GUEST BEGIN c\n1..2\nok 1 - x\nok 2 - y\nGUEST END c 0\n"
GOOD = {"a": "pass", "b/one": "pass", "b/two": "skip", "c/x": "pass", "c/y": "pass", "kernel": "pass"}


def run(checks, kernel="", then="", patience=1.0):
    """{name: status} of a guest that writes this on its lines, and then does that."""
    found = {}

    def script(_kind, _kernel, _initramfs, _disks, serials):
        return ["sh", "-c", f"printf '%s' \"$1\" >{serials[1].removeprefix('file:')}; printf '%s' \"$2\"; {then}",
                "sh", "GUEST READY 1.0\n" + checks, kernel]

    def report(_guest, some, _console, _log):
        for result in some:
            if result.name in found:
                raise AssertionError(f"{result.name} is told twice")
            found[result.name] = result.status

    kind = guest.Kind("fake", "none", "vfio", False)
    with tempfile.TemporaryDirectory() as folder:
        guest.Guest(kind, ROWS, Path(folder), patience, report, script).run("", "")
    return found


def but(**changed):
    """All good but for some; a name of None is told nothing of. In names _ stands for /."""
    expected = {**GOOD, **{name.replace("_", "/"): status for name, status in changed.items()}}
    return {name: status for name, status in expected.items() if status}


def disk_lines():
    return "".join(f"GUEST DISK {disk} {offset} {length} {digest} {name}\n" for disk, offset, length, digest, name in (
        (1, 0, 4096, "original", "start"), (2, 4095, 17, "original", "odd"), (1, 0, 4096, "0" * 64, "other")))


NOTHING_OF_C = {"c_x": None, "c_y": None, "c": "fail"}
NOTHING_OF_B = {"b_one": None, "b_two": None, "b": "fail"}
HANGS = "exec sleep 60"
CASES = {
    "all is well": (lambda: run(A + B + C), GOOD),
    "lines end as a terminal's do": (lambda: run((A + B + C).replace("\n", "\r\n")), GOOD),
    "a status": (lambda: run(A.replace("a 0", "a 1") + B + C), but(a="fail")),
    "a program skips": (lambda: run(A.replace("a 0", "a 77") + B + C), but(a="skip")),
    "a signal": (lambda: run(A.replace("a 0", "a 139") + B + C), but(a="fail")),
    "a script fails": (lambda: run(A + B.replace("pass", "fail").replace("b 0", "b 1") + C),
                       but(b_one="fail")),
    "a script ends early": (lambda: run(A + B.replace("b 0", "b 137") + C), but(b="fail")),
    "a script says nothing": (lambda: run(A + "GUEST BEGIN b\nGUEST END b 0\n" + C), but(**NOTHING_OF_B)),
    "a script skips": (lambda: run(A + "GUEST BEGIN b\nnone here\nGUEST END b 77\n" + C),
                       but(b_one=None, b_two=None, b="skip")),
    "a test fails": (lambda: run(A + B + C.replace("ok 2", "not ok 2").replace("c 0", "c 1")), but(c_y="fail")),
    "a test skips": (lambda: run(A + B + C.replace("ok 2 - y", "not ok 2 # SKIP y")), but(c_y="skip")),
    "tests end early": (lambda: run(A + B + C.replace("ok 2 - y\n", "").replace("c 0", "c 139")),
                        {**but(c_y=None), "c": "fail"}),
    "tests are left out": (lambda: run(A + B + C.replace("ok 2 - y\n", "")), {**but(c_y=None), "c": "fail"}),
    "no test": (lambda: run(A + B + "GUEST BEGIN c\nGUEST END c 0\n"), but(**NOTHING_OF_C)),
    "dies in the midst": (lambda: run(A + "GUEST BEGIN b\nGUEST CHECK pass one\n"),
                          {**but(b_two=None, **NOTHING_OF_C), "b": "fail", "kernel": "fail"}),
    "dies at once": (lambda: run(""), {"a": "fail", "b": "fail", "c": "fail", "kernel": "fail"}),
    "hangs at the end": (lambda: run(A + B + C, then=HANGS, patience=0.05), but(kernel="fail")),
    "hangs in a check": (lambda: run(A + B + "GUEST BEGIN c\n", then=HANGS, patience=0.05),
                         but(kernel="fail", **NOTHING_OF_C)),
    "the kernel breaks": (lambda: run(A + B + C, kernel="[  1.2] BUG: unable to handle page fault"),
                          but(kernel="fail")),
    "another row than planned": (lambda: run(B + A + C), but(b_one=None, b_two=None, b="fail", kernel="fail", **NOTHING_OF_C)),
    "the disk": (lambda: run(A + B + C + disk_lines()),
                 {**GOOD, "disk/start": "pass", "disk/odd": "pass", "disk/other": "fail"}),
}


def main():
    failed = 0
    for name, (case, expected) in CASES.items():
        start = time.monotonic()
        found = case()
        went = "ok" if found == expected and time.monotonic() - start < 20 else "NOT AS EXPECTED"
        failed += went != "ok"
        print(f"{name}: {went}")
        for check in sorted(found.keys() | expected.keys()):
            if found.get(check) != expected.get(check):
                print(f"    {check}: {found.get(check)}, expected {expected.get(check)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
