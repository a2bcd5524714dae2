#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of docs/performance.md: bench_table.py [--runs N] [--filter PART] [--keep FILE] PHYR...

Runs `phyr bench` of each build N times, by turns, and prints Markdown: each row's ratio to its limit, a figure a run,
beside the bound that the project has set itself. --keep FILE keeps what was measured, --from FILE prints that again."""
import argparse
import fnmatch
import json
import subprocess
import sys

LIMITS = {"memset": "M", "l1_load": "L", "one_thread": "×"}

# Bounds by row, in the row's own limit; of several patterns the first counts. Two threads want at least theirs.
BOUNDS = (
    ("list/append-scattered", 10), ("list/append-contiguous", 10), ("list/append-mixed", 20), ("list/append-one", 2),
    ("list/iterate-scattered", 9), ("list/iterate-spans", 3), ("list/seek", 60),
    ("iova/pair-4k", 8), ("iova/pair-128k", 8), ("iova/pair-1m", 8),
    ("iova/replace-100k", 80), ("iova/replace-1m", 120), ("*/threads-2", 1.8),
    ("pgtbl/*/map-scattered", 5), ("pgtbl/*/map-scattered-fresh", 8), ("pgtbl/*/map-ranges", 8),
    ("pgtbl/*/map-mixed", 10), ("pgtbl/*/map-short", 4), ("pgtbl/*/map-random", 6), ("pgtbl/*/map-run", 2.5),
    ("pgtbl/*/map-2m", 5), ("pgtbl/*/unmap-all", 0.4), ("pgtbl/*/unmap-partial", 3), ("pgtbl/*/map-one", 3),
    ("pgtbl/*/pair-one", 6), ("pgtbl/*/translate", 4),
)


def arguments():
    parser = argparse.ArgumentParser(description="The tables of docs/performance.md.")
    parser.add_argument("phyr", nargs="*", help="commands to measure, a build each")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--filter", default="", help="rows with this in their names")
    parser.add_argument("--keep", metavar="FILE", help="write what was measured")
    parser.add_argument("--from", dest="source", metavar="FILE", help="print what was kept")
    options = parser.parse_args()
    if bool(options.phyr) == bool(options.source):
        parser.error("either commands to measure, or --from FILE")
    return options


def measure(options):
    """[[a run's JSON, …] of each command]."""
    runs = [[] for _ in options.phyr]
    for number in range(options.runs):
        for phyr, done in zip(options.phyr, runs):
            print(f"run {number + 1} of {phyr}", file=sys.stderr)
            command = [phyr, "bench", "--json"] + (["--filter", options.filter] if options.filter else [])
            done.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
    return runs


def bound_of(name):
    return next((bound for pattern, bound in BOUNDS if fnmatch.fnmatchcase(name, pattern)), None)


def figures(runs, name):
    """A row's ratios, run by run, and whether the middle one is within its bound."""
    ratios = [row["ratio"] for run in runs for row in run["rows"] if row["name"] == name]
    bound, middle = bound_of(name), sorted(ratios)[len(ratios) // 2]
    missed = bound is not None and (middle < bound if name.endswith("threads-2") else middle > bound)
    text = " ".join(f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"
                    for ratio in ratios)
    return f"**{text}**" if missed else text


def notes(runs, name):
    found = {}
    for row in (row for run in runs for row in run["rows"] if row["name"] == name):
        found.update(row.get("notes", {}))
    return ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in found.items())


def print_table(builds):
    first = builds[0][0]
    titles = [f"{runs[0]['compiler']}" for runs in builds]
    print(f"| row | a | bound | {' | '.join(titles)} | |\n|---|---|---|{'---|' * len(titles)}---|")
    for row in first["rows"]:
        name, bound = row["name"], bound_of(row["name"])
        limit = LIMITS.get(row["limit"], row["limit"])
        sign = "≥" if name.endswith("threads-2") else "≤"
        cells = " | ".join(figures(runs, name) for runs in builds)
        print(f"| `{name}` | {row['per']} | {f'{sign} {bound:g}' if bound else ''} {limit} | {cells} | "
              f"{notes(builds[0], name)} |")
    for runs in builds:
        limits = {key: sorted(run["limits"][key] for run in runs)[len(runs) // 2] for key in first["limits"]}
        print(f"\n{runs[0]['compiler']} ({runs[0]['flags']}): " +
              ", ".join(f"{key.removesuffix('_ns')} {value:.3f} ns" for key, value in limits.items()))


def main():
    options = arguments()
    if options.source:
        with open(options.source, encoding="utf-8") as file:
            builds = json.load(file)
    else:
        builds = measure(options)
    if options.keep:
        with open(options.keep, "w", encoding="utf-8") as file:
            json.dump(builds, file)
    print_table(builds)


if __name__ == "__main__":
    main()
