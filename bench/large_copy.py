#!/usr/bin/env python3
"""What a copy costs that is large: a page of it that rotted, found and repaired; the memory of both nodes; and the way back from a fork.

  bench/large_copy.py scrub [--size 10GiB] [--rounds 3] --ccr FILE     a bit is flipped at a random place of the copy's file, behind the daemon's back and
                                                out of the page cache; `ccr scrub --rate unlimited` reads the file once, and the page comes back
  bench/large_copy.py memory [--size 100GiB] --ccr FILE      an SQLite file of that many pages, nearly all of them holes, is mounted, seeded, verified,
                                                and started with again; beside it the same with a hundredth of the pages

  bench/large_copy.py fork [--size 10GiB] [--rounds 3] --ccr FILE       `ccr drill fork`: five generations that only the active copy has, an activation by
                                                force, and the way back of what it had been; the bytes of both ways are a share of the database

Printed: seconds of a pass, bytes of traffic for the page, the repaired file against what it was; peak memory of both nodes, and what a
page of the database takes of it. TLS is on. Files are in --dir [TMPDIR], those of `memory` on a tmpfs of its own, which needs root."""

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "real")]

import link_table  # noqa: E402
import scrub  # noqa: E402
from cluster import Cluster, Database  # noqa: E402
from memory import Peaks  # noqa: E402

compare = link_table.compare
PAGE = 4096
WAIT_SECONDS = 900
ROOM_LEFT_BYTES = 4 << 30
FORK_RATE = "1.2MB/s"  # for five seconds: five generations, and a little
WIRE_BYTES_MAX = PAGE + 1000  # a page, and what asks for it
BYTES_A_PAGE_MAX = 10         # of memory on a node: a digest has eight


def start(cluster):
    """Both nodes, for as long as it takes to read all pages."""
    for node in cluster.nodes.values():
        node.start()
    for node in cluster.nodes.values():
        node.wait_serving()
    cluster["alpha"].wait_state(scrub.DATABASE, "mounted", WAIT_SECONDS)


def seed(beta):
    beta.ask("seed", database=scrub.DATABASE, node="beta", silence=WAIT_SECONDS)
    beta.wait_settled(scrub.DATABASE, WAIT_SECONDS)


def scrub_passes(options):
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < 2 * options.size + ROOM_LEFT_BYTES:
        sys.exit(f"bench/large_copy.py: {2 * options.size + ROOM_LEFT_BYTES >> 30} GiB wanted in {tempfile.gettempdir()}, {free >> 30} are free")
    with Cluster(options.ccr, [Database(scrub.DATABASE, "sqlite")], top={"scrub.every": "off"}, tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        compare.make_database(alpha.database_path(scrub.DATABASE), options.size)
        start(cluster)
        seed(beta)
        size, chance = beta.database_path(scrub.DATABASE).stat().st_size, argparse.Namespace(random=random)
        passes, held = [], True
        for _ in range(options.rounds):
            flip = scrub.Flip(chance, beta)
            began, used = time.monotonic(), scrub.processor_seconds(beta)
            done = beta.json("scrub", f"{scrub.DATABASE}@beta", "--rate", "unlimited")
            seconds, used = time.monotonic() - began, scrub.processor_seconds(beta) - used
            wire = int(scrub.events_of(beta, "page_repaired")[-1]["wire_bytes"])
            back = flip.read() == flip.good and (done["rotten_pages"], done["repaired_pages"]) == (1, 1) and done["pages_checked"] == size // PAGE
            held = held and back and wire <= WIRE_BYTES_MAX
            passes.append((seconds, used, wire))
            print(f"   page {flip.page} of {size // PAGE}: a pass of {seconds:.1f} s ({size / seconds / 1e6:.0f} MB/s), {used / size * 1e9:.2f} s of processor per GB; "
                  f"{'back as it was' if back else 'NOT right'} with {wire} bytes of traffic", flush=True)
        seconds, wire = (statistics.median(one[i] for one in passes) for i in (0, 2))
        print(f"   medians of {options.rounds}: {seconds:.1f} s, {size / seconds / 1e6:.0f} MB/s, {wire:.0f} bytes for a page (at most {WIRE_BYTES_MAX} wanted)")
        return held


def fill_pages(alpha, size):
    """A page store of that size, by `ccr load`, while nobody has to be told of it."""
    while (alpha.copy("orders")["page_count"] or 0) * PAGE < size:
        alpha.ask("load", database="orders", seconds=10, pattern="seq", transaction_pages=256, silence=WAIT_SECONDS)
    return alpha.copy("orders")["page_count"] * PAGE


def forks(options):
    database = Database("orders", "pages")
    with Cluster(options.ccr, [database], top={"scrub.every": "off"}, tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        alpha.start()
        alpha.wait_serving()
        alpha.wait_state("orders", "mounted", WAIT_SECONDS)
        size = fill_pages(alpha, options.size)
        print(f"   {size / 2**30:.1f} GiB are written", flush=True)
        beta.start()
        beta.wait_serving()
        beta.wait_copy(lambda copy: copy["state"] == "needs_seed", "has met its active node", "orders")
        beta.ask("seed", database="orders", node="beta", silence=WAIT_SECONDS)
        beta.wait_settled("orders", WAIT_SECONDS)
        shares, seconds = [], []
        for _ in range(options.rounds):
            began = time.monotonic()
            done = beta.ccr("drill", "fork", "orders@beta", "--seconds", "5", "--load-rate", FORK_RATE, "--yes", "--json", seconds=WAIT_SECONDS)
            told = json.loads(done.stdout)
            wire = told["pair"]["fork"]["wire_bytes"] + (told["pair"]["log_wire_bytes"] or 0)
            shares.append(wire / size)
            seconds.append(time.monotonic() - began)
            print(f"   {told['verdict']['text']} {wire} bytes on the wire, {wire / size:.4%} of the database; the drill took {seconds[-1]:.1f} s", flush=True)
            if done.returncode not in (0, 10):
                print(f"   {[check for check in told['checks'] if not check['holds']]}")
        share = statistics.median(shares)
        print(f"   median of {options.rounds}: {share:.4%} of {size / 2**30:.1f} GiB (under 1 % wanted)")
        return share < 0.01


def make_sparse(path, size):
    """A database whose header says that it has so many pages; those that nothing points to are holes. SQLite opens it and never asks for them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE small (id INTEGER PRIMARY KEY, word TEXT)")
        connection.executemany("INSERT INTO small (word) VALUES (?)", ((f"word {number}",) for number in range(1000)))
    with open(path, "r+b") as file:
        file.seek(28)
        file.write((size // PAGE).to_bytes(4, "big"))
        file.truncate(size)
        os.fsync(file.fileno())


def memory_of(options, size):
    """Peak of each node over the whole of it, in bytes."""
    stretches = argparse.Namespace(say=lambda words: print(f"      {words}", flush=True))
    highest = {"alpha": 0, "beta": 0}
    with Cluster(options.ccr, [Database(scrub.DATABASE, "sqlite")], top={"scrub.every": "off"}, tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        make_sparse(alpha.database_path(scrub.DATABASE), size)
        peaks = Peaks(stretches, cluster)

        def note(stretch):
            for name, node in cluster.nodes.items():
                highest[name] = max(highest[name], node.usage()["peak"])
            peaks.note(f"{stretch}, now {' and '.join(format(node.usage()['rss'] / 1e6, '.0f') for node in cluster.nodes.values())};")

        start(cluster)
        note("mounting, first")
        seed(beta)
        note("seeding")
        copy = beta.database_path(scrub.DATABASE).stat()
        print(f"      the copy has {copy.st_size / 2**30:.0f} GiB, {copy.st_blocks * 512 / 2**20:.1f} MiB of it on the disk", flush=True)
        with closing(sqlite3.connect(alpha.database_path(scrub.DATABASE), isolation_level=None)) as connection:
            connection.execute("UPDATE small SET word = word || '!'")
        beta.wait_settled(scrub.DATABASE, WAIT_SECONDS)
        note("a commit")
        if options.verify:
            beta.json("verify", f"{scrub.DATABASE}@beta", "--rate", "unlimited")
            note("verifying")
        for node in (alpha, beta):
            node.kill()
        start(cluster)
        beta.wait_settled(scrub.DATABASE, WAIT_SECONDS)
        note("starting after kill -9")
    return highest


@contextlib.contextmanager
def roomy_directory(size):
    """A file system in memory that promises room for two files of that size: a seed asks for it before it begins, holes or not."""
    with tempfile.TemporaryDirectory(prefix="ccr-large-") as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={3 * size}", "ccr-large", directory], check=True)
        try:
            tempfile.tempdir = directory
            yield
        finally:
            tempfile.tempdir = None
            subprocess.run(["umount", directory], check=True)


def memory(options):
    with roomy_directory(options.size):
        return memory_compared(options)


def memory_compared(options):
    small, large = options.size // 100, options.size
    found = []
    for size in (small, large):
        print(f"   {size / 2**30:.1f} GiB, {size // PAGE} pages", flush=True)
        found.append(memory_of(options, size))
    pages, held = (large - small) // PAGE, True
    for name in ("alpha", "beta"):
        each = (found[1][name] - found[0][name]) / pages
        held = held and each <= BYTES_A_PAGE_MAX
        print(f"   {name}: at most {found[0][name] / 1e6:.1f} and {found[1][name] / 1e6:.1f} MB: {each:.2f} bytes for each page more (at most {BYTES_A_PAGE_MAX} wanted)")
    return held


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("scrub", "memory", "fork"))
    parser.add_argument("--size", type=compare.size_of)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verify", action="store_true", help="memory: also while all is read")
    parser.add_argument("--ccr", default=str(ROOT / "build" / "release" / "tools" / "ccr"))
    parser.add_argument("--dir")
    options = parser.parse_args()
    tempfile.tempdir = options.dir
    options.size = options.size or {"scrub": 10 << 30, "memory": 100 << 30, "fork": 10 << 30}[options.what]
    return 0 if {"scrub": scrub_passes, "memory": memory, "fork": forks}[options.what](options) else 1


if __name__ == "__main__":
    sys.exit(main())
