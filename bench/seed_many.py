#!/usr/bin/env python3
"""What a gigabit gives one seed, and several at once, and how they share it, while another database writes 5 MB/s.

  bench/seed_many.py --ccr FILE [--rounds 3] [--databases 4] [--size 512MiB] [--rate 1gbit] [--load 5] [--streams auto]

A veth pair held by TBF, TLS and all checks on, SQLite files of random pages, which do not compress, in --dir, memory by default. Each round:
iperf3 on the same link; one seed alone; all at once. MB/s are the databases' bytes from the command to the last `healthy`. Shares are what
each seed had done in the ten seconds from the third on, against their mean. The lag is the loaded database's, looked at ten times a second.
Needs root and iperf3."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "tests" / "real"))

import link_table  # noqa: E402
from cluster import Cluster, Database, until  # noqa: E402
from network import Cable  # noqa: E402

compare = link_table.compare
ALONE_MIN, TOGETHER_MIN, APART_MAX, LAG_MAX = 0.95, 0.97, 0.10, 2.0
SHARES_FROM, SHARES_SECONDS = 3, 10
IPERF_SECONDS = 6


def iperf3(cluster):
    """MB/s of one stream from alpha to beta."""
    alpha, beta = (cluster.network.prefix(name) for name in ("alpha", "beta"))
    address = cluster.network.address("beta").rsplit(":", 1)[0]
    said = link_table.iperf3_between(alpha, beta, address, IPERF_SECONDS, "-O", "1")
    return said["end"]["sum_received"]["bits_per_second"] / 8e6


class Watch(threading.Thread):
    """The lag of the loaded database, and how far each seed is, ten times a second."""

    def __init__(self, beta, names):
        super().__init__()
        self.beta, self.names, self.over = beta, names, threading.Event()
        self.lags, self.done = [], []  # seconds; (time, bytes of each)

    def run(self):
        while not self.over.wait(0.1):
            status = self.beta.ask("status")["databases"]
            copies = {one["name"]: copy for one in status for copy in one["copies"] if copy["node"] == "beta"}
            self.lags.append(copies["busy"]["lag_seconds"] or 0.0)
            self.done.append((time.monotonic(), [copies[name]["seed"]["done_bytes"] or 0 for name in self.names]))

    def shares(self, begun):
        """The largest distance of one seed's bytes from their mean, over SHARES_SECONDS; None where it was over sooner."""
        first = next((d for d in self.done if d[0] >= begun + SHARES_FROM), None)
        last = next((d for d in self.done if d[0] >= begun + SHARES_FROM + SHARES_SECONDS), None)
        if first is None or last is None:
            return None
        moved = [after - before for before, after in zip(first[1], last[1])]
        mean = statistics.mean(moved)
        return max(abs(one - mean) for one in moved) / mean if min(moved) > 0 else None


def seeds(cluster, names, streams):
    """MB/s of all together, the largest lag of log meanwhile, and how far the shares are apart."""
    beta = cluster["beta"]
    watch = Watch(beta, names)
    watch.start()
    begun = time.monotonic()
    for name in names:
        beta.ccr("seed", f"{name}@beta", "--detach", "--streams", streams)
    for name in names:
        until(lambda name=name: beta.copy(name)["state"] == "healthy", 600, f"{name} is not healthy")
    took = time.monotonic() - begun
    watch.over.set()
    watch.join()
    size = sum(cluster["alpha"].database_path(name).stat().st_size for name in names)
    return {"rate": size / took / 1e6, "lag": max(watch.lags), "apart": watch.shares(begun)}


def measure(options):
    names = [f"d{i}" for i in range(options.databases)]
    databases = [Database("busy", "pages")] + [Database(name, "sqlite") for name in names + ["alone"]]
    with Cluster(options.ccr, databases, network=lambda nodes: Cable(nodes, rate=options.rate), tls=True) as cluster:
        for name in names + ["alone"]:
            compare.make_database(cluster["alpha"].directory / f"{name}.db", options.size)
        cluster.start()
        cluster["beta"].ask("seed", database="busy", node="beta")
        cluster["beta"].wait_settled("busy", 60)
        carried = iperf3(cluster)
        load = subprocess.Popen(cluster["alpha"].command("load", "busy", "--rate", f"{options.load}MB/s", "--seconds", "600"),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            alone = seeds(cluster, ["alone"], options.streams)
            together = seeds(cluster, names, options.streams)
        finally:
            load.terminate()
            load.wait()
    left = carried - options.load
    return {"iperf3": carried, "alone": alone, "together": together, "alone_share": alone["rate"] / left, "together_share": together["rate"] / left}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccr", default=str(HERE.parent / "build" / "release" / "tools" / "ccr"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--databases", type=int, default=4)
    parser.add_argument("--size", type=compare.size_of, default=512 << 20, help="of each [512MiB]")
    parser.add_argument("--rate", default="1gbit")
    parser.add_argument("--load", type=float, default=5, help="MB/s of pages [5]")
    parser.add_argument("--streams", default="auto")
    parser.add_argument("--dir", default="/dev/shm")
    options = parser.parse_args()
    tempfile.tempdir = options.dir
    rounds = []
    for _ in range(options.rounds):
        said = measure(options)
        rounds.append(said)
        apart = "unknown" if said["together"]["apart"] is None else f"{said['together']['apart']:.1%}"
        print(f"   iperf3 {said['iperf3']:.1f}; alone {said['alone']['rate']:.1f} ({said['alone_share']:.1%} of what the load leaves), lag at most "
              f"{said['alone']['lag']:.3f} s; {options.databases} at once {said['together']['rate']:.1f} ({said['together_share']:.1%}), apart by at most "
              f"{apart}, lag at most {said['together']['lag']:.3f} s", flush=True)
    alone = statistics.median(said["alone_share"] for said in rounds)
    together = statistics.median(said["together_share"] for said in rounds)
    apart = [said["together"]["apart"] for said in rounds if said["together"]["apart"] is not None]
    lag = max(max(said["alone"]["lag"], said["together"]["lag"]) for said in rounds)
    print(f"   medians: alone {alone:.1%} ({ALONE_MIN:.0%} wanted), at once {together:.1%} ({TOGETHER_MIN:.0%} wanted), apart "
          f"{statistics.median(apart) if apart else float('nan'):.1%} ({APART_MAX:.0%}), lag at most {lag:.3f} s ({LAG_MAX:.0f} s)")
    held = alone >= ALONE_MIN and together >= TOGETHER_MIN and lag < LAG_MAX and apart and statistics.median(apart) <= APART_MAX
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
