#!/usr/bin/env python3
"""What ccr costs a SQLite program that commits as fast as it can: the same program with and without it, in turns, on this machine.

    bench/sqlite_writer.py [--seconds 60] [--pairs 3] [--alone]

Both nodes of a pair run here, so what beta takes counts too, unless --alone leaves it out, as where it is another host. One database is
captured, the other lies beside it and ccr does not know it. The floor: the program keeps at least 80 % of its speed (median of the
pairs), and the capture is less than a second behind at its end. Exit code 1 when it is missed.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "real"))

from cluster import Database  # noqa: E402
from sqlite_original import Original  # noqa: E402
from sqlite_pair import SqlitePair, program  # noqa: E402
from trial import mib  # noqa: E402

SHARE_MIN = 0.8
LAG_SECONDS_MAX = 1.0
LOOK_SECONDS = 0.25


def play(original, options, source_of):
    """One run of the program: what it says, the longest WAL, the last lag of the capture (None without ccr)."""
    writer = original.start(options.role, options.seconds, f"PRAGMA synchronous={options.synchronous}")
    said = {"wal": 0, "lag": None, "lag_max": 0}
    while writer.poll() is None:
        said["wal"] = max(said["wal"], original.wal_bytes())
        if source := source_of():
            said["lag"] = source["lag_seconds"]
            said["lag_max"] = max(said["lag_max"], source["lag_seconds"])
        time.sleep(LOOK_SECONDS)
    said.update(original.ended(writer))
    return said


def line_of(words, said):
    lag = "" if said["lag"] is None else f", capture behind by {said['lag']:.3f} s at the end, {said['lag_max']:.3f} s at most"
    return (f"{words} {said['rate']:8.0f} commits/s, ms p50 {said['p50_ms']:.3f} p99 {said['p99_ms']:.3f} p99.9 {said['p999_ms']:.2f}, "
            f"WAL at most {mib(said['wal'])}{lag}")


def compare(pair, plain, options):
    captured = pair.originals["captured"]
    runs = []
    for number in range(options.pairs):
        ways = [("without", plain, lambda: None), ("with   ", captured, lambda: (pair.alpha.copy("captured") or {}).get("source"))]
        said = {}
        for words, original, source_of in ways if number % 2 == 0 else reversed(ways):
            said[words] = play(original, options, source_of)
            print("  ", line_of(words, said[words]), flush=True)
            pair.captured("captured")
        runs.append((said["with   "]["rate"] / said["without"]["rate"], said["with   "]))
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each run [60]")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--role", choices=("write", "pace"), default="write", help="pace: a millisecond between two transactions [write]")
    parser.add_argument("--synchronous", default="NORMAL")
    parser.add_argument("--alone", action="store_true", help="without beta")
    parser.add_argument("--ccr", type=Path, default=ROOT / "build/release/tools/ccr", metavar="FILE")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the database's table in the configuration, such as wal_limit=16MiB")
    options = parser.parse_args()
    with SqlitePair(SimpleNamespace(ccr=options.ccr, keeps=False), [Database("captured", kind="sqlite", options=dict(each.split("=") for each in options.set))]) as pair:
        plain = Original(pair.alpha.directory / "plain.db", program(pair))
        for original in (plain, pair.originals["captured"]):
            original.create()
        if options.alone:
            pair.alpha.start().wait_serving()
            pair.mounted("captured")
        else:
            pair.begin()
        runs = compare(pair, plain, options)
        lost = pair.losses("captured")
    share = statistics.median(run[0] for run in runs)
    lag = max(run[1]["lag"] for run in runs)
    busy = pair.originals["captured"].busy
    print(f"   with ccr {share:.0%} of the speed without ({', '.join(f'{run[0]:.0%}' for run in runs)}), at least {SHARE_MIN:.0%} wanted;"
          f" capture behind by at most {lag:.3f} s at the end, SQLITE_BUSY {busy}, continuity lost {len(lost)} times;"
          f" load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if share >= SHARE_MIN and lag < LAG_SECONDS_MAX and busy == 0 and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
