#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What --json promises: check_json.py io|bench ROWS < FILE. Each row has exactly these keys, of these types."""
import json
import sys

NUMBER = (int, float)
LATENCIES = {"p50": NUMBER, "p99": NUMBER, "p999": NUMBER}
LEAKED = {"iova": int, "tables": int, "pages": int}
PATHS = {"perpage": int, "twostep": int, "same": int, "window": int, "ranges": int}
IO = {"map": str, "iommu": str, "ios": int, "bytes": int, "seconds": NUMBER, "iops": NUMBER,
      "mib_s": NUMBER, "lat_us": LATENCIES, "map_ns_per_io": NUMBER, "unmap_ns_per_io": NUMBER,
      "desc_ns_per_io": NUMBER, "links": int, "walks": int, "ptes": int, "syncs": int,
      "invalidations": int, "iotlb_hits": int, "iotlb_misses": int, "faults": int,
      "verify_errors": int, "leaked": LEAKED, "paths": PATHS, "sha256": (str, type(None))}
BENCH = {"name": str, "ns": NUMBER, "min_ns": NUMBER, "per": str, "ratio": NUMBER, "limit": str}
LIMITS = {"memset_ns": NUMBER, "copy_ns": NUMBER, "l1_load_ns": NUMBER, "atomic_ns": NUMBER,
          "clock_ns": NUMBER}


def check(where, value, shape):
    if not isinstance(shape, dict):
        assert isinstance(value, shape) and not isinstance(value, bool), f"{where}: {value!r}"
        return
    assert value.keys() == shape.keys(), f"{where}: {sorted(value.keys() ^ shape.keys())}"
    for key, part in shape.items():
        check(f"{where}.{key}", value[key], part)


def main():
    kind, rows = sys.argv[1], int(sys.argv[2])
    top = json.load(sys.stdin)
    assert len(top["rows"]) == rows, f"{len(top['rows'])} rows"
    for number, row in enumerate(top["rows"]):
        check(f"rows[{number}]", row, IO if kind == "io" else BENCH)
        if kind == "io":
            assert sum(row["paths"].values()) > 0, f"rows[{number}]: no path was taken"
        else:
            assert 0 < row["min_ns"] <= row["ns"], f"rows[{number}]: min_ns is over the median"
    if kind == "bench":
        check("limits", top["limits"], LIMITS)


main()
