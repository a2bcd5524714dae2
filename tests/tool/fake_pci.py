# SPDX-License-Identifier: MIT
"""A machine's PCI devices that are not there: trees for /sys and /dev, and a kernel that moves devices
between drivers when the tree's files are written.

 The trees are mounted over the real ones for each command alone, so that the very program runs on them. The
 files that a kernel acts on are pipes, read by a thread."""
import ctypes
import os
import resource
import select
import shutil
import stat
import subprocess
import threading

CLONE_NEWNS = 0x20000
MS_BIND = 4096
MS_PRIVATE_REC = 0x44000
libc = ctypes.CDLL(None, use_errno=True)


def call(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source, target, kind=None, flags=0):
    call(libc.mount(str(source).encode(), str(target).encode(), kind and kind.encode(), flags, None))


def unshare_mounts():
    call(libc.unshare(CLONE_NEWNS))
    mount("none", "/", flags=MS_PRIVATE_REC)


def write(path, text=""):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Machine:
    """Made empty under @root; devices, disks and interfaces are added."""

    def __init__(self, root):
        self.root, self.sys, self.dev = root, f"{root}/sys", f"{root}/dev"
        self.natural = {}   # address: the driver that takes it
        self.refusing = set()  # drivers that take nothing
        self.greedy = None  # a driver that takes whatever has no other wish
        self.events = []
        self.pipes = {}
        for folder in ("bus/pci/devices", "bus/pci/drivers", "class/iommu", "class/net", "class/block",
                       "class/nvme-subsystem", "dev/block", "dev/char", "devices/virtual", "module"):
            os.makedirs(f"{self.sys}/{folder}")
        os.makedirs(f"{self.dev}/vfio/devices")
        os.mknod(f"{self.dev}/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.chmod(f"{self.dev}/null", 0o666)
        self.mountinfo = "21 1 0:20 / / rw - tmpfs none rw\n"
        self.swaps = "Filename\tType\tSize\tUsed\tPriority\n"
        self.pipe(f"{self.sys}/bus/pci/drivers_probe", self.probe)
        self.wake_read, self.wake_write = os.pipe()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        os.write(self.wake_write, b"!")
        self.thread.join()
        for fd in (*self.pipes, self.wake_read, self.wake_write):
            os.close(fd)
        shutil.rmtree(self.root)

    # What there is.

    def driver(self, name):
        folder = f"{self.sys}/bus/pci/drivers/{name}"
        os.makedirs(folder)
        self.pipe(f"{folder}/unbind", self.unbind)

    def device(self, address, driver=None, class_code=0x010802, group=None):
        folder = self.folder(address)
        files = {"vendor": "0x1b36", "device": "0x0010", "subsystem_vendor": "0x1af4",
                 "subsystem_device": "0x1100", "class": f"0x{class_code:06x}", "revision": "0x02",
                 "numa_node": "-1", "driver_override": "(null)"}
        for name, text in files.items():
            write(f"{folder}/{name}", text + "\n")
        os.symlink(f"../../../devices/pci0000:00/{address}", f"{self.sys}/bus/pci/devices/{address}")
        if group is not None:
            os.symlink(f"../../../kernel/iommu_groups/{group}", f"{folder}/iommu_group")
            os.symlink("../../virtual/iommu/dmar0", f"{folder}/iommu")
            write(f"{self.sys}/class/iommu/dmar0")
        self.natural[address] = driver
        if driver:
            self.bind(address, driver)

    def node(self, kind, number, place, name=None, mode=0o600):
        """A file of a device, its place in the tree of devices given."""
        name = name or place.rsplit("/", 1)[1]
        folder = f"{self.sys}/devices/{place}"
        os.makedirs(folder, exist_ok=True)
        write(f"{folder}/uevent", f"MAJOR={number.split(':', 1)[0]}\nDEVNAME={name}\n")
        os.symlink(f"../../devices/{place}", f"{self.sys}/dev/{kind}/{number}")
        if kind == "block":
            os.makedirs(f"{folder}/holders", exist_ok=True)
            os.symlink(f"../../devices/{place}", f"{self.sys}/class/block/{name}")
        major, minor = number.split(":")
        path = f"{self.dev}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mknod(path, (stat.S_IFBLK if kind == "block" else stat.S_IFCHR) | mode,
                 os.makedev(int(major), int(minor)))
        os.chmod(path, mode)
        return folder

    def disk(self, address, number="259:200"):
        """nvme0n1 with two partitions, which have the next numbers."""
        place = f"pci0000:00/{address}/nvme/nvme0/nvme0n1"
        major, minor = number.split(":")
        self.node("block", number, place)
        for part in (1, 2):
            folder = self.node("block", f"{major}:{int(minor) + part}", f"{place}/nvme0n1p{part}")
            write(f"{folder}/partition", f"{part}\n")

    def interface(self, address, name, flags):
        place = f"pci0000:00/{address}/net/{name}"
        write(f"{self.sys}/devices/{place}/flags", f"0x{flags:x}\n")
        os.symlink(f"../../devices/{place}", f"{self.sys}/class/net/{name}")

    def vfio_files(self, group, mode=0o600):
        """VFIO's, by numbers of a device that anybody may open: full(4)."""
        self.node("char", "1:7", f"virtual/vfio/{group}", f"vfio/{group}", mode)
        os.mknod(f"{self.dev}/vfio/vfio", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.chmod(f"{self.dev}/vfio/vfio", 0o666)

    def mounted(self, number, at, source="none"):
        self.mountinfo += f"30 21 {number} / {at} rw shared:1 - ext4 {source} rw\n"

    def swap(self, path):
        self.swaps += f"{path} partition 1048572 0 -2\n"

    # What the kernel does.

    def folder(self, address):
        return f"{self.sys}/devices/pci0000:00/{address}"

    def driver_of(self, address):
        try:
            return os.path.basename(os.readlink(f"{self.folder(address)}/driver"))
        except FileNotFoundError:
            return None

    def override(self, address):
        return read(f"{self.folder(address)}/driver_override").strip()

    def bind(self, address, driver):
        os.symlink(f"../../../bus/pci/drivers/{driver}", f"{self.folder(address)}/driver")

    def unbind(self, address):
        os.unlink(f"{self.folder(address)}/driver")

    def probe(self, address):
        wish = self.override(address)
        if self.driver_of(address):
            return
        wish = self.greedy or self.natural[address] if wish in ("", "(null)") else wish
        if wish and wish not in self.refusing and os.path.isdir(f"{self.sys}/bus/pci/drivers/{wish}"):
            self.bind(address, wish)

    def pipe(self, path, action):
        os.mkfifo(path)
        self.pipes[os.open(path, os.O_RDWR | os.O_CLOEXEC)] = (os.path.relpath(path, self.sys), action)
        if hasattr(self, "wake_write"):
            os.write(self.wake_write, b".")

    def serve(self):
        while True:
            ready = select.select([self.wake_read, *self.pipes], [], [])[0]
            for fd in ready:
                text = os.read(fd, 64).decode().strip()
                if fd == self.wake_read:
                    if "!" in text:
                        return
                    continue
                name, action = self.pipes[fd]
                self.events.append((name, text))
                action(text)

    # Commands on it.

    def enter(self, uid, memlock):
        unshare_mounts()
        for name in ("mountinfo", "swaps"):
            mount(f"{self.root}/{name}", {"mountinfo": "/proc/self/mountinfo",
                                          "swaps": "/proc/swaps"}[name], flags=MS_BIND)
        mount(self.sys, "/sys", flags=MS_BIND)
        mount(self.dev, "/dev", flags=MS_BIND)
        if memlock:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    def run(self, *command, uid=0, memlock=0):
        write(f"{self.root}/mountinfo", self.mountinfo)
        write(f"{self.root}/swaps", self.swaps)
        self.events.clear()
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                              stdin=subprocess.DEVNULL, preexec_fn=lambda: self.enter(uid, memlock))
