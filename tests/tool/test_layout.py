#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""phyr layout as a user runs it: test_layout.py PHYR

 The JSON has what is promised and adds up; real memory agrees with smaps, that of a stopped child of
 this test's own range by range; without the right the simulated machine's memory is shown, and said
 to be it. What needs the right is skipped loudly without it."""
import ctypes
import json
import math
import mmap
import os
import re
import signal
import subprocess
import sys
import tempfile

PHYR = os.path.realpath(sys.argv[1])
PAGE = 4096
HUGE = 2 << 20
CAP_SYS_ADMIN = 21
PR_CAPBSET_DROP = 24
NUMBER = (int, float)
TEXT = (str, type(None))
COST = {"entries": int, "bytes": int}
SMAPS = {"rss": int, "hugetlb": int, "swap": int, "anon_huge": int, "shmem_huge": int,
         "file_huge": int}
SHAPE = {"version": str, "memory": str, "why": TEXT, "backing": TEXT, "file": TEXT,
         "pid": (int, type(None)), "seed": (int, type(None)), "bytes": int, "absent": int,
         "swapped": int, "zero": (int, type(None)), "runs": int, "pages": int, "longest_pages": int,
         "mean_pages": NUMBER,
         "histogram": [{"from_pages": int, "to_pages": int, "runs": int, "bytes": int}],
         "smaps": (SMAPS, None),
         "cost": {"scatterlist": COST, "bio_vec": COST, "prp": COST, "phyr_list": COST},
         "mapping": {"iova": int, "tables": int, "leaves": [{"size": int, "entries": int}]}}

skipped = []


def drop_right():
    """In the child before exec: what it becomes has no CAP_SYS_ADMIN. Harmless where there is none."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)


def run(*args, right=True):
    return subprocess.run([PHYR, "layout", *args], capture_output=True, text=True, check=False,
                          preexec_fn=None if right else drop_right, stdin=subprocess.DEVNULL)


def check_shape(where, value, shape):
    if isinstance(shape, tuple) and isinstance(shape[0], dict):
        if value is None:
            return
        shape = shape[0]
    if isinstance(shape, list):
        assert isinstance(value, list) and value, where
        for number, row in enumerate(value):
            check_shape(f"{where}[{number}]", row, shape[0])
    elif isinstance(shape, dict):
        assert value.keys() == shape.keys(), f"{where}: {sorted(value.keys() ^ shape.keys())}"
        for key, part in shape.items():
            check_shape(f"{where}.{key}", value[key], part)
    else:
        assert isinstance(value, shape) and not isinstance(value, bool), f"{where}: {value!r}"


def sg_entries(nr):
    """As Linux chains them: 128 entries a page, the last of each but the last page's a pointer."""
    total = 0
    while nr > 128:
        total += 128
        nr -= 127
    return total + nr


def prp_pages(pages):
    """List pages of one transfer: 512 entries, the last of each but the last a pointer."""
    left = pages - 1
    if left <= 1:
        return 0
    return 1 + max(0, math.ceil((left - 512) / 511))


def check_sums(d):
    rows = d["histogram"]
    assert sum(row["bytes"] for row in rows) == d["bytes"]
    assert sum(row["runs"] for row in rows) == d["runs"]
    for row in rows:
        assert row["runs"] * row["from_pages"] * PAGE <= row["bytes"]
        assert row["bytes"] <= row["runs"] * row["to_pages"] * PAGE
    assert d["pages"] * PAGE == d["bytes"]
    assert rows[-1]["from_pages"] <= d["longest_pages"] <= rows[-1]["to_pages"]
    assert abs(d["mean_pages"] - d["pages"] / d["runs"]) < 0.001
    leaves = d["mapping"]["leaves"]
    assert sum(leaf["size"] * leaf["entries"] for leaf in leaves) == d["bytes"]
    assert [leaf["size"] for leaf in leaves] == [PAGE, HUGE, 1 << 30]
    assert d["mapping"]["iova"] > 0 and d["mapping"]["tables"] >= (4 if leaves[0]["entries"] else 2)


def check_cost(d):
    cost = d["cost"]
    assert d["longest_pages"] * PAGE < 4 << 30, "longer than the formulas below know"
    assert cost["scatterlist"]["entries"] == sg_entries(d["runs"])
    assert cost["scatterlist"]["bytes"] == 32 * cost["scatterlist"]["entries"]
    assert cost["bio_vec"] == {"entries": d["runs"], "bytes": 16 * d["runs"]}
    lists = prp_pages(d["pages"])
    assert cost["prp"] == {"entries": d["pages"] + lists, "bytes": 16 + PAGE * lists}
    words = cost["phyr_list"]["entries"]
    assert d["runs"] <= words <= 2 * d["runs"]
    # Its header; a block of 128 bytes to 4 KiB once there are more words than the header and the open
    # run hold; then 509 words a page of 4 KiB, with an index page for some 250 of those.
    blocks = 0 if words <= 9 else math.ceil((words - 1) / 509)
    least = blocks * PAGE if blocks > 1 else 8 * (words - 9)
    assert least < cost["phyr_list"]["bytes"] <= (blocks + blocks / 128 + 2) * PAGE + 256


def layout(*args, right=True):
    done = run(*args, "--json", right=right)
    assert done.returncode == 0, f"{args}: {done.stderr}"
    assert not done.stderr, done.stderr
    d = json.loads(done.stdout)
    check_shape("layout", d, SHAPE)
    check_sums(d)
    check_cost(d)
    return d


def layout_until(agrees, *args):
    """What is not pinned may be on its way to another place when it is looked at; then look again."""
    for _ in range(20):
        d = layout(*args)
        if agrees(d):
            return d
    raise AssertionError(f"{args}: twenty looks, and never as it should be: {d}")


def may_pin():
    done = run("--size", "4k", "--json")
    assert done.returncode == 0, done.stderr
    d = json.loads(done.stdout)
    if d["memory"] != "pinned":
        skipped.append(f"real memory is not {'pinned' if d['memory'] == 'seen' else 'shown'}: {d['why']}")
    return d["memory"]


def leaf(d, size):
    return next(row["entries"] for row in d["mapping"]["leaves"] if row["size"] == size)


def test_simulated():
    for backing in "anon", "memfd", "file:" + PHYR:
        d = layout("--size", "1m", "--backing", backing, right=False)
        assert d["memory"] == "simulated" and "CAP_SYS_ADMIN" in d["why"], d["why"]
        assert d["bytes"] == 1 << 20 and d["seed"] == 1 and d["smaps"] is None
    d = layout("--size", "8m", "--backing", "thp", right=False)
    assert leaf(d, HUGE) == 4 and leaf(d, PAGE) == 0
    one = run("--size", "8m", "--seed", "5", right=False)
    assert one.stdout.startswith("SIMULATED") and one.returncode == 0
    assert one.stdout == run("--size", "8m", "--seed", "5", right=False).stdout
    assert one.stdout != run("--size", "8m", "--seed", "6", right=False).stdout
    for size, said in (("4k", "in 1 run.\n"), ("1m", " runs; the longest ")):
        assert said in run("--size", size, "--seed", "5", right=False).stdout, size
    # More than can be shown in a while is refused, whoever asks how.
    for size in "16777220k", "256g":
        expect(1, "at most 16g is shown: .*CAP_SYS_ADMIN", "--size", size, right=False)
    with tempfile.NamedTemporaryFile(dir=".") as file:
        file.truncate((16 << 30) + 1)
        expect(1, "at most 16g is shown", "--backing", "file:" + file.name, right=False)
    # Of this very process, which anybody may look into; not where its pages lie.
    d = layout("--pid", str(os.getpid()), right=False)
    assert d["memory"] == "simulated" and d["pid"] == os.getpid()
    assert d["bytes"] == d["smaps"]["rss"] + d["smaps"]["hugetlb"] > 0


def test_own(memory):
    for backing in "anon", "thp", "memfd":
        d = layout("--size", "16m", "--backing", backing)
        assert d["memory"] == memory and d["backing"] == backing and d["seed"] is None
        assert (d["why"] is None) == (memory == "pinned")
        assert d["bytes"] == d["smaps"]["rss"] == 16 << 20, d
        if backing == "thp":
            assert leaf(d, HUGE) >= d["smaps"]["anon_huge"] // HUGE
            print(f"thp: {d['smaps']['anon_huge'] >> 20} MiB of 16 became huge")
    text = run("--size", "1m").stdout
    assert text.startswith("Memory of this machine") and "█" in text and "scatterlist" in text


def test_file():
    with tempfile.NamedTemporaryFile(dir=".") as file:
        file.write(os.urandom(3 << 20) + b"tail")
        file.flush()
        d = layout_until(lambda d: d["bytes"] == d["smaps"]["rss"] == (3 << 20) + PAGE,
                         "--backing", "file:" + file.name)
        assert d["memory"] == "seen" and d["backing"] == "file" and d["file"] == file.name
        layout_until(lambda d: d["bytes"] == d["smaps"]["rss"] == 64 << 10,
                     "--backing", "file:" + file.name, "--size", "64k")


def free_huge_pages():
    with open("/proc/meminfo", encoding="ascii") as file:
        info = dict(re.findall(r"^(HugePages_\w+|Hugepagesize): +(\d+)", file.read(), re.MULTILINE))
    if info.get("Hugepagesize") != "2048":
        return 0
    return int(info["HugePages_Free"]) - int(info["HugePages_Rsvd"])


def test_hugetlb():
    free = free_huge_pages()
    if free < 4:
        skipped.append("hugetlb: no free pages of 2 MiB in /proc/sys/vm/nr_hugepages")
    else:
        d = layout("--size", "8m", "--backing", "hugetlb")
        assert d["bytes"] == d["smaps"]["hugetlb"] == 8 << 20 and d["smaps"]["rss"] == 0
        assert leaf(d, HUGE) == 4 and leaf(d, PAGE) == 0
    done = run("--size", f"{(free + 1) * 2}m", "--backing", "hugetlb")
    assert done.returncode == 1 and "nr_hugepages" in done.stderr, done.stderr


CHILD = r"""
import ctypes, mmap, os, signal, sys
PRIVATE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
def at(m):
    return ctypes.addressof(ctypes.c_char.from_buffer(m))
def touch(m, start, end):
    for i in range(start, end, 4096):
        m[i] = 1
anon = mmap.mmap(-1, 8 << 20, flags=PRIVATE)
touch(anon, 1 << 20, 5 << 20)
thp = mmap.mmap(-1, 10 << 20, flags=PRIVATE)
thp.madvise(mmap.MADV_HUGEPAGE)
touch(thp, 0, 10 << 20)
read = mmap.mmap(-1, 4 << 20, flags=PRIVATE)
read.madvise(mmap.MADV_NOHUGEPAGE)
total = sum(read[i] for i in range(0, 2 << 20, 4096))
touch(read, 3 << 20, 4 << 20)
shared = mmap.mmap(-1, 3 << 20)
touch(shared, 0, 2 << 20)
file = open(sys.executable, "rb")
cached = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)
total += sum(cached[i] for i in range(0, len(cached), 8192))
areas = {"anon": anon, "thp": thp, "read": read, "shared": shared, "cached": cached}
if int(sys.argv[1]):
    areas["hugetlb"] = mmap.mmap(-1, 4 << 20, flags=PRIVATE | 0x40000)
    touch(areas["hugetlb"], 0, 4 << 20)
for name, m in areas.items():
    print(name, hex(at(m)), flush=True)
print("done", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


class Child:
    """A process with memory of several kinds, stopped while it is looked at."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", CHILD, str(int(free_huge_pages() >= 2))],
                                        stdout=subprocess.PIPE, text=True)
        self.areas = {}
        for line in self.process.stdout:
            if line == "done\n":
                break
            name, address = line.split()
            self.areas[name] = int(address, 16)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        self.pid = str(self.process.pid)

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def mappings(self):
        """[start, end, {field: bytes}] by /proc/PID/smaps."""
        found = []
        with open(f"/proc/{self.pid}/smaps", encoding="utf-8") as file:
            for line in file:
                head = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
                if head:
                    found.append((int(head[1], 16), int(head[2], 16), {}))
                field = re.match(r"(\w+): +(\d+) kB", line)
                if field:
                    found[-1][2][field[1]] = int(field[2]) << 10
        return found


def in_memory(fields):
    return fields["Rss"] + fields["Shared_Hugetlb"] + fields["Private_Hugetlb"]


def check_mapping(child, name, start, end, fields):
    d = layout_until(lambda d: d["bytes"] - d["zero"] == in_memory(fields),
                     "--pid", child.pid, "--range", f"{start:x}-{end:x}")
    print(f"{name}: {d['bytes']} bytes, of zeroes {d['zero']}, Rss {fields['Rss']}, "
          f"huge {fields['AnonHugePages']}")
    assert d["memory"] == "seen" and d["pid"] == int(child.pid)
    assert d["bytes"] + d["absent"] + d["swapped"] == end - start
    assert d["smaps"]["rss"] == fields["Rss"]
    assert d["smaps"]["hugetlb"] == fields["Shared_Hugetlb"] + fields["Private_Hugetlb"]
    assert d["smaps"]["anon_huge"] == fields["AnonHugePages"]
    assert leaf(d, HUGE) >= (fields["AnonHugePages"] > 0)
    return d


def test_process():
    child = Child()
    try:
        mappings = child.mappings()
        for name, address in child.areas.items():
            start, end, fields = next(m for m in mappings if m[0] <= address < m[1])
            d = check_mapping(child, name, start, end, fields)
            if name == "read":
                assert d["zero"] == 2 << 20, d
        address = child.areas["shared"]
        cut = layout_until(lambda d: d["bytes"] == 16 * PAGE,
                           "--pid", child.pid, "--range", f"{address:x}-{address + 16 * PAGE:x}")
        assert cut["smaps"] is None
        total = sum(in_memory(fields) for _, _, fields in mappings)
        whole = layout_until(lambda d: d["bytes"] - d["zero"] == total, "--pid", child.pid)
        print(f"the whole process: {whole['bytes']} bytes, of zeroes {whole['zero']}")
        text = run("--pid", child.pid).stdout
        assert "looked at, not pinned" in text.split("\n")[0] and "smaps says" in text, text
    finally:
        child.end()
    done = run("--pid", child.pid)
    assert done.returncode == 1 and "there is none" in done.stderr


def expect(status, pattern, *args, right=True):
    done = run(*args, right=right)
    assert done.returncode == status, f"{args}: exit {done.returncode}: {done.stderr}"
    assert re.search(pattern, done.stderr), f"{args}: {done.stderr}"
    assert done.stderr.count("\n") == 1 and not done.stdout, f"{args}: {done.stderr}{done.stdout}"


def test_errors():
    expect(2, "not a size", "--size", "4q")
    expect(2, "whole pages", "--size", "4095")
    expect(2, "whole pages", "--size", "0")
    expect(2, "one of anon, thp, hugetlb, memfd, file:PATH", "--backing", "disk")
    expect(2, "one of", "--backing", "file:")
    expect(2, "not a process's number", "--pid", "0")
    expect(2, "not a process's number", "--pid", "self")
    expect(2, "not a process's number", "--pid", "4294967297")
    expect(2, "leave --size", "--pid", "1", "--size", "4k")
    expect(2, "leave --size", "--pid", "1", "--backing", "anon")
    expect(2, "needs --pid", "--range", "1000-2000")
    expect(2, "hexadecimal", "--pid", "1", "--range", "1000")
    expect(2, "hexadecimal", "--pid", "1", "--range", "1000-")
    expect(2, "hexadecimal", "--pid", "1", "--range", "1000-2000z")
    for text in ("-1000-2000", " -2000-ffffffffffffe000", "1000- 2000", "1000- -1000", "1000--1000",
                 "+1000-2000", "1000-10000000000000000", "10000000000001000-2000", "", "-"):
        expect(2, "hexadecimal", "--pid", "1", "--range", text)
    expect(2, "whole pages", "--pid", "1", "--range", "2000-1000")
    expect(2, "whole pages", "--pid", "1", "--range", "1000-2001")
    expect(2, "not a number", "--seed", "x")
    expect(2, "takes options only", "sim:disk")
    expect(2, "unknown option", "--frob")
    expect(2, "value is missing", "--size")
    expect(1, "No such file", "--backing", "file:/no/where")
    expect(1, "not a regular file", "--backing", "file:/dev/null")
    expect(1, "not a regular file", "--backing", "file:/")
    expect(1, "the file is empty", "--backing", "file:/proc/self/maps")
    expect(1, "more than the file has", "--backing", "file:" + PHYR, "--size", "8g")
    expect(1, "there is none", "--pid", str(2**22 + 1))
    expect(1, "nothing of that is in memory", "--pid", str(os.getpid()), "--range", "1000-2000")
    done = run("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: phyr layout")


def main():
    test_errors()
    test_simulated()
    memory = may_pin()
    if memory != "simulated":
        expect(1, "are available", "--size", "1000t")
        test_own(memory)
        test_file()
        test_hugetlb()
        test_process()
    for what in skipped:
        print(f"SKIPPED: {what}")
    sys.exit(77 if memory == "simulated" else 0)


main()
