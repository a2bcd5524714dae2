# SPDX-License-Identifier: MIT
"""One guest: QEMU's command line, what comes from its two serial lines (the first: the kernel's log; the
second: the checks), and the deadlines. A guest that misses one is ended from outside.

Now and then an emulated machine stops as a whole, timers and all, for no fault of what runs in it. That is
told apart from a check that hangs: in the guest a check is killed at its limit, and a beat in the kernel's log
shows that the machine goes on. A guest that has stopped is examined, and started again once, from the row at
which it stopped. Nothing else is ever repeated."""
import hashlib
import os
import re
import selectors
import shutil
import subprocess
import time
from array import array
from collections import deque
from dataclasses import dataclass

import emulator
from results import Result, RowRun, matches

BOOT_SECONDS = 120
BETWEEN_SECONDS = 30  # from one check to the next, and to the end
SILENT_SECONDS = 60   # while a row runs there is a beat every five
STALLED_SECONDS = 20  # from the kernel's word that a processor does not go on: for all that it has to say
LOOK_SECONDS = 0.5    # at the clock
SHOWN_LINES = 60      # of the log of one that has stopped
LOG_AT_MOST = 64 << 20

OWN_RAM = 0x30000000

DISKS = (("nvme", 64 << 20), ("nvme2", 32 << 20))
DEVICES = {"GUEST_NVME": "0000:00:04.0", "GUEST_NVME2": "0000:00:06.0", "GUEST_EDU": "0000:00:05.0",
           "GUEST_EDU2": "0000:00:07.0", "GUEST_SHM": "0000:00:08.0"}

# What the kernel says when something has gone wrong in itself.
BROKEN = re.compile(r"BUG: (?!soft lockup)|BUG at |Oops|Kernel panic|general protection fault|WARNING: |"
                    "blocked for more than")
# A processor does not go on.
STALLED = re.compile(r"rcu: INFO: .* stall|rcu: \S+ kthread (?:starved|timer wakeup)|soft lockup|hard LOCKUP")
BEAT = re.compile(r"\[[ \d.]+\] guest: beat$")
BEGIN = re.compile(r"GUEST BEGIN (\S+)$")
END = re.compile(r"GUEST END (\S+) (\d+)$")
READY = re.compile(r"GUEST READY ([\d.]+)$")
DISK = re.compile(r"GUEST DISK ([12]) (\d+) (\d+) (original|[0-9a-f]{64}) (\S+)$")


@dataclass
class Kind:
    """A guest as it was asked for."""
    name: str
    kernel: str   # as scripts/vm-kernel.sh names it
    iommu: str    # vfio or iommufd; none: the kernel leaves it alone
    caching: bool # what the table's writer must tell the IOMMU
    rows: str = "*"  # that make sense there, names or patterns
    width: int = 48  # of iova, bits: 48, 39

    def environment(self):
        return {**DEVICES, "GUEST_NAME": self.name, "GUEST_IOMMU": self.iommu,
                "GUEST_CACHING_MODE": str(int(self.caching)), "GUEST_WIDTH": str(self.width),
                "GUEST_RAM": hex(OWN_RAM)}

    def runs(self, row, checks):
        return matches(row.name, self.rows) and row.wants(self.name, checks)

    def kernel_arguments(self):
        """Where the kernel is to leave the IOMMU alone, it leaves alone 32 MiB of memory, too."""
        if self.iommu == "none":
            return f"intel_iommu=off intremap=off memmap=32M${OWN_RAM:#x}"
        return "intel_iommu=on"


def qemu_command(kind, kernel, initramfs, disks, serials, monitor=("-monitor", "none")):
    """QEMU with an emulated IOMMU, two drives, two devices that do DMA as told, and one that is memory.

    The kernel patches its own code while it boots. Emulated processors that run at once may see half of
    that, and now and then one dies of it: the guest boots on one, and /init starts the other."""
    caching = "on" if kind.caching else "off"
    drives = []
    for number, (disk, addr) in enumerate(zip(disks, (4, 6)), 1):
        drives += ["-drive", f"file={disk},format=raw,if=none,id=nv{number},file.locking=off,discard=unmap",
                   "-device", f"nvme,serial=phyr{number:04},drive=nv{number},addr={addr}"]
    return ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024",
            "-M", "q35,kernel-irqchip=off", "-nodefaults", "-display", "none", *monitor, "-no-reboot",
            "-serial", serials[0], "-serial", serials[1],
            "-device", f"intel-iommu,intremap=on,aw-bits={kind.width},caching-mode={caching},snoop-control=on",
            *drives,
            "-device", "edu,addr=5,dma_mask=0xffffffffff", "-device", "edu,addr=7,dma_mask=0xffffffffff",
            "-object", "memory-backend-ram,id=shm,size=1M,share=on", "-device", "ivshmem-plain,memdev=shm,addr=8",
            "-kernel", str(kernel), "-initrd", str(initramfs),
            "-append",
            f"console=ttyS0 loglevel=7 printk.time=1 {kind.kernel_arguments()} panic=-1 oops=panic nowatchdog "
            f"nokaslr maxcpus=1 {clock()}"]


def clock():
    """On a busy host the kernel finds that no timer works, and measures the time stamp counter wrong by a
    factor, and all its times with it. So it is told; under TCG the counter is the host's."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        found = re.search(r"^bogomips\s*:\s*([\d.]+)", file.read(), re.M)
    return "no_timer_check" + (f" tsc_early_khz={round(float(found[1]) * 500)}" if found else "")


def die_with_parent(command):
    """QEMU does not outlive a runner that is killed."""
    return ["setpriv", "--pdeathsig", "KILL", *command] if shutil.which("setpriv") else command


def write_pattern(path, size):
    """Every 8-byte word is its own number."""
    with open(path, "wb") as file:
        array("Q", range(size // 8)).tofile(file)


def original_digest(offset, length):
    first, last = offset // 8, (offset + length + 7) // 8
    words = array("Q", range(first, last)).tobytes()
    return hashlib.sha256(words[offset - first * 8:][:length]).hexdigest()


def shell_command(kind, folder, kernel, initramfs):
    """A guest whose second serial line is the terminal; the kernel's log goes into a file."""
    disks = [folder / f"shell-{name}.raw" for name, _ in DISKS]
    for path, (_, size) in zip(disks, DISKS):
        write_pattern(path, size)
    log = folder / "shell.log"
    print(f"The kernel's log is in {log}; Ctrl-A X ends QEMU.", flush=True)
    serials = (f"file:{log}", "mon:stdio")
    return subprocess.run(qemu_command(kind, kernel, initramfs, disks, serials), check=False).returncode


class Stopped(Exception):
    """The guest does not go on. Whether its machine has stopped as a whole, and what shows it."""

    def __init__(self, why, machine=False):
        super().__init__(why)
        self.machine = machine


class Guest:
    """A guest that runs: reads its lines, keeps results in the order of the table."""

    def __init__(self, kind, rows, folder, patience, report, say, command=qemu_command):
        self.kind, self.patience, self.report, self.say = kind, patience, report, say
        self.command = command
        self.log_path = folder / f"{kind.name}.log"
        self.disks = [folder / f"{kind.name}-{name}.raw" for name, _ in DISKS]
        self.waiting = list(rows)
        self.broken = ""  # the first line in which the kernel says that something is wrong in it
        self.again = ""   # why it was started again
        self.reset()

    def reset(self):
        """As it is before QEMU starts."""
        self.running = None
        self.started_at = 0.0
        self.deadline = 0.0
        self.heard_at = 0.0
        self.ready = ""
        self.stalled = ""  # the first line in which the kernel says that a processor does not go on
        self.stalled_at = 0.0
        self.last_lines = deque(maxlen=SHOWN_LINES)
        self.disk_checks = []
        self.disk_checks_before = 0  # those of rows that have ended

    def run(self, kernel, pack):
        """pack(rows) makes the initramfs that runs these."""
        try:
            with open(self.log_path, "w", encoding="utf-8") as self.log:
                self.finish(self.boot_until_it_ends(kernel, pack))
        finally:
            for path in self.disks:
                path.unlink(missing_ok=True)

    def boot_until_it_ends(self, kernel, pack):
        """What ended it, where that was not the guest."""
        while True:
            try:
                self.boot(kernel, pack(self.waiting))
                return ""
            except Stopped as stopped:
                if not self.may_start_again(stopped):
                    return str(stopped)
                self.go_back(str(stopped))

    def boot(self, kernel, initramfs):
        for path, (_, size) in zip(self.disks, DISKS):
            write_pattern(path, size)
        read_end, write_end = os.pipe()
        monitor = emulator.Monitor()
        try:
            serials = ("stdio", f"file:/dev/fd/{write_end}")
            command = self.command(self.kind, kernel, initramfs, self.disks, serials, monitor.arguments())
            self.watch(command, read_end, write_end, monitor)
        finally:
            monitor.close()

    def may_start_again(self, stopped):
        """Not when all rows have run: what they left may be what holds it up."""
        unfinished = self.running or self.waiting
        return stopped.machine and unfinished and not self.broken and not self.again

    def go_back(self, why):
        """To before the row at which it stopped; what ended before that counts."""
        row = self.running.row if self.running else self.waiting[0]
        if self.running:
            self.waiting.insert(0, row)
            del self.disk_checks[self.disk_checks_before:]
        self.tell_disks()
        self.again = f"at {row.name}: {why}"
        self.log.write(f"==== started again from {row.name}\n")
        self.say(f"GUEST AGAIN {self.kind.name}: it is started again from {row.name}")
        self.reset()

    def watch(self, command, read_end, write_end, monitor):
        """Runs QEMU to its end, or ends it."""
        qemu = subprocess.Popen(die_with_parent(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, pass_fds=[write_end, monitor.theirs.fileno()])
        os.close(write_end)
        try:
            with open(read_end, "rb", buffering=0) as checks:
                self.read_lines({qemu.stdout: self.kernel_line, checks: self.check_line, qemu.stderr: self.qemu_line})
        except Stopped as stopped:
            self.show(stopped, emulator.examine(qemu.pid, monitor))
            raise
        finally:
            qemu.kill()
            qemu.wait()
            qemu.stdout.close()
            qemu.stderr.close()

    def read_lines(self, takers):
        rest = {stream: b"" for stream in takers}
        self.expect(BOOT_SECONDS)
        with selectors.DefaultSelector() as selector:
            for stream in takers:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                found = selector.select(LOOK_SECONDS)
                for key, _ in found:
                    stream = key.fileobj
                    data = os.read(stream.fileno(), 1 << 16)
                    *lines, rest[stream] = (rest[stream] + data).split(b"\n")
                    if not data:
                        selector.unregister(stream)
                        lines, rest[stream] = [rest[stream]] if rest[stream] else [], b""
                    for line in lines:
                        self.take(takers[stream], line)
                self.be_patient(not found)

    def be_patient(self, nothing_came):
        """Stopped where patience has ended."""
        now = time.monotonic()
        left, silent, stalled = self.deadline - now, now - self.heard_at, now - self.stalled_at
        if self.log.tell() > LOG_AT_MOST:
            raise Stopped("ended from outside, it wrote too much")
        if self.stalled and stalled >= STALLED_SECONDS * self.patience:
            raise Stopped(f"ended from outside, a processor did not go on: {self.stalled}", machine=True)
        if self.running and nothing_came and silent >= SILENT_SECONDS * self.patience:
            raise Stopped(f"ended from outside, nothing was heard of it for {silent:.0f} s", machine=True)
        if left <= 0 and self.running:
            raise Stopped("ended from outside, its check did not end although it was killed")
        if left <= 0:
            raise Stopped("ended from outside, it did not go on", machine=True)

    def take(self, taker, line):
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        self.log.write(text + "\n")
        self.log.flush()
        self.last_lines.append(text)
        self.heard_at = time.monotonic()
        if self.running and text and not BEAT.match(text):
            self.running.console.append(text)
        taker(text)

    def tell(self, found, console=()):
        self.report(self.kind.name, found, console, self.log_path)

    def tell_disks(self):
        for check in self.disk_checks:
            self.tell([self.disk_result(*check)])

    def show(self, stopped, lines):
        self.log.write("".join(f"{line}\n" for line in lines))
        shown = "".join(f"    {line}\n" for line in [*self.last_lines, *lines])
        self.say(f"GUEST STOPPED {self.kind.name}: {stopped}; the end of {self.log_path}:\n{shown}")

    def expect(self, seconds):
        self.deadline = time.monotonic() + seconds * self.patience

    def kernel_line(self, text):
        if not self.broken and BROKEN.search(text):
            self.broken = text.strip()
        if not self.stalled and STALLED.search(text):
            self.stalled, self.stalled_at = text.strip(), time.monotonic()

    def qemu_line(self, text):
        """Of what blocked accesses it has seen, say; for the reader of the log."""

    def check_line(self, text):
        begin, end, disk, ready = BEGIN.match(text), END.match(text), DISK.match(text), READY.match(text)
        if ready:
            self.ready = ready[1]
            self.expect(BETWEEN_SECONDS)
        elif begin and self.waiting and not self.running and begin[1] == self.waiting[0].name:
            self.running = RowRun(self.waiting.pop(0))
            self.disk_checks_before = len(self.disk_checks)
            self.started_at = time.monotonic()
            self.expect(self.running.row.seconds + BETWEEN_SECONDS)
        elif end and self.running and end[1] == self.running.row.name:
            self.end_row(int(end[2]))
        elif disk:
            self.disk_checks.append(disk.groups())
        if self.running and not begin:
            self.running.output.append(text)

    def end_row(self, status):
        took = time.monotonic() - self.started_at
        limit = self.running.row.seconds * self.patience
        self.tell(self.running.results(status, took, limit), self.running.console)
        self.running = None
        self.expect(BETWEEN_SECONDS)

    def finish(self, ended):
        """What is left to say when QEMU is gone."""
        if self.running:
            self.tell(self.running.results(None, 0, 0), self.running.console)
        for row in self.waiting:
            self.tell(RowRun(row).results(None, 0, 0))
        self.tell_disks()
        went = self.broken or ended
        if not went and (self.running or self.waiting):
            went = "it ended in the midst"
        self.tell([Result("fail" if went else "pass", "kernel", went or self.again and f"started again {self.again}")])

    def disk_result(self, disk, offset, length, digest, name):
        """A check of the disk's own bytes, as a check in the guest has asked for it."""
        offset, length = int(offset), int(length)
        with open(self.disks[int(disk) - 1], "rb") as file:
            file.seek(offset)
            found = hashlib.sha256(file.read(length)).hexdigest()
        wanted = original_digest(offset, length) if digest == "original" else digest
        why = "" if found == wanted else f"{length} bytes at {offset} of disk {disk} are others than asked for"
        return Result("fail" if why else "pass", f"disk/{name}", why)
