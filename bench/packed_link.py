#!/usr/bin/env python3
"""What compression makes of shipping a log through a gigabit and over loopback: a copy catches up, with each setting in turn.

  bench/packed_link.py --ccr FILE [--settings none,auto,zstd:1] [--links 1gbit,loopback] [--seconds 5] [--rounds 3] [--log-mib 2500]

The log is that of a SQLite database whose pages shrink to a third (a third of each is random). TLS is on, files are in --dir, memory by
default. Printed: MB/s of log and on the wire, as alpha counts them, and the cores that alpha and beta took; of the gigabit also as a share of
what iperf3 carries beside it. The gigabit needs root, iperf3 and the link emulator."""

import argparse
import os
import shutil
import sqlite3
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
WARM_SECONDS = 3
ROW_BYTES = 3900  # one row on a page
ROWS_A_COMMIT = 64
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


class Backlog:
    """A log that beta lacks, made once; each case starts from it."""

    def __init__(self, options, directory):
        self.options, self.dir, self.kept = options, directory, directory / "kept"
        with self.nodes(link_table.Here, "none") as nodes:
            nodes.seed()
            beta = list(nodes.crowd.running.values())[1]  # in the order of their starts
            beta.terminate()
            nodes.crowd.wait(beta)
            self.write(nodes)
        self.live = nodes.dir
        shutil.copytree(self.live, self.kept)

    def nodes(self, place, setting):
        bench = argparse.Namespace(options=self.options, place=place, dir=self.dir)
        database = self.dir / "ccr-sqlite" / "alpha" / "bench.db"
        database.parent.mkdir(parents=True, exist_ok=True)
        if not database.exists():
            self.connect(database).close()
        return compare.Nodes(bench, "sqlite", f'compression = "{setting}"', tls=True)

    def connect(self, path):
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA synchronous = off")
        connection.execute("CREATE TABLE IF NOT EXISTS filled (id INTEGER PRIMARY KEY, bytes BLOB)")
        return connection

    def write(self, nodes):
        connection = self.connect(nodes.dir / "alpha" / "bench.db")
        number = 0
        while nodes.copy("alpha", "alpha")["generated"]["generation"] < self.options.log_mib:
            for _ in range(20):
                rows = [((number + row) % 20000, os.urandom(ROW_BYTES // 3) + bytes(ROW_BYTES - ROW_BYTES // 3)) for row in range(ROWS_A_COMMIT)]
                number += ROWS_A_COMMIT
                connection.execute("BEGIN")
                connection.executemany("INSERT OR REPLACE INTO filled VALUES (?, ?)", rows)
                connection.execute("COMMIT")
        compare.until(lambda: nodes.copy("alpha", "alpha")["source"]["uncaptured_bytes"] == 0, 120)
        connection.close()

    def measure(self, place, setting):
        shutil.rmtree(self.live)
        shutil.copytree(self.kept, self.live)
        with self.nodes(place, setting) as nodes:
            nodes.until_state("alpha", ("mounted",))
            pids = list(nodes.crowd.running)

            def counted():
                told = nodes.copy("beta", "alpha")["shipped"] or {"logical_bytes": 0, "wire_bytes": 0}
                return (time.monotonic(), told["logical_bytes"], told["wire_bytes"], *map(processor_seconds, pids)), told

            compare.until(lambda: counted()[0][1] > 0)
            time.sleep(WARM_SECONDS)
            before, _ = counted()
            time.sleep(self.options.seconds)
            after, told = counted()
            left = nodes.copy("beta", "alpha")["copy_queue"]
            if not left or left["bytes"] < 16 << 20:
                raise RuntimeError(f"the log was caught up with: --log-mib above {self.options.log_mib}")
        took = after[0] - before[0]
        log, wire, alpha, beta = ((after[i] - before[i]) / took for i in (1, 2, 3, 4))
        return {"log": log / 1e6, "wire": wire / 1e6, "alpha": alpha, "beta": beta, "level": told["level"], "reason": told["reason"]}


def measure(backlog, options, case):
    link, setting = case
    if link == "loopback":
        return backlog.measure(link_table.Here, setting)
    with link_table.lab_of("--rate", link, "--rtt", "0.2ms", by="emulator") as lab:
        if setting == "iperf3":
            carried = link_table.iperf3(lab, "cubic", True, options.seconds)["mbit"] / 8
            return {"log": carried, "wire": carried, "alpha": 0, "beta": 0, "level": 0, "reason": ""}
        return backlog.measure(link_table.LabPlace(lab), setting)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccr", default=str(HERE.parent / "build" / "release" / "tools" / "ccr"))
    parser.add_argument("--settings", default="none,auto,zstd:1")
    parser.add_argument("--links", default="1gbit,loopback")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--log-mib", type=int, default=2500)
    parser.add_argument("--dir", default="/dev/shm")
    options = parser.parse_args()
    cases = [(link, setting) for link in options.links.split(",")
             for setting in (["iperf3"] if link != "loopback" else []) + options.settings.split(",")]
    with tempfile.TemporaryDirectory(prefix="ccr-packed-", dir=options.dir) as directory:
        backlog = Backlog(options, Path(directory))
        found = link_table.in_turn(cases, options.rounds, lambda case: measure(backlog, options, case))
    print("\n| link | setting | MB/s of log | of each round | on the wire | of iperf3 | cores alpha, beta | at the end |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (link, setting), results in found.items():
        log, wire = (statistics.median(result[key] for result in results) for key in ("log", "wire"))
        best = found.get((link, "iperf3"))
        share = f"{log / statistics.median(result['log'] for result in best):.2f}" if best else "-"
        cores = ", ".join(f"{statistics.median(result[node] for result in results):.2f}" for node in ("alpha", "beta"))
        print(f"| {link} | {setting} | {log:.0f} | {', '.join(format(result['log'], '.0f') for result in results)} | {wire:.0f} | {share} | "
              f"{cores} | {results[-1]['level']}: {results[-1]['reason']} |")


if __name__ == "__main__":
    main()
