# SPDX-License-Identifier: MIT
"""QEMU as a process: what it can still say about a guest that has stopped. Its monitor tells the processors'
registers, or, where it does not answer, that QEMU's own main loop is stuck; the host tells what its threads do."""
import re
import selectors
import socket
import time
from pathlib import Path

ANSWER_SECONDS = 5
PROMPT = b"(qemu) "
LEFT_OUT = re.compile(r"^(QEMU |\(qemu\) |.*\x1b|\s*$|FCW|FPR|XMM|YMM|DR)")  # greeting, echo, what says nothing here
QUESTIONS = ("info status", "info registers -a", "info lapic 0", "info lapic 1")
WATCHED_SECONDS = 1


class Monitor:
    """QEMU's monitor on a pair of sockets; nothing lies in the file system."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)

    def arguments(self):
        return ["-chardev", f"socket,id=monitor,fd={self.theirs.fileno()}", "-mon", "chardev=monitor,mode=readline"]

    def close(self):
        self.ours.close()
        self.theirs.close()

    def ask(self, question):
        """The lines of an answer; empty where none came in time."""
        try:
            self.read(b"", 0)
            self.ours.send(question.encode() + b"\n")
            return tidy(self.read(b"\n" + PROMPT, ANSWER_SECONDS))
        except OSError:
            return []

    def read(self, end, seconds):
        """What is there, and what comes until this end or for so long."""
        data, until = b"", time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.ours, selectors.EVENT_READ)
            while selector.select(max(0, until - time.monotonic())):
                more = self.ours.recv(1 << 16)
                data += more
                if not more or (end and data.endswith(end)):
                    break
        return data


def tidy(answer):
    lines = answer.decode("ascii", "replace").replace("\r", "").split("\n")
    return [line for line in lines if not LEFT_OUT.match(line)]


def threads(pid):
    """{thread: (name, state, ticks that it has run)}"""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            match = re.match(r"\d+ \((.*)\) (\S)(?: \S+){10} (\d+) (\d+)", (task / "stat").read_text())
        except OSError:
            continue
        if match:
            found[task.name] = (match[1], match[2], int(match[3]) + int(match[4]))
    return found


def what_threads_do(pid):
    before = threads(pid)
    time.sleep(WATCHED_SECONDS)
    return [f"thread {task} {name}: state {state}, {ran - before[task][2]} ticks in {WATCHED_SECONDS} s"
            for task, (name, state, ran) in threads(pid).items() if task in before]


def examine(pid, monitor):
    """Lines for whoever wants to know why a guest has stopped."""
    lines = what_threads_do(pid)
    for question in QUESTIONS:
        answer = monitor.ask(question)
        lines += [f"(qemu) {question}", *(answer or ["no answer: QEMU's main loop is stuck, too"])]
        if not answer:
            break
    return lines
