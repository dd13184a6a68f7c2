#!/usr/bin/env python3
"""An application that a service manager starts and ends, for trials of SQLite handovers: on_promote and on_demote name it.

    application.py start PID_FILE DATABASE RECORD    goes to the background, inserts rows, and tells RECORD of each one once it is committed
    application.py stop PID_FILE                     ends it, and waits for that

Both are content with what is so already, and one waits for the other, as a service manager's do: behind a kill -9 of the daemon the on_demote that
it had begun goes on beside the next one's on_promote. It opens no database that is not there, and ends where its PID_FILE is gone. A line of RECORD: the row's
number, the first bytes of its body, when its COMMIT had returned. With a table `ballast` it changes some of those rows too.
"""

import contextlib
import fcntl
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

PAUSE_SECONDS = float(os.environ.get("APPLICATION_PAUSE", "0.002"))
STOP_SECONDS_MAX = 10
LIFE_SECONDS_MAX = 3600  # whatever becomes of the trial
BODY_BYTES, TOLD_BYTES = 500, 8
BALLAST_ROWS_MAX = 5


def process_of(pid_file):
    try:
        process = int(Path(pid_file).read_text())
        os.kill(process, 0)
        return process
    except (OSError, ValueError):
        return 0


@contextlib.contextmanager
def alone(pid_file):
    """The file of the lock, which whoever goes to the background closes."""
    with open(f"{pid_file}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def start(pid_file, database, record):
    """Its process is known when this returns."""
    with alone(pid_file) as lock:
        if process_of(pid_file):
            return
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        lock.close()
        go_to_background(pid_file, database, record)


def go_to_background(pid_file, database, record):
    os.setsid()
    ready, tell = os.pipe()
    child = os.fork()
    if child:
        Path(pid_file).write_text(str(child))
        os.write(tell, b".")
        os._exit(0)
    os.read(ready, 1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2, ready, tell):
        os.dup2(null, descriptor)
    try:
        work(pid_file, database, record)
    finally:
        os._exit(0)


def work(pid_file, database, record):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=5, isolation_level=None)
    number = connection.execute("SELECT coalesce(max(id), 0) FROM rows").fetchone()[0]
    ballast = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'ballast'").fetchone()[0] and \
        connection.execute("SELECT count(*) FROM ballast").fetchone()[0]
    until = time.monotonic() + LIFE_SECONDS_MAX
    with open(record, "a", buffering=1) as told:
        while not ended and time.monotonic() < until and os.path.exists(pid_file):
            number += 1
            body = random.randbytes(BODY_BYTES)
            try:
                transaction(connection, number, body, ballast)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                number -= 1
                continue
            told.write(f"{number} {body[:TOLD_BYTES].hex()} {time.time():.3f}\n")
            time.sleep(PAUSE_SECONDS)
    connection.close()


def transaction(connection, number, body, ballast):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO rows VALUES (?, ?)", (number, body))
    for _ in range(random.randint(0, BALLAST_ROWS_MAX) if ballast else 0):
        connection.execute("UPDATE ballast SET body = randomblob(length(body)) WHERE id = ?", (random.randint(1, ballast),))
    connection.execute("COMMIT")


def stop(pid_file):
    with alone(pid_file):
        process = process_of(pid_file)
        until = time.monotonic() + STOP_SECONDS_MAX
        while process and process_of(pid_file) and time.monotonic() < until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
            time.sleep(0.01)
        if process_of(pid_file):
            sys.exit(f"process {process} does not end")
        Path(pid_file).unlink(missing_ok=True)


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]](*sys.argv[2:])
