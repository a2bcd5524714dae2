#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What --json promises: check_json.py io|bench ROWS < FILE. Each row has exactly these keys, of these types."""
import json
import sys

NUMBER = (int, float)
LATENCIES = {"p50": NUMBER, "p99": NUMBER, "p999": NUMBER, "p9999": NUMBER, "max": NUMBER}
BUCKETS = [{"from_ns": int, "count": int}]
MAYBE = (int, type(None))  # what only a simulated machine tells
LEAKED = {"iova": int, "tables": MAYBE, "pages": MAYBE}
WRONG = [{"lba": int, "expected": str, "generation": (int, type(None)), "found": str,
          "found_lba": (int, type(None)), "found_generation": (int, type(None))}]
PATHS = {"perpage": int, "twostep": int, "same": int, "window": int, "ranges": int}
IO = {"map": str, "iommu": str, "ios": int, "bytes": int, "seconds": NUMBER, "iops": NUMBER,
      "mib_s": NUMBER, "lat_us": LATENCIES, "histogram": BUCKETS, "map_ns_per_io": NUMBER,
      "unmap_ns_per_io": NUMBER, "desc_ns_per_io": NUMBER, "links": int, "walks": int, "ptes": int,
      "syncs": int, "invalidations": int, "ioctls": int, "iotlb_hits": MAYBE, "iotlb_misses": MAYBE, "faults": MAYBE,
      "verify_errors": int, "wrong_blocks": WRONG, "leaked": LEAKED, "paths": PATHS, "trims": int, "trim_bytes": int,
      "trims_verified": bool, "retries": int, "rate_share": (*NUMBER, type(None)), "stopped": bool,
      "read_back": bool, "sha256": (str, type(None))}
IO_TOP = {"version": str, "target": str, "rw": str, "bs_min": int, "bs_max": int, "iodepth": int,
          "threads": int, "runtime_s": (*NUMBER, type(None)), "rate_bytes_s": (int, type(None)),
          "rate_iops": (int, type(None)), "timeout_s": NUMBER, "trim_percent": int, "interrupt": bool, "format": (str, type(None)),
          "scatter": (str, type(None)),
          "seed": int, "stopped": bool, "rows": [IO]}
BENCH = {"name": str, "ns": NUMBER, "min_ns": NUMBER, "per": str, "ratio": NUMBER, "limit": str}
LIMITS = {"memset_ns": NUMBER, "copy_ns": NUMBER, "l1_load_ns": NUMBER, "atomic_ns": NUMBER,
          "clock_ns": NUMBER}


def check(where, value, shape):
    if isinstance(shape, list):
        assert isinstance(value, list), f"{where}: {value!r}"
        for number, part in enumerate(value):
            check(f"{where}[{number}]", part, shape[0])
    elif isinstance(shape, dict):
        assert value.keys() == shape.keys(), f"{where}: {sorted(value.keys() ^ shape.keys())}"
        for key, part in shape.items():
            check(f"{where}.{key}", value[key], part)
    else:
        assert isinstance(value, shape), f"{where}: {value!r}"
        assert isinstance(value, bool) == (shape is bool), f"{where}: {value!r}"


def check_place(top):
    """A simulated machine tells all; a real one's faults, tables and pins are the kernel's."""
    sim = top["target"].startswith("sim:")
    assert (top["scatter"] is not None) == sim, "scatter"
    for row in top["rows"]:
        assert row["iommu"] in (("soft", "none") if sim else ("vfio", "iommufd")), row["iommu"]
        for value in (row["iotlb_hits"], row["iotlb_misses"], row["faults"], row["leaked"]["tables"],
                      row["leaked"]["pages"]):
            assert (value is not None) == sim, f"{row['map']}: what a simulated machine tells"
        assert not sim or not row["ioctls"], "a simulated machine makes no ioctls"


def check_io_row(where, row):
    """What holds between a row's numbers."""
    assert not row["ios"] or sum(row["paths"].values()) > 0, f"{where}: no path was taken"
    assert sum(b["count"] for b in row["histogram"]) == row["ios"], f"{where}: buckets and ios differ"
    starts = [b["from_ns"] for b in row["histogram"]]
    assert all(b == (a * 2 or 2) for a, b in zip(starts, starts[1:])), f"{where}: {starts}"
    assert bool(row["wrong_blocks"]) == bool(row["verify_errors"]), f"{where}: wrong blocks are not told"
    for block in row["wrong_blocks"]:
        assert block["expected"] in ("zeroes", "generation", "stamp"), f"{where}: {block}"
        assert (block["generation"] is not None) == (block["expected"] == "generation"), f"{where}: {block}"
        stamped = block["found"] in ("other_block", "other_run", "generation")
        assert stamped or block["found"] in ("zeroes", "no_stamp", "damaged"), f"{where}: {block}"
        assert (block["found_lba"] is not None) == stamped, f"{where}: {block}"
        assert (block["found_generation"] is not None) == stamped, f"{where}: {block}"
    lat = list(row["lat_us"].values())
    assert lat == sorted(lat), f"{where}: percentiles fall: {lat}"
    if starts:
        assert starts[-1] <= row["lat_us"]["max"] * 1000 < starts[-1] * 2 + 2, f"{where}: max is in no bucket"


def main():
    kind, rows = sys.argv[1], int(sys.argv[2])
    top = json.load(sys.stdin)
    assert len(top["rows"]) == rows, f"{len(top['rows'])} rows"
    if kind == "io":
        check("io", top, IO_TOP)
        check_place(top)
        for number, row in enumerate(top["rows"]):
            check_io_row(f"rows[{number}]", row)
        return
    check("limits", top["limits"], LIMITS)
    for number, row in enumerate(top["rows"]):
        for note, value in row.pop("notes").items():
            check(f"rows[{number}].{note}", value, NUMBER)
        check(f"rows[{number}]", row, BENCH)
        assert 0 < row["min_ns"] <= row["ns"], f"rows[{number}]: min_ns is over the median"


main()
