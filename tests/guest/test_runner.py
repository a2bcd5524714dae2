#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The judge of the guests, without a guest: a shell script stands for QEMU. It writes what a guest would, on
both lines, and does what a broken one does: hangs, dies in the midst, leaves out, says too much."""
import re
import sys
import tempfile
import time
from pathlib import Path

import emulator
import guest
import results
import run as run_py

SHORT = 0.02  # of the guest's patience
guest.SILENT_SECONDS = 25
guest.LOOK_SECONDS = 0.05
emulator.ANSWER_SECONDS = 0.5
emulator.WATCHED_SECONDS = 0.1

guest.DISKS = (("nvme", 1 << 20), ("nvme2", 1 << 20))
ROWS = [results.Row("a", "program", 5, "*", "-"), results.Row("b", "script", 5, "*", "-"),
        results.Row("c", "cmocka", 5, "*", "-")]
A = "GUEST BEGIN a\nGUEST END a 0\n"
B = "GUEST BEGIN b\nGUEST CHECK pass one\nGUEST CHECK skip two: no such thing\nGUEST END b 0\n"
C = "GUEST BEGIN c\n1..2\nok 1 - x\nok 2 - y\nGUEST END c 0\n"
GOOD = {"a": "pass", "b/one": "pass", "b/two": "skip", "c/x": "pass", "c/y": "pass", "kernel": "pass"}


def fake(attempts, monitor):
    """A command for each time that the guest is started: what it writes on its lines, what it then does."""
    def command(_kind, _kernel, _initramfs, _disks, serials, monitor_arguments):
        checks, kernel, then = attempts.pop(0)
        answers = monitor and attempts
        number = re.search(r"fd=(\d+)", monitor_arguments[1])[1]
        answer = f"(while read -r q; do printf '%s\\r\\nAN ANSWER\\r\\n(qemu) ' \"$q\"; done) <&{number} >&{number} &"
        return ["sh", "-c", f"{answer if answers else ''} printf '%s' \"$1\" >{serials[1].removeprefix('file:')}; "
                f"printf '%s' \"$2\"; {then}", "sh", "GUEST READY 1.0\n" + checks, kernel]
    return command


def run(checks, kernel="", then="", patience=1.0, again=(), monitor=False):
    """{name: status} of a guest that writes this on its lines, and then does that; each of `again` is the same of
    the next start. `starts` holds the rows that each start was to run, `said` what the runner said besides."""
    found, said, starts = {}, [], []

    def report(_guest, some, _console, _log):
        for result in some:
            if result.name in found:
                raise AssertionError(f"{result.name} is told twice")
            found[result.name] = result.status

    def pack(rows):
        starts.append("".join(row.name for row in rows))

    attempts = [(checks, kernel, then), *again]
    kind = guest.Kind("fake", "none", "vfio", False)
    with tempfile.TemporaryDirectory() as folder:
        one = guest.Guest(kind, ROWS, Path(folder), patience, report, said.append, fake(attempts, monitor))
        one.run("", pack)
    if len(starts) > 1:
        found["starts"] = " ".join(starts)
    if bool(one.again) != (len(starts) > 1) or (one.again and one.again not in told(one, said)):
        found["again"] = one.again
    if monitor:
        found["monitor"] = any("AN ANSWER" in text and "no answer" not in text for text in said)
    if attempts:
        found["never started"] = len(attempts)
    return found


def told(one, said):
    """What a tally makes of it."""
    tally = run_py.Tally()
    tally.again.append(f"fake {one.again}")
    lines = tally.summary().split("\n")
    said_so = any(text.startswith("GUEST AGAIN fake") for text in said)
    return lines[0] if said_so and lines[0].startswith("1 guest was started again: ") and len(lines) == 2 else ""


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
BEATS = "while sleep 0.05; do echo '[    9.9] guest: beat'; done"
STALL = "[   28.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n"
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
    "a test could not run": (lambda: run(A + B + C.replace("ok 2 - y", "not ok 2 - y Could not run test: 1 != 2")
                                         .replace("c 0", "c 1")), but(c_y="fail")),
    "a test of a kind": (lambda: run(A + B + C.replace("ok 2 - y", "ok 2 - y of-z")),
                         {**but(c_y=None), "c/y-of-z": "pass"}),
    "a test skips": (lambda: run(A + B + C.replace("ok 2 - y", "not ok 2 # SKIP y")), but(c_y="skip")),
    "tests end early": (lambda: run(A + B + C.replace("ok 2 - y\n", "").replace("c 0", "c 139")),
                        {**but(c_y=None), "c": "fail"}),
    "tests are left out": (lambda: run(A + B + C.replace("ok 2 - y\n", "")), {**but(c_y=None), "c": "fail"}),
    "no test": (lambda: run(A + B + "GUEST BEGIN c\nGUEST END c 0\n"), but(**NOTHING_OF_C)),
    "dies in the midst": (lambda: run(A + "GUEST BEGIN b\nGUEST CHECK pass one\n"),
                          {**but(b_two=None, **NOTHING_OF_C), "b": "fail", "kernel": "fail"}),
    "dies at once": (lambda: run(""), {"a": "fail", "b": "fail", "c": "fail", "kernel": "fail"}),
    "hangs at the end": (lambda: run(A + B + C, then=HANGS, patience=SHORT), but(kernel="fail")),
    "stops twice": (lambda: run(A + B + "GUEST BEGIN c\n", then=HANGS, patience=SHORT,
                                again=[("GUEST BEGIN c\n", "", HANGS)]),
                    but(kernel="fail", starts="abc c", **NOTHING_OF_C)),
    "stops twice, in different rows": (lambda: run(A + "GUEST BEGIN b\n", then=HANGS, patience=SHORT,
                                                   again=[(B + "GUEST BEGIN c\n", "", HANGS)]),
                                       but(kernel="fail", starts="abc bc", **NOTHING_OF_C)),
    "stops once": (lambda: run(A + "GUEST BEGIN b\nGUEST CHECK fail one\n", then=HANGS, patience=SHORT,
                               again=[(B + C, "", "")]), but(starts="abc bc")),
    "stops once and can be asked why": (lambda: run(A + B, then=HANGS, patience=SHORT, again=[(C, "", "")],
                                                    monitor=True), but(starts="abc c", monitor=True)),
    "stops while it boots": (lambda: run("", then=HANGS, patience=SHORT, again=[(A + B + C, "", "")]),
                             but(starts="abc abc")),
    "a check fails, then it stops": (lambda: run(A.replace("a 0", "a 1") + "GUEST BEGIN b\n", then=HANGS,
                                                 patience=SHORT, again=[(B + C, "", "")]),
                                     but(a="fail", starts="abc bc")),
    "fails when started again": (lambda: run(A + "GUEST BEGIN b\n", then=HANGS, patience=SHORT,
                                             again=[(B.replace("pass", "fail").replace("b 0", "b 1") + C, "", "")]),
                                 but(b_one="fail", starts="abc bc")),
    "a processor stalls": (lambda: run(A + B + "GUEST BEGIN c\n", kernel=STALL, then=BEATS, patience=SHORT,
                                       again=[(C, "", "")]), but(starts="abc c")),
    "a check is killed and does not end": (lambda: run(A + B + "GUEST BEGIN c\n", then=BEATS, patience=SHORT),
                                           but(kernel="fail", **NOTHING_OF_C)),
    "a check is killed at its limit": (lambda: run(A + B + "GUEST BEGIN c\nGUEST END c 137\n"), but(**NOTHING_OF_C)),
    "the kernel breaks and stops": (lambda: run(A + B + "GUEST BEGIN c\n", then=HANGS, patience=SHORT,
                                                kernel="[  1.2] BUG: unable to handle page fault\n"),
                                    but(kernel="fail", **NOTHING_OF_C)),
    "the disk, before it stops": (lambda: run(A + disk_lines() + "GUEST BEGIN b\n" + disk_lines(), then=HANGS,
                                              patience=SHORT, again=[(B + C, "", "")]),
                                  {**GOOD, "disk/start": "pass", "disk/odd": "pass", "disk/other": "fail",
                                   "starts": "abc bc"}),
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
