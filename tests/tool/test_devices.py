#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""phyr devices on machines that are not there: test_devices.py PHYR

 Takes root, for mounts of its own; without it this is skipped, loudly."""
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile

import fake_pci

BUILT = os.path.realpath(sys.argv[1])
NVME, EDU, NIC, BRIDGE, VGA = (f"0000:00:0{n}.0" for n in (4, 5, 6, 1, 2))
NOBODY = 65534
TEXT = (str, type(None))
NUMBER = (int, type(None))
DEVICE = {"address": str, "class": str, "class_code": int, "vendor": int, "device": int,
          "subsystem_vendor": int, "subsystem_device": int, "revision": int, "bridge": bool,
          "group": NUMBER, "iommu": TEXT, "numa_node": NUMBER, "driver": TEXT, "cdev": TEXT,
          "files": [str], "uses": [{"what": str, "how": str, "by": TEXT}], "ready": bool,
          "in_the_way": [{"kind": str, "only_noted": bool, "text": str, "help": TEXT,
                          "commands": [str]}]}
SHAPE = {"version": str, "iommus": TEXT, "vfio": bool, "iommufd": bool, "vfio_pci": bool,
         "memlock": NUMBER, "devices": [DEVICE]}


def check_shape(where, value, shape):
    if isinstance(shape, list):
        assert isinstance(value, list), where
        for number, part in enumerate(value):
            check_shape(f"{where}[{number}]", part, shape[0])
    elif isinstance(shape, dict):
        assert value.keys() == shape.keys(), f"{where}: {sorted(value.keys() ^ shape.keys())}"
        for key, part in shape.items():
            check_shape(f"{where}.{key}", value[key], part)
    else:
        assert isinstance(value, shape) and (shape is not int or not isinstance(value, bool)), where


def machine(root, vfio=True):
    """A bridge, a free NVMe drive with partitions, and a device without a driver, each in its group."""
    m = fake_pci.Machine(root)
    for driver in ("nvme", "e1000e", *(["vfio-pci"] if vfio else [])):
        m.driver(driver)
    m.device(BRIDGE, class_code=0x060400, group=1)
    m.device(NVME, "nvme", group=12)
    m.device(EDU, class_code=0x00ff00, group=13)
    m.disk(NVME)
    return m


def phyr(m, *args, status=0, **how):
    done = m.run(m.program, "devices", *args, **how)
    assert done.returncode == status, (args, done)
    lines = done.stderr.splitlines()
    assert len(lines) == (1 if status else 0), done
    assert not status or (lines[0].startswith("phyr devices: ") and not done.stdout), done
    return done.stderr if status else done.stdout


def look(m, address, **how):
    top = json.loads(phyr(m, "--json", address, **how))
    check_shape("top", top, SHAPE)
    assert len(top["devices"]) == 1
    return top["devices"][0]


def refused(m, pattern, address=NVME, option="--bind", **how):
    """Not done, and nothing was touched."""
    driver, override = m.driver_of(address), m.override(address)
    error = phyr(m, option, address, status=1, **how)
    assert re.search(pattern, error), error
    assert not m.events, m.events
    assert (m.driver_of(address), m.override(address)) == (driver, override)


def in_use(m, how, by, pattern):
    """Seen when looked at, refused when bound, and no command offered."""
    d = look(m, NVME)
    assert [how, by] in [[use["how"], use["by"]] for use in d["uses"]], d
    assert not d["ready"] and d["in_the_way"][0]["kind"] == "in-use", d
    assert not any("driver_override" in line for way in d["in_the_way"] for line in way["commands"])
    refused(m, pattern)


def lists(m):
    out = phyr(m).splitlines()
    assert [line.split()[0] for line in out] == ["address", NVME, EDU], out
    assert out[1].split()[1:6] == ["nvme", "1b36:0010", "12", "nvme", "dmar0"], out[1]
    assert out[1].endswith("driver is nvme, not vfio-pci")
    assert out[2].split()[1] == "0x00ff00", out[2]
    assert phyr(m, "--all").count("\n") == 4
    top = json.loads(phyr(m, "--json", "--all"))
    check_shape("top", top, SHAPE)
    assert [d["bridge"] for d in top["devices"]] == [True, False, False]
    assert top["devices"][1]["files"].count("nvme0n1p1") == 1
    assert "nvme0n1p2" in phyr(m, NVME) and "as root" in phyr(m, "--verbose")
    assert "no such device" in phyr(m, "0000:77:00.0", status=1)
    assert "no such device" in phyr(m, "--bind", "0000:77:00.0", status=1)


def refuses_nonsense(m):
    for args in (["here"], ["--bind"], ["--bind", "4"], ["--bind", NVME, "--unbind", NVME],
                 ["--bind", NVME, EDU], ["--bind", NVME, "--json"], ["--driver", "vfio-pci"],
                 ["--bind", NVME, "--driver", "nvme"], ["--bind", NVME, "--driver", "../vfio"],
                 ["--frob"], ["--all=1"]):
        phyr(m, *args, status=2)
    assert "VMD" in phyr(m, "--bind", "10000:e1:00.0", status=2)
    assert phyr(m, "--help").startswith("usage: phyr devices")


def mounted_disk(m):
    m.mounted("259:201", "/mnt/a\\040b")
    in_use(m, "mounted", "/mnt/a b", "nvme0n1p1 is mounted at /mnt/a b")


def mounted_by_source(m):
    m.mounted("0:45", "/btrfs", "/dev/nvme0n1p2")
    in_use(m, "mounted", "/btrfs", "nvme0n1p2 is mounted at /btrfs")


def mounted_elsewhere(m):
    m.mounted("259:300", "/elsewhere")
    m.mounted("0:46", "/none", "/dev/null")
    assert not look(m, NVME)["uses"]


def mounted_by_others(m):
    """In the mount namespace of another process, real ones both."""
    hold = subprocess.Popen(["unshare", "-m", "sh", "-c",
                             f"mount -t tmpfs none {m.root}/dev/vfio && echo && exec sleep 60"],
                            stdout=subprocess.PIPE)
    try:
        hold.stdout.readline()
        with open(f"/proc/{hold.pid}/mountinfo", encoding="utf-8") as file:
            line = next(line for line in file if f"{m.root}/dev/vfio" in line)
        number = line.split()[2]
        m.node("block", number, f"pci0000:00/{NVME}/nvme/nvme0/nvme0n2")
        in_use(m, "mounted", f"{m.root}/dev/vfio", "nvme0n2 is mounted at")
    finally:
        hold.kill()
        hold.wait()
        hold.stdout.close()


def swap(m):
    m.swap("/dev/nvme0n1p2")
    in_use(m, "swap", None, "nvme0n1p2 is swap space")


def holder(m):
    os.makedirs(f"{m.sys}/class/block/nvme0n1p1/holders/dm-0")
    fake_pci.write(f"{m.sys}/class/block/dm-0/dm/name", "vg-root\n")
    in_use(m, "part-of", "dm-0 (vg-root)", r"nvme0n1p1 is part of dm-0 \(vg-root\)")


def loop(m):
    fake_pci.write(f"{m.sys}/class/block/loop3/loop/backing_file", "/dev/nvme0n1\n")
    in_use(m, "loop", "loop3", "nvme0n1 lies under loop3")


def loop_of_elsewhere(m):
    """Its path is one of another mount namespace, or gone; the name is the disk's all the same."""
    for path in ("/nvme0n1", "/dev/nvme0n1 (deleted)"):
        fake_pci.write(f"{m.sys}/class/block/loop3/loop/backing_file", path + "\n")
        in_use(m, "loop", "loop3", "nvme0n1 lies under loop3")
    fake_pci.write(f"{m.sys}/class/block/loop3/loop/backing_file", "/srv/nvme0n1.img\n")
    assert not look(m, NVME)["uses"]


def exported(m):
    """By the kernel's NVMe target, which claims nothing: a disk's path, or the controller's own."""
    folder = f"{m.sys}/kernel/config/nvmet/subsystems/nqn.a"
    for part, path in (("namespaces/1", "/dev/nvme0n1p2"), ("passthru", "/dev/nvme0")):
        fake_pci.write(f"{folder}/{part}/device_path", path + "\n")
        fake_pci.write(f"{folder}/{part}/enable", "0\n")
    m.node("char", "239:0", f"pci0000:00/{NVME}/nvme/nvme0")
    assert not look(m, NVME)["uses"]
    fake_pci.write(f"{folder}/namespaces/1/enable", "1\n")
    in_use(m, "exported", "nqn.a", "nvme0n1p2 is exported as nqn.a")
    fake_pci.write(f"{folder}/namespaces/1/enable", "0\n")
    fake_pci.write(f"{folder}/passthru/enable", "1\n")
    in_use(m, "exported", "nqn.a", "nvme0 is exported as nqn.a")


def functions(m):
    """A reset of the physical function takes its virtual functions away, and whatever lies on them."""
    fake_pci.write(f"{m.folder(NVME)}/sriov_numvfs", "0\n")
    assert not look(m, NVME)["uses"]
    fake_pci.write(f"{m.folder(NVME)}/sriov_numvfs", "2\n")
    in_use(m, "functions", "2", "has virtual functions switched on: 2")


def odd_names(m):
    """A mount point or a process is named by anybody, and root looks: nothing reaches the terminal that
    moves it, and JSON stays UTF-8."""
    m.mounted("259:201", "/mnt/\\033[2J\\012\\302\\233\\377\\303\\244")
    in_use(m, "mounted", "/mnt/?[2J????\u00e4", re.escape("mounted at /mnt/?[2J????\u00e4;"))
    assert not re.search("[^\n -~\u00a0-\uffff]", phyr(m, NVME))
    m.mounted("259:202", "/" + "\u00e4" * 200)
    look(m, NVME)


def several_paths(m):
    """A disk that lies under its subsystem, as with NVMe multipath."""
    subsystem = "virtual/nvme-subsystem/nvme-subsys3"
    m.node("block", "259:220", f"{subsystem}/nvme3n1")
    os.symlink(f"../../pci0000:00/{NVME}/nvme/nvme0", f"{m.sys}/devices/{subsystem}/nvme0")
    os.symlink(f"../../devices/{subsystem}", f"{m.sys}/class/nvme-subsystem/nvme-subsys3")
    m.mounted("259:220", "/mnt")
    in_use(m, "mounted", "/mnt", "nvme3n1 is mounted at /mnt")
    assert not look(m, EDU)["uses"]


def several_disks(m):
    """The same namespace as two disks, each its controller's, where the kernel does not know of paths."""
    m.device(NIC, "nvme", group=14)
    m.node("block", "259:230", f"pci0000:00/{NIC}/nvme/nvme1/nvme1n1")
    m.node("block", "259:231", f"pci0000:00/{NIC}/nvme/nvme1/nvme1n1/nvme1n1p1")
    for address, disk, part in ((NVME, "nvme0/nvme0n1", "nvme0n1p1"), (NIC, "nvme1/nvme1n1", "nvme1n1p1")):
        folder = f"{m.folder(address)}/nvme/{disk}"
        fake_pci.write(f"{folder}/{part}/partition", "1\n")
        fake_pci.write(f"{folder}/wwid", "eui.0011\n")
        fake_pci.write(f"{folder}/device/subsysnqn", f"nqn.{address}\n")
    m.mounted("259:231", "/mnt")
    assert not look(m, NVME)["uses"]
    fake_pci.write(f"{m.folder(NVME)}/nvme/nvme0/nvme0n1/device/subsysnqn", f"nqn.{NIC}\n")
    in_use(m, "mounted", "/mnt", "nvme1n1p1 is mounted at /mnt")
    assert look(m, NIC)["uses"] and not look(m, EDU)["uses"]


def behind_vmd(m):
    """Disks in a segment of their own are the VMD's."""
    m.device(NIC, "nvme", class_code=0x010400, group=14)
    m.node("block", "259:240", f"pci0000:00/{NIC}/pci10000:e0/10000:e0:06.0/10000:e1:00.0/nvme/nvme2/nvme2n1")
    m.mounted("259:240", "/")
    refused(m, "nvme2n1 is mounted at /", NIC)
    assert "VMD" in phyr(m, "--bind", "10000:e1:00.0", status=2)


def opened(m):
    """Any file of the device, by any process."""
    m.node("char", "1:7", f"pci0000:00/{NVME}/nvme/nvme0/ng0n1")
    with open(f"{m.dev}/ng0n1", "rb"):
        by = f"process {os.getpid()} ({fake_pci.read('/proc/self/comm').strip()})"
        in_use(m, "open", by, re.escape(f"ng0n1 is open in {by}"))
    assert not look(m, NVME)["uses"]


def claimed(m):
    """What shows nowhere else: a claim, on a disk that this kernel really has."""
    number = free_loop()
    if not number:
        return "no free loop device to claim"
    m.node("block", number, f"pci0000:00/{NVME}/nvme/nvme0/nvme0n2")
    queue = send_away(os.open(f"{m.dev}/nvme0n2", os.O_RDONLY | os.O_EXCL))
    refused(m, "/dev/nvme0n2 or a part of it is claimed")
    for end in queue:
        end.close()
    phyr(m, "--bind", NVME)
    return None


def send_away(fd):
    """Into a socket's queue, where it is open and in nobody's table."""
    near, far = socket.socketpair()
    socket.send_fds(near, [b"!"], [fd])
    os.close(fd)
    return near, far


def free_loop():
    for n in range(7, -1, -1):
        if os.path.exists(f"/sys/block/loop{n}") and not os.path.exists(f"/sys/block/loop{n}/loop"):
            try:
                os.close(os.open(f"/dev/loop{n}", os.O_RDONLY | os.O_EXCL))
                return f"7:{n}"
            except OSError:
                pass
    return None


def wrong_name(m):
    os.unlink(f"{m.dev}/nvme0n1")
    refused(m, "can't be told: No such file")
    os.symlink("null", f"{m.dev}/nvme0n1")
    refused(m, "can't be told: another device has its name")


def interface(m):
    m.device(NIC, "e1000e", class_code=0x020000, group=14)
    m.interface(NIC, "eth7", 0x1003)
    assert look(m, NIC)["uses"] == [{"what": "eth7", "how": "up", "by": None}]
    refused(m, "interface eth7 is up", NIC)
    fake_pci.write(f"{m.folder(NIC)}/net/eth7/flags", "0x1002\n")
    phyr(m, "--bind", NIC)
    assert m.driver_of(NIC) == "vfio-pci"


def screen(m):
    m.device(VGA, class_code=0x030000, group=15)
    fake_pci.write(f"{m.folder(VGA)}/boot_vga", "1\n")
    refused(m, "the console's display", VGA)
    fake_pci.write(f"{m.folder(VGA)}/boot_vga", "0\n")
    phyr(m, "--bind", VGA)


def bridge(m):
    refused(m, "a bridge", BRIDGE)


def no_iommu(m):
    m.device(NIC, "e1000e", class_code=0x020000)
    refused(m, "no IOMMU group", NIC)
    assert look(m, NIC)["in_the_way"][0]["help"] == "the IOMMU (dmar0) does not cover this device"
    os.unlink(f"{m.sys}/class/iommu/dmar0")
    assert "intel_iommu=on" in phyr(m, NIC)
    assert "No IOMMU is at work" in phyr(m)


def no_module(m):
    refused(m, "modprobe vfio-pci")
    assert ["modprobe vfio-pci"] in [way["commands"] for way in look(m, NVME)["in_the_way"]]


def binds(m):
    assert "bound to vfio-pci; before: nvme" in phyr(m, "--bind", NVME)
    assert m.events == [("bus/pci/drivers/nvme/unbind", NVME), ("bus/pci/drivers_probe", NVME)]
    assert m.driver_of(NVME) == "vfio-pci" and m.override(NVME) == "vfio-pci"
    assert "already" in phyr(m, "--bind", NVME) and not m.events
    phyr(m, "--bind", EDU)
    assert m.events == [("bus/pci/drivers_probe", EDU)]
    m.driver("mlx5_vfio_pci")
    phyr(m, "--bind", EDU, "--driver", "mlx5_vfio_pci")
    assert m.driver_of(EDU) == "mlx5_vfio_pci"
    assert "back with nvme" in phyr(m, "--unbind", NVME)
    assert m.driver_of(NVME) == "nvme" and m.override(NVME) == ""
    assert "already" in phyr(m, "--unbind", NVME) and not m.events
    assert "no driver of this kernel" in phyr(m, "--unbind", EDU) and not m.driver_of(EDU)


def commands_bind(m):
    """What is printed does it; this kernel wants a moment after each line."""
    m.vfio_files(12)
    lines = [line for way in look(m, NVME)["in_the_way"] for line in way["commands"]]
    assert all("    " + line in phyr(m, NVME).splitlines() for line in lines)
    done = m.run("sh", "-ec", "".join(f"{line}\nsleep 0.1\n" for line in lines))
    assert not done.returncode and len(lines) == 3, done
    assert m.driver_of(NVME) == "vfio-pci" and m.override(NVME) == "vfio-pci"
    assert look(m, NVME)["ready"]


def undoes(m):
    """VFIO's driver does not take it."""
    m.refusing.add("vfio-pci")
    fake_pci.write(f"{m.folder(NVME)}/driver_override", "nvme\n")
    assert "does not take it" in phyr(m, "--bind", NVME, status=1)
    assert m.driver_of(NVME) == "nvme" and m.override(NVME) == "nvme"
    fake_pci.write(f"{m.folder(NVME)}/driver_override", "(null)\n")
    error = phyr(m, "--bind", NVME, status=1)
    assert "back with its driver" in error and m.override(NVME) == ""
    assert m.driver_of(NVME) == "nvme"
    assert "as it was" in phyr(m, "--bind", EDU, status=1)
    assert not m.driver_of(EDU) and m.override(EDU) == ""


def undoes_first_step(m):
    """Its driver does not let go."""
    os.unlink(f"{m.sys}/bus/pci/drivers/nvme/unbind")
    assert "as it was" in phyr(m, "--bind", NVME, status=1)
    assert m.driver_of(NVME) == "nvme" and m.override(NVME) == "" and not m.events
    os.unlink(f"{m.folder(NVME)}/driver_override")
    assert "as it was" in phyr(m, "--bind", NVME, status=1)


def undoes_unbind(m):
    """A driver of VFIO that has the device in its ids."""
    phyr(m, "--bind", NVME)
    m.greedy = "vfio-pci"
    assert "takes it again" in phyr(m, "--unbind", NVME, status=1)
    assert m.driver_of(NVME) == "vfio-pci" and m.override(NVME) == "vfio-pci"


def group_of_two(m):
    m.device("0000:00:04.1", "e1000e", class_code=0x020000, group=12)
    m.vfio_files(12)
    assert "still in the way: group 12 also has 0000:00:04.1 (e1000e)" in phyr(m, "--bind", NVME)
    d = look(m, NVME)
    assert [way["kind"] for way in d["in_the_way"]] == ["group"] and not d["ready"]
    assert any("0000:00:04.1 >" in line for line in d["in_the_way"][0]["commands"])
    m.interface("0000:00:04.1", "eth8", 0x1003)
    way = look(m, NVME)["in_the_way"][0]
    assert way["help"] == "interface eth8 is up" and not way["commands"]
    fake_pci.write(f"{m.folder('0000:00:04.1')}/net/eth8/flags", "0x0\n")
    phyr(m, "--bind", "0000:00:04.1")
    assert look(m, NVME)["ready"] and phyr(m).splitlines()[1].endswith("ready")


def held(m):
    """A process has the group open."""
    phyr(m, "--bind", NVME)
    m.vfio_files(12)
    with open(f"{m.dev}/vfio/12", "rb"):
        refused(m, f"vfio/12 is open in process {os.getpid()}", option="--unbind")
    phyr(m, "--unbind", NVME)


def ordinary_user(m):
    refused(m, "takes root: sudo phyr", uid=NOBODY)
    refused(m, "takes root", option="--bind", address=EDU, uid=NOBODY)
    phyr(m, "--bind", NVME)
    refused(m, "takes root: sudo phyr devices --unbind", option="--unbind", uid=NOBODY)
    m.vfio_files(12)
    d = look(m, NVME, uid=NOBODY, memlock=8 << 20)
    assert [way["kind"] for way in d["in_the_way"]] == ["right", "memlock"] and not d["ready"], d
    assert d["in_the_way"][0]["text"] == "/dev/vfio/12: Permission denied"
    assert d["in_the_way"][0]["commands"] == [f"chown {NOBODY} /dev/vfio/12"]
    os.chown(f"{m.dev}/vfio/12", NOBODY, NOBODY)
    d = look(m, NVME, uid=NOBODY, memlock=8 << 20)
    assert d["ready"] and [way["kind"] for way in d["in_the_way"]] == ["memlock"]
    assert json.loads(phyr(m, "--json", uid=NOBODY, memlock=8 << 20))["memlock"] == 8 << 20
    if may_have_memlock(64 << 20):
        assert not look(m, NVME, uid=NOBODY, memlock=64 << 20)["in_the_way"]
    assert phyr(m, uid=NOBODY).splitlines()[1].endswith("ready")


def may_have_memlock(wanted):
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    return hard == resource.RLIM_INFINITY or hard >= wanted


def by_iommufd(m):
    """The device's own file and /dev/iommu do without the group's."""
    phyr(m, "--bind", NVME)
    fake_pci.write(f"{m.folder(NVME)}/vfio-dev/vfio7/dev", "1:7\n")
    m.node("char", "1:7", f"pci0000:00/{NVME}/vfio-dev/vfio7", "vfio/devices/vfio7")
    fake_pci.write(f"{m.dev}/iommu")
    os.chmod(f"{m.dev}/iommu", 0o600)
    d = look(m, NVME, uid=NOBODY)
    assert d["cdev"] == "vfio7"
    assert d["in_the_way"][0]["commands"] == [f"chown {NOBODY} /dev/vfio/devices/vfio7 /dev/iommu"], d
    os.chmod(f"{m.dev}/iommu", 0o666)
    os.chmod(f"{m.dev}/vfio/devices/vfio7", 0o666)
    assert look(m, NVME, uid=NOBODY)["ready"]
    with open(f"{m.dev}/vfio/devices/vfio7", "rb"):
        refused(m, "vfio/devices/vfio7 is open in process", option="--unbind")


def no_interface(m):
    phyr(m, "--bind", NVME)
    assert [way["kind"] for way in look(m, NVME)["in_the_way"]] == ["kernel"]


def no_pci(m):
    os.rename(f"{m.sys}/bus/pci/devices", f"{m.sys}/bus/pci/gone")
    phyr(m, status=1)


CASES = [lists, refuses_nonsense, mounted_disk, mounted_by_source, mounted_elsewhere,
         mounted_by_others, swap, holder, loop, loop_of_elsewhere, exported, functions, odd_names,
         several_paths, several_disks, behind_vmd, opened, claimed, wrong_name, interface, screen,
         bridge, no_iommu, no_module, binds, commands_bind, undoes, undoes_first_step, undoes_unbind,
         group_of_two, held, ordinary_user, by_iommufd, no_interface, no_pci]


def main():
    if os.geteuid():
        print("SKIPPED: phyr devices on trees mounted over /sys and /dev: takes root")
        sys.exit(77)
    root = tempfile.mkdtemp()
    try:
        fake_pci.unshare_mounts()
        fake_pci.mount("none", root, "tmpfs")
    except OSError as error:
        os.rmdir(root)
        print(f"SKIPPED: mounts of its own: {error}")
        sys.exit(77)
    try:
        run_cases(root)
    finally:
        subprocess.run(["umount", "--lazy", root], check=False)
        os.rmdir(root)


def run_cases(root):
    os.chmod(root, 0o755)
    program = shutil.copy(BUILT, f"{root}/phyr")  # where users reach it who don't reach the build folder
    for case in CASES:
        m = machine(f"{root}/{case.__name__}", vfio=case is not no_module)
        m.program = program
        skipped = case(m)
        m.close()
        print(f"SKIPPED: {case.__name__}: {skipped}" if skipped else case.__name__, flush=True)


if __name__ == "__main__":
    main()
