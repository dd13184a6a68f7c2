#!/usr/bin/env python3
"""An application that a service manager starts and ends, for the trial sqlite_handover: on_promote and on_demote name it.

    application.py start PID_FILE DATABASE RECORD    goes to the background, inserts rows, and writes each one's number to RECORD once it is committed
    application.py stop PID_FILE                     ends it, and waits for that

Both are content with what is so already.
"""

import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.002
STOP_SECONDS_MAX = 10
LIFE_SECONDS_MAX = 300  # whatever becomes of the trial


def process_of(pid_file):
    try:
        process = int(Path(pid_file).read_text())
        os.kill(process, 0)
        return process
    except (OSError, ValueError):
        return 0


def start(pid_file, database, record):
    if process_of(pid_file):
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    Path(pid_file).write_text(str(os.getpid()))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    connection = sqlite3.connect(database, timeout=5, isolation_level=None)
    number = connection.execute("SELECT coalesce(max(id), 0) FROM rows").fetchone()[0]
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    until = time.monotonic() + LIFE_SECONDS_MAX
    with open(record, "a", buffering=1) as told:
        while not ended and time.monotonic() < until:
            number += 1
            connection.execute("INSERT INTO rows VALUES (?, randomblob(500))", (number,))
            told.write(f"{number}\n")
            time.sleep(PAUSE_SECONDS)
    connection.close()
    os._exit(0)


def stop(pid_file):
    process = process_of(pid_file)
    until = time.monotonic() + STOP_SECONDS_MAX
    while process and process_of(pid_file) and time.monotonic() < until:
        os.kill(process, signal.SIGTERM)
        time.sleep(0.01)
    if process_of(pid_file):
        sys.exit(f"process {process} does not end")
    Path(pid_file).unlink(missing_ok=True)


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]](*sys.argv[2:])
