#!/usr/bin/env python3
"""How long a SQLite program's TRUNCATE checkpoints take with and without ccr, in turns, beside a writer, each tried until it is done.

    bench/sqlite_checkpoint.py [--seconds 10] [--pairs 3] [--role pace|share]

The promise: p99 at most 20 ms above the same program's without ccr. Exit code 1 when the median of the pairs misses it.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "real"))

from sqlite_original import Original  # noqa: E402
from sqlite_pair import SqlitePair, program  # noqa: E402

ADDED_MS_MAX = 20
PAUSE_MS = 5


def play(original, options):
    writer = original.start(options.role, options.seconds, "PRAGMA synchronous=NORMAL")
    said = original.app("truncate", options.seconds, PAUSE_MS)
    said["commits"] = original.ended(writer)["commits"]
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of each run [10]")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--role", choices=("pace", "share"), default="pace", help="pace: a millisecond between transactions; share: none [pace]")
    parser.add_argument("--ccr", type=Path, default=ROOT / "build/release/tools/ccr", metavar="FILE")
    options = parser.parse_args()
    added = []
    with SqlitePair(SimpleNamespace(ccr=options.ccr, keeps=False), ["captured"]) as pair:
        captured = pair.originals["captured"]
        plain = Original(pair.alpha.directory / "plain.db", program(pair))
        for original in (plain, captured):
            original.create()
        pair.begin()
        for number in range(options.pairs):
            ways = [("without", plain), ("with   ", captured)]
            said = {}
            for words, original in ways if number % 2 == 0 else reversed(ways):
                said[words] = one = play(original, options)
                pair.captured("captured")
                print(f"   {words} {one['truncates']:5.0f} checkpoints, ms p50 {one['p50_ms']:.1f} p99 {one['p99_ms']:.1f} worst {one['worst_ms']:.1f}, "
                      f"answered busy {one['refused']:.0f} times; {one['commits']:.0f} commits", flush=True)
            added.append(said["with   "]["p99_ms"] - said["without"]["p99_ms"])
        lost = pair.losses("captured")
        pair.prove()
    median = statistics.median(added)
    print(f"   ccr adds {median:.1f} ms to the p99 ({', '.join(f'{each:.1f}' for each in added)}), at most {ADDED_MS_MAX} wanted;"
          f" continuity lost {len(lost)} times; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if median <= ADDED_MS_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
