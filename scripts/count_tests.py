#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Count results in logs that `meson test` left: count_tests.py LOG.json... A log that is not there
is a run that did not come to its tests, and counts as one failure. Skipped tests are named."""
import json
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def results(path):
    try:
        with open(path, encoding="utf-8") as log:
            for line in log:
                entry = json.loads(line)
                yield entry["name"], entry["result"]
    except FileNotFoundError:
        yield path, "no log: the build failed"


def main():
    passed, failed, skipped = 0, 0, []
    for path in sys.argv[1:]:
        for name, result in results(path):
            if result in PASSED:
                passed += 1
            elif result == "SKIP":
                skipped.append(name)
            else:
                failed += 1
    text = f"{passed} passed, {failed} failed"
    if skipped:
        text += f", {len(skipped)} skipped ({', '.join(skipped)})"
    print(text)


if __name__ == "__main__":
    main()
