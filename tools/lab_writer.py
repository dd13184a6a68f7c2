#!/usr/bin/env python3
"""An ordinary program with an SQLite database, for tools/lab: it knows nothing of ccr.

Fills a new database in WAL mode, says so by making a file, and then writes transactions of mixed sizes until SIGTERM. It waits
for no lock: a single SQLITE_BUSY is counted and shows at the end. Its last line on stdout is one JSON object.
"""

import argparse
import json
import random
import signal
import sqlite3
import time

ROW_BYTES = 900  # some four rows on a page
PAUSE_SECONDS = 0.005  # some 100 transactions a second: busy, and less than the cable carries


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--initial-mib", type=int, default=200)
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help="seconds between two transactions")
    parser.add_argument("--ready", required=True, help="file to make when the first content is there")
    return parser.parse_args()


def note():
    return random.randbytes(random.randint(ROW_BYTES // 2, ROW_BYTES * 3 // 2))


def fill(connection, mib):
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, cents INTEGER, note BLOB)")
    connection.execute("CREATE INDEX by_customer ON orders (customer)")
    rows = mib * 1024 * 1024 // (ROW_BYTES + 60)
    for first in range(0, rows, 10000):
        count = min(10000, rows - first)
        insert(connection, count)
    return rows


def insert(connection, count):
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO orders (customer, cents, note) VALUES (?, ?, ?)",
        ((random.randrange(100000), random.randrange(1000000), note()) for _ in range(count)),
    )
    connection.execute("COMMIT")


def update(connection, count, rows):
    connection.execute("BEGIN")
    for _ in range(count):
        connection.execute("UPDATE orders SET cents = cents + 1 WHERE id = ?", (random.randrange(rows) + 1,))
    connection.execute("COMMIT")


def delete(connection, count, rows):
    first = random.randrange(rows)
    connection.execute("BEGIN")
    connection.execute("DELETE FROM orders WHERE id >= ? AND id < ?", (first, first + count))
    connection.execute("COMMIT")


def transaction(connection, rows):
    """One transaction: mostly a few rows, at times hundreds of pages."""
    dice = random.random()
    if dice < 0.70:
        update(connection, random.randint(1, 5), rows)
    elif dice < 0.95:
        insert(connection, random.randint(1, 20))
    elif dice < 0.99:
        delete(connection, random.randint(1, 120), rows)
    else:
        insert(connection, 300)


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))] if sorted_values else None


def main():
    options = arguments()
    running = True

    def stop(_signal, _frame):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    connection = sqlite3.connect(options.database, isolation_level=None, timeout=0)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    rows = fill(connection, options.initial_mib)
    open(options.ready, "w").close()
    busy = 0
    seconds = []
    while running:
        begin = time.monotonic()
        try:
            transaction(connection, rows)
            seconds.append(time.monotonic() - begin)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            busy += 1
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        time.sleep(options.pause)
    left = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
    connection.close()
    seconds.sort()
    result = {
        "transactions": len(seconds),
        "busy": busy,
        "rows": left,
        "p50_ms": 1000 * (percentile(seconds, 0.5) or 0),
        "p99_ms": 1000 * (percentile(seconds, 0.99) or 0),
    }
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
