#!/usr/bin/env python3
"""What databases cost that nobody uses: the same two nodes with one database and with many, each seeded, healthy and at rest.

    bench/idle.py [--databases 1000] [--seconds 60] [--kind pages]

Prints each node's share of a core over that time, and how much more resident memory a database takes. The bounds: together under
2 % of a core for 1,000, under 100 KB for each database on each node. Exit code 1 when one is missed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "real"))

from cluster import Cluster, Database  # noqa: E402

CORE_SHARE_MAX = 0.02  # both nodes together, with 1,000 databases
BYTES_MAX = 100_000    # of a database on a node
REST_SECONDS = 90       # until what follows the last commit is done: the idle roll after a minute, then rest
COMMIT_SECONDS = 0.01


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(options, count):
    """Of each node: its share of a core, its resident bytes."""
    databases = [Database(f"db{number:04}", kind=options.kind) for number in range(count)]
    with Cluster(options.ccr, databases=databases) as cluster:
        cluster.start().seed()
        if options.kind == "pages":
            for database in databases:
                cluster["alpha"].ask("load", database=database.name, seconds=COMMIT_SECONDS, rate=1, pattern="seq")
        nodes = [cluster["alpha"], cluster["beta"]]
        for database in databases:
            cluster["beta"].wait_settled(database.name, seconds=120)
        time.sleep(REST_SECONDS)
        before = [cpu_seconds(node.pid) for node in nodes]
        time.sleep(options.seconds)
        shares = [(cpu_seconds(node.pid) - spent) / options.seconds for node, spent in zip(nodes, before)]
        return shares, [resident_bytes(node.pid) for node in nodes]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", choices=("pages", "sqlite"), default="pages")
    parser.add_argument("--ccr", type=Path, default=ROOT / "build/release/tools/ccr", metavar="FILE")
    options = parser.parse_args()
    few_shares, few_bytes = measure(options, 1)
    shares, many_bytes = measure(options, options.databases)
    each = [(many - few) / (options.databases - 1) for many, few in zip(many_bytes, few_bytes)]
    for name, share, alone, more in zip(("alpha", "beta"), shares, few_shares, each):
        print(f"   {name}: {share:.1%} of a core with {options.databases} databases, {alone:.1%} with one; {more / 1000:.0f} KB for each")
    share = sum(shares) * 1000 / options.databases
    print(f"   together {share:.1%} of a core for 1,000 databases (at most {CORE_SHARE_MAX:.0%} wanted), at most {max(each) / 1000:.0f} KB for each"
          f" (at most {BYTES_MAX // 1000} wanted); load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if share <= CORE_SHARE_MAX and max(each) <= BYTES_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
