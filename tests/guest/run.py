#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the guests: run.py [options] BUILD. One line a check, "GUEST CHECK pass|fail|skip GUEST/NAME[: why]",
the output of what failed, and last "N passed, N failed, N skipped". BUILD/guest holds the logs.
What can't run here is skipped and says why. Exit 0 when nothing failed."""
import argparse
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import contents
import results
from guest import Guest, Kind, shell_command

HERE = Path(__file__).resolve().parent
KINDS = [Kind(f"{short}-cm{caching}", kernel, iommu, bool(caching))
         for short, kernel, iommu in (("type1", "debian", "vfio"), ("iommufd", "iommufd", "iommufd"))
         for caching in (0, 1)] + [
             Kind("own", "iommufd", "none", False, "own-*"),
             Kind("narrow", "iommufd", "iommufd", False, "tables", 39)]
ON_REQUEST = [Kind("next-cm0", "next", "iommufd", False)]  # run when it is named
SHOWN_LINES = 200  # of a failed check's output; the log has all


def arguments():
    parser = argparse.ArgumentParser(description="Runs the guests.")
    parser.add_argument("build", type=Path, help="the build folder")
    parser.add_argument("--guests", default="", help="names or patterns: " + ", ".join(
        [kind.name for kind in KINDS] + [f"{kind.name} (on request)" for kind in ON_REQUEST]))
    parser.add_argument("--checks", default="", help="names or patterns of rows in tests/guest/checks")
    parser.add_argument("--run", metavar="COMMAND", help="this instead of the table's checks")
    parser.add_argument("--add", metavar="FILE", action="append", default=[], help="one more program, into /checks")
    parser.add_argument("--shell", action="store_true", help="a shell in the first of the guests")
    parser.add_argument("--jobs", type=int, default=min(4, 2 * (os.cpu_count() or 1)),
                        help="guests at a time; they wait more than they work")
    parser.add_argument("--patience", type=float, default=float(os.environ.get("GUEST_PATIENCE") or 1),
                        help="a factor on every time limit, for a busy machine")
    return parser.parse_args()


class Tally:
    """Prints results as they come, a row at a time, and counts them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"pass": 0, "fail": 0, "skip": 0}
        self.again = []

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def report(self, guest, found, console=(), log=None):
        """Results of a row; of a failed one, its output, which is the end of a log."""
        with self.lock:
            for result in found:
                self.counts[result.status] += 1
                print(result.line(guest))
            if any(result.status == "fail" for result in found):
                if len(console) > SHOWN_LINES:
                    print(f"    … {len(console) - SHOWN_LINES} lines before these are in {log}")
                print("".join(f"    {line}\n" for line in console[-SHOWN_LINES:]), end="")
            sys.stdout.flush()

    def all_alike(self, kind, rows, status, why):
        self.report(kind.name, [results.Result(status, row.name, why) for row in rows])

    def summary(self):
        """Two lines: guests that were started again; the counts."""
        again = f"{len(self.again)} guest{'s were' if len(self.again) > 1 else ' was'} started again: "
        return (again + "; ".join(self.again) + "\n" if self.again else "") + self.counted()

    def counted(self):
        return f"{self.counts['pass']} passed, {self.counts['fail']} failed, {self.counts['skip']} skipped"


def what_is_missing():
    """Why no guest can run here; empty where they can."""
    if platform.machine() != "x86_64":
        return f"the guests run what is built here, and this is no x86-64 but {platform.machine()}"
    missing = [name for name in ("qemu-system-x86_64", "busybox") if not shutil.which(name)]
    return f"no {' and no '.join(missing)} here" if missing else ""


def find_kernel(name):
    """(folder, how to count what can't run without it, why)."""
    done = subprocess.run([HERE.parents[1] / "scripts/vm-kernel.sh", name], stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode == 0:
        return Path(done.stdout.strip()), "", ""
    status = "skip" if done.returncode == results.SKIP else "fail"
    return None, status, f"there is no kernel '{name}'; see the lines of vm-kernel above"


def chosen_kinds(patterns):
    usual = [kind for kind in KINDS if results.matches(kind.name, patterns)]
    return usual + [kind for kind in ON_REQUEST if patterns.strip("* ") and results.matches(kind.name, patterns)]


def plan(options):
    """[(kind, rows)] as asked for."""
    if options.run:
        rows = [results.Row("run", "program", 600, "*", options.run)]
    else:
        rows = results.read_table(HERE / "checks")
    chosen = [(kind, [row for row in rows if options.run or kind.runs(row, options.checks)])
              for kind in chosen_kinds(options.guests)]
    return [(kind, rows) for kind, rows in chosen if rows]


def run_guest(kind, rows, common, kernel, options, tally):
    folder = options.build / "guest"
    initramfs = folder / f"{kind.name}.cpio.gz"

    def pack(these):
        initramfs.write_bytes(common + contents.own(kind, these, kernel, options.patience))
        return initramfs

    guest = Guest(kind, rows, folder, options.patience, tally.report, tally.say)
    start = time.monotonic()
    try:
        guest.run(kernel / "vmlinuz", pack)
    finally:
        initramfs.unlink(missing_ok=True)
    if guest.again:
        tally.again.append(f"{kind.name} {guest.again}")
    tally.say(f"{kind.name}: Linux {(kernel / 'version').read_text().strip()}, ready after {guest.ready or '-'} s, "
              f"{time.monotonic() - start:.0f} s in all; log: {guest.log_path}")
    if options.run:
        tally.say("GUEST BEGIN" + guest.log_path.read_text().partition("GUEST BEGIN")[2])


def run_shell(kind, rows, common, kernel, options):
    folder = options.build / "guest"
    initramfs = folder / "shell.cpio.gz"
    initramfs.write_bytes(common + contents.own(kind, rows, kernel, shell=True))
    return shell_command(kind, folder, kernel / "vmlinuz", initramfs)


def run_all(options, tally):
    chosen = plan(options)
    if not chosen:
        sys.exit("run.py: no check is meant by that; names are in tests/guest/checks and --help")
    missing = what_is_missing()
    if missing:
        print(f"SKIPPED: {missing}")
        for kind, rows in chosen:
            tally.all_alike(kind, rows, "skip", missing)
        return
    (options.build / "guest").mkdir(exist_ok=True)
    common = contents.common(options.build, options.add)
    kernels = {name: find_kernel(name) for name in sorted({kind.kernel for kind, _ in chosen})}
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        running = []
        for kind, rows in chosen:
            kernel, status, why = kernels[kind.kernel]
            if not kernel:
                tally.all_alike(kind, rows, status, why)
            elif options.shell:
                sys.exit(run_shell(kind, rows, common, kernel, options))
            else:
                running.append(pool.submit(run_guest, kind, rows, common, kernel, options, tally))
        for each in running:
            each.result()


def main():
    options, tally, start = arguments(), Tally(), time.monotonic()
    try:
        run_all(options, tally)
    except results.TableError as error:
        sys.exit(f"run.py: {error}")
    print(f"{time.monotonic() - start:.0f} s")
    print(tally.summary())
    return 1 if tally.counts["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
