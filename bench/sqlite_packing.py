#!/usr/bin/env python3
"""What a log of small random updates of a SQLite database takes on the wire: two nodes over loopback, each commit shipped as it comes.

    bench/sqlite_packing.py --ccr build/release/tools/ccr [--mib 16] [--log-mib 400] [--compression auto] [--memory 160MiB] [--dir /dev/shm]

Fills a table of rows of words, copies it, and updates rows at random places, a few in each transaction, without waiting for ccr, until
--log-mib of log were shipped. Printed: log and wire bytes since the copy was there (all that alpha's connection for the log sent, frames,
tips and all, TLS off), their ratio in each quarter of the run, lag, and what the daemons took at most.
"""

import argparse
import os
import random
import sqlite3
import sys
import time
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "real"))

from cluster import Database  # noqa: E402
from sqlite_pair import SqlitePair  # noqa: E402
from trial import mib  # noqa: E402

ROW_BYTES = 228  # some 17 rows on a page
RUN_SECONDS_MAX = 600
PARTS = 4


def words(chance, vocabulary, count):
    return " ".join(chance.choice(vocabulary) for _ in range(count))


def fill(path, size_mib, chance):
    vocabulary = ["".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(3, 9))) for _ in range(2000)]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, cents INTEGER, at INTEGER, customer TEXT, note TEXT)")
    rows = size_mib * 1024 * 1024 // ROW_BYTES
    for first in range(0, rows, 10000):
        connection.execute("BEGIN")
        made = ((row, chance.randrange(10**6), chance.randrange(10**9), words(chance, vocabulary, 4), words(chance, vocabulary, 25))
                for row in range(first, min(first + 10000, rows)))
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", made)
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return connection, rows


def transaction(connection, rows, changes, chance):
    connection.execute("BEGIN")
    for _ in range(changes):
        connection.execute("UPDATE orders SET cents = cents + ?, at = ? WHERE id = ?",
                           (chance.randrange(1000), chance.randrange(10**9), chance.randrange(rows)))
    connection.execute("COMMIT")


def shipped(pair):
    copy = pair.alpha.copy("orders", "beta")
    return copy["shipped"], copy["lag_seconds"]


def play(pair, connection, rows, options, chance):
    before, _ = shipped(pair)
    last, parts, lags, transactions = before, [], [], 0
    end = time.monotonic() + RUN_SECONDS_MAX
    for part in range(1, PARTS + 1):
        wanted = before["logical_bytes"] + options.log_mib * 2**20 * part // PARTS
        while time.monotonic() < end:
            for _ in range(50):
                transaction(connection, rows, options.changes, chance)
                time.sleep(options.pause)
            transactions += 50
            now, lag = shipped(pair)
            lags.append(lag or 0)
            if now["logical_bytes"] >= wanted:
                break
        parts.append((now["wire_bytes"] - last["wire_bytes"]) / max(1, now["logical_bytes"] - last["logical_bytes"]))
        last = now
    pair.settle("orders")
    after, _ = shipped(pair)
    log, wire = (after[key] - before[key] for key in ("logical_bytes", "wire_bytes"))
    return SimpleNamespace(log=log, wire=wire, parts=parts, lags=sorted(lags), transactions=transactions, how=after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccr", default=str(ROOT / "build" / "release" / "tools" / "ccr"))
    parser.add_argument("--mib", type=int, default=16, help="of the database")
    parser.add_argument("--log-mib", type=int, default=400)
    parser.add_argument("--changes", type=int, default=3, help="updates in a transaction")
    parser.add_argument("--pause", type=float, default=0.001, help="seconds between two transactions")
    parser.add_argument("--compression", default="auto")
    parser.add_argument("--memory", default="160MiB")
    parser.add_argument("--dir", default=None, help="where the nodes live")
    options = parser.parse_args()
    if options.dir:
        os.environ["TMPDIR"] = options.dir
    chance = random.Random(1)
    trial = SimpleNamespace(ccr=options.ccr, keeps=False, short=True)
    transport = {"compression": options.compression, "compression_memory": options.memory}
    with SqlitePair(trial, [Database("orders", kind="sqlite")], transport=transport) as pair:
        path = pair.originals["orders"].path
        connection, rows = fill(path, options.mib, chance)
        pair.begin()
        size = os.path.getsize(path)
        run = play(pair, connection, rows, options, chance)
        usage = [pair[node].usage()["peak"] for node in ("alpha", "beta")]
        connection.close()
    print(f"database {mib(size)}, history {mib(run.how['history_bytes'])}, zstd {run.how['level']} ({run.how['reason']})")
    print(f"{run.transactions} transactions, log {mib(run.log)}, wire {mib(run.wire)}: {100 * run.wire / run.log:.1f} %"
          f"; by quarters {', '.join(f'{100 * part:.1f}' for part in run.parts)} %")
    print(f"lag p50 {run.lags[len(run.lags) // 2]:.3f} s, most {run.lags[-1]:.3f} s; memory at most {mib(usage[0])} alpha, {mib(usage[1])} beta")


if __name__ == "__main__":
    main()
