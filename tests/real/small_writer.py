#!/usr/bin/env python3
"""An ordinary program with several SQLite databases, for trials with many: small transactions, in turn, until SIGTERM.

It waits for no lock; its last line is one JSON object: how many transactions, rows of each database, and locks met.
"""

import json
import random
import signal
import sqlite3
import sys
import time

PAUSE_SECONDS = 0.004
ROWS_FIRST = 500


def main(paths):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    connections = [sqlite3.connect(path, timeout=0, isolation_level=None) for path in paths]
    for connection in connections:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO notes (body) VALUES (?)", ((random.randbytes(800),) for _ in range(ROWS_FIRST)))
        connection.execute("COMMIT")
    print("ready", flush=True)
    transactions = busy = 0
    while not ended:
        for connection in connections:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO notes (body) VALUES (?)", (random.randbytes(800),))
                connection.execute("UPDATE notes SET body = ? WHERE id = ?", (random.randbytes(700), random.randint(1, ROWS_FIRST)))
                connection.execute("COMMIT")
                transactions += 1
            except sqlite3.OperationalError as error:
                busy += 1
                print(error, file=sys.stderr)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            time.sleep(PAUSE_SECONDS)
    rows = [connection.execute("SELECT count(*) FROM notes").fetchone()[0] for connection in connections]
    print(json.dumps({"transactions": transactions, "busy": busy, "rows": rows}), flush=True)


main(sys.argv[1:])
