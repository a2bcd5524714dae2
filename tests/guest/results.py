# SPDX-License-Identifier: MIT
"""The table of checks, and what a check's output comes to.

A row of the table is a command. By its form it is one check (program: its exit status), or several
(script: the "GUEST CHECK" lines that it prints; cmocka: its tests, in TAP), and every planned row yields at
least one result, whatever becomes of the guest."""
import fnmatch
import re
import signal
from dataclasses import dataclass, field

SKIP = 77
FORMS = ("program", "script", "cmocka")

GUEST_CHECK = re.compile(r"GUEST CHECK (pass|fail|skip) ([^\s:]+)(?:: *(.*))?$")
TAP = re.compile(r"(ok|not ok) \d+ (?:- )?(# SKIP )?(.*)$")
NOT_RUN = " Could not run test"  # cmocka writes it behind a name, and why
TAP_PLAN = re.compile(r"1\.\.(\d+)$")
TAP_COMMENT = re.compile(r"# ?(.*\S)")


class TableError(Exception):
    """The table of checks can't be understood."""


@dataclass
class Row:
    """One line of the table."""
    name: str
    form: str
    seconds: int
    guests: str
    command: str

    def wants(self, guest, checks):
        return matches(guest, self.guests) and matches(self.name, checks)


def matches(name, patterns):
    """Whether a name is one of some patterns, which commas or spaces part; no pattern is any name."""
    patterns = re.split(r"[,\s]+", patterns.strip()) if patterns.strip() else ["*"]
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def read_table(path):
    rows, names = [], set()
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.split(None, 4)
            if not fields or fields[0].startswith("#"):
                continue
            if len(fields) < 5 or fields[1] not in FORMS or not fields[2].isdigit() or fields[0] in names:
                raise TableError(f"{path}:{number}: not 'NAME {'|'.join(FORMS)} SECONDS GUESTS COMMAND', "
                                 "or a name used before")
            names.add(fields[0])
            rows.append(Row(fields[0], fields[1], int(fields[2]), fields[3], fields[4].strip()))
    return rows


@dataclass
class Result:
    """What one check came to: pass, fail or skip."""
    status: str
    name: str
    why: str = ""

    def line(self, guest):
        return f"GUEST CHECK {self.status} {guest}/{self.name}" + (f": {self.why}" if self.why else "")


@dataclass
class RowRun:
    """A row that runs, or has run: its output, and in `console` also what the kernel said meanwhile."""
    row: Row
    output: list = field(default_factory=list)
    console: list = field(default_factory=list)

    def results(self, status, took, limit):
        """What it came to; status None: the guest ended before it did."""
        end = how_ended(status, took, limit)
        if self.row.form == "program":
            return [self.program_result(status, end)]
        found, planned = self.script_results() if self.row.form == "script" else self.tap_results()
        failed = any(result.status == "fail" for result in found)
        if status == SKIP and not failed:
            return found or [Result("skip", self.row.name, self.last_line())]
        wrong = [] if status == 0 or (failed and status is not None and status < 128) else [end]
        if len(found) != planned or not found:
            wrong.append(f"{len(found)} of {planned or 'some'} checks said how they went")
        return found + ([Result("fail", self.row.name, "; ".join(wrong))] if wrong else [])

    def program_result(self, status, end):
        if status == 0:
            return Result("pass", self.row.name)
        if status == SKIP:
            return Result("skip", self.row.name, self.last_line())
        return Result("fail", self.row.name, end)

    def script_results(self):
        """The results that it printed, and how many were to be: it has no plan but its exit status."""
        lines = (GUEST_CHECK.match(line) for line in self.output)
        own = f"{self.row.name}/"
        found = [Result(match[1], own + match[2].removeprefix(own), match[3] or "") for match in lines if match]
        return found, len(found)

    def tap_results(self):
        """A test's own "# " lines come before its verdict; the last is shown. Why it failed comes behind."""
        found, planned, said = [], 0, ""
        for line, behind in zip(self.output, [*self.output[1:], ""]):
            plan, test, comment = TAP_PLAN.match(line), TAP.match(line), TAP_COMMENT.match(line)
            if plan:
                planned += int(plan[1])
            elif test:
                found.append(self.tap_result(*test.groups(), said, behind))
            if not plan:
                said = comment[1] if comment else "" if test else said
        return found, planned

    def tap_result(self, verdict, skipped, name, said, behind):
        name = f"{self.row.name}/{'-'.join(name.partition(NOT_RUN)[0].split()) or '?'}"
        if skipped:  # cmocka 1.1.5 writes "not ok" before it
            return Result("skip", name, said)
        if verdict == "ok":
            return Result("pass", name, said)
        why = TAP_COMMENT.match(behind)
        return Result("fail", name, why[1] if why else "")

    def last_line(self):
        lines = [line for line in self.output if line.strip()]
        return lines[-1] if lines else ""


def how_ended(status, took, limit):
    if status is None:
        return "the guest ended before it did"
    if status < 128:
        return f"exit status {status}"
    if status == 128 + signal.SIGKILL and took >= limit:
        return f"killed after {limit:g} s"
    try:
        return f"ended by {signal.Signals(status - 128).name}"
    except ValueError:
        return f"exit status {status}"
