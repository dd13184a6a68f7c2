#!/usr/bin/env python3
"""What a copy uses of a gigabit to catch up after a suspension, while the load that made the backlog goes on.

  bench/catch_up.py --ccr FILE [--rounds 3] [--load 50] [--suspended 60] [--seconds 15]

A veth pair held to a gigabit by TBF, TLS and all checks on, pages that do not compress, files in --dir, memory by default. Each round begins with
iperf3 on the same link. Printed: MB/s of iperf3, of the load's log, of what reached beta by its kernel's count, and how much of what the load
leaves the catch-up used; at least 95 % is wanted. Needs root and iperf3."""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import link_table  # noqa: E402

compare = link_table.compare
SHARE_MIN = 0.95
WARM_SECONDS = 4  # until the window is as long as the link
LEFT_MIN = 64 << 20  # of log that beta still lacks at the end of a measurement


def measure(options, directory):
    """One round: MB/s of iperf3, of log that the load wrote, of what reached beta meanwhile."""
    with link_table.lab_of("--rate", "1gbit", by="tbf") as lab:
        carried = link_table.iperf3(lab, "cubic", True, options.seconds)["mbit"] / 8
        place = link_table.LabPlace(lab)
        bench = argparse.Namespace(options=options, place=place, dir=directory)
        with compare.Nodes(bench, "pages", tls=True) as nodes:
            nodes.seed()
            nodes.ask("beta", "suspend", "bench@beta", "--comment", "while the load goes on")
            seconds = options.suspended + WARM_SECONDS + options.seconds + 20
            nodes.crowd.start(nodes.command("alpha", "load", "bench", "--rate", f"{options.load}MB/s", "--seconds", str(seconds), "--pattern", "seq",
                                            "--transaction-pages", "64"), stdout=subprocess.DEVNULL)
            time.sleep(options.suspended)
            nodes.ask("beta", "resume", "bench@beta")
            time.sleep(WARM_SECONDS)

            def counted():
                return time.monotonic(), compare.log_bytes(nodes.copy("alpha", "alpha")["generated"]), link_table.received(place)

            before = counted()
            time.sleep(options.seconds)
            after = counted()
            left = compare.log_bytes(nodes.copy("alpha", "alpha")["generated"]) - compare.log_bytes(nodes.copy("beta", "beta")["received"])
            if left < LEFT_MIN:
                raise RuntimeError(f"the log was caught up with: --suspended above {options.suspended}")
    shutil.rmtree(nodes.dir)
    took = after[0] - before[0]
    load, shipped = ((after[i] - before[i]) / took / 1e6 for i in (1, 2))
    return {"iperf3": carried, "load": load, "shipped": shipped, "share": (shipped - load) / (carried - load)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccr", default=str(HERE.parent / "build" / "release" / "tools" / "ccr"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--load", type=int, default=50, help="MB/s of pages [50]")
    parser.add_argument("--suspended", type=int, default=60, help="seconds [60]")
    parser.add_argument("--seconds", type=int, default=15, help="of each measurement [15]")
    parser.add_argument("--dir", default="/dev/shm")
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="ccr-catch-up-", dir=options.dir) as directory:
            rounds.append(measure(options, Path(directory)))
        said = rounds[-1]
        print(f"   iperf3 {said['iperf3']:.1f}, load {said['load']:.1f}, shipped {said['shipped']:.1f} MB/s: {said['share']:.1%} of what the load leaves",
              flush=True)
    share = statistics.median(said["share"] for said in rounds)
    print(f"   median {share:.1%}, at least {SHARE_MIN:.0%} wanted")
    return 0 if share >= SHARE_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
