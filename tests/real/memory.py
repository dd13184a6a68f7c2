"""Memory of both daemons with a database of 10 GiB and a copy that is 1 GiB of log behind: under 200 MB each, at any moment

The database is an SQLite file of large blobs: 2.6 million pages, each another one, as a blob's pages are chained by their numbers. So
tables of digests have their full size, every page is read, digested, sent and written. The peak (VmHWM) is measured for each stretch
by itself: mounting, seeding, falling behind, catching up, verifying, and a start with everything there. --rounds N: N GiB instead.
"""

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from cluster import Database
from oracle import check_verify
from trial import mib

PEAK_BYTES_MAX = 200_000_000
BLOB_BYTES = 64 * 2**20
CHANGE_BYTES = 256 * 2**10  # of a row that a transaction writes anew
DATABASE = "orders"
SEED_SECONDS = 1800
RESET_PEAK = "5"  # /proc/PID/clear_refs


def make_database(path, size_bytes):
    """Blobs of zeros, whose pages begin with the number of the next: quick to make, and no two pages are equal."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB)")
        connection.execute("CREATE TABLE changes (id INTEGER PRIMARY KEY, body BLOB)")
        for _ in range(max(1, size_bytes // BLOB_BYTES)):
            connection.execute("INSERT INTO blobs (body) VALUES (zeroblob(?))", (BLOB_BYTES,))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


class Changes:
    """A program that writes rows anew, a transaction each, in a thread, until told to end."""

    def __init__(self, path, pause):
        self._path, self._pause = path, pause
        self._end = threading.Event()
        self.failure = None
        self.transactions = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                connection.execute("PRAGMA synchronous = NORMAL")
                while not self._end.wait(self._pause):
                    connection.execute("INSERT OR REPLACE INTO changes VALUES (?, ?)",
                                       (self.transactions % 400, os.urandom(CHANGE_BYTES)))
                    self.transactions += 1
        except sqlite3.Error as error:
            self.failure = error

    def end(self):
        self._end.set()
        self._thread.join()
        assert self.failure is None, self.failure


class Peaks:
    """The peak of both nodes in each stretch."""

    def __init__(self, trial, cluster):
        self._trial, self._cluster = trial, cluster
        self._began = time.monotonic()
        self.worst = 0
        self.lines = []

    def begin(self):
        self._began = time.monotonic()
        for node in self._cluster.nodes.values():
            if node.running:
                Path(f"/proc/{node.pid}/clear_refs").write_text(RESET_PEAK)

    def note(self, stretch):
        peaks = {node.name: node.usage()["peak"] for node in self._cluster.nodes.values() if node.running}
        self.worst = max(self.worst, *peaks.values())
        words = ", ".join(f"{name} {peak / 1e6:.1f} MB" for name, peak in peaks.items())
        self._trial.say(f"{stretch:<24} peak {words}; {time.monotonic() - self._began:.1f} s")
        self.begin()


def play(trial, size_bytes, behind_bytes):
    options = {"log_budget": "16GiB"}
    with trial.cluster(databases=[Database(DATABASE, "sqlite", options)]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        path = alpha.database_path(DATABASE)
        began = time.monotonic()
        make_database(path, size_bytes)
        trial.say(f"the database has {mib(path.stat().st_size)}, made in {time.monotonic() - began:.1f} s")
        peaks = Peaks(trial, cluster)
        alpha.start().wait_serving()
        beta.start().wait_serving()
        alpha.wait_state(DATABASE, "mounted", 600)
        peaks.note("mounting, first")
        changes = Changes(path, pause=0.05)
        beta.ask("seed", database=DATABASE, node="beta", silence=SEED_SECONDS)
        beta.wait_state(DATABASE, "healthy", 300)
        changes.end()
        beta.wait_settled(DATABASE, 300)
        seed = beta.copy(DATABASE)["seed"]
        trial.require("all extents came", seed["extents_sent"] * 2**20 > size_bytes * 0.9, seed)
        peaks.note("seeding")
        fall_behind(trial, alpha, beta, path, behind_bytes)
        peaks.note("falling behind")
        beta.ask("resume", database=DATABASE, node="beta")
        beta.wait_settled(DATABASE, 600)
        peaks.note("catching up")
        check_verify(trial, beta, DATABASE)
        peaks.note("verifying")
        for node in (alpha, beta):
            node.kill()
            node.start()
        alpha.wait_serving()
        beta.wait_serving()
        alpha.wait_state(DATABASE, "mounted", 600)
        beta.wait_settled(DATABASE, 300)
        peaks.note("starting after kill -9")
        trial.check(f"no node ever took more than {PEAK_BYTES_MAX / 1e6:.0f} MB", peaks.worst <= PEAK_BYTES_MAX,
                    f"{peaks.worst / 1e6:.1f} MB")


def fall_behind(trial, alpha, beta, path, behind_bytes):
    beta.ask("suspend", database=DATABASE, node="beta", comment="trial: memory")
    changes = Changes(path, pause=0)
    alpha.wait_copy(lambda copy: (copy["copy_queue"] or {}).get("bytes", 0) >= behind_bytes, f"is {mib(behind_bytes)} behind",
                    DATABASE, node="beta", seconds=600)
    changes.end()
    queue = alpha.copy(DATABASE, node="beta")["copy_queue"]
    trial.say(f"beta is {mib(queue['bytes'])} behind, {queue['generations']} generations, {changes.transactions} transactions")


def run(trial):
    gib = trial.rounds(short=0, long=10)
    size = gib * 2**30 if gib else 128 * 2**20
    behind = 2**30 if gib >= 10 else 64 * 2**20
    trial.part(f"An SQLite database of {mib(size)}, a copy {mib(behind)} of log behind", play, size, behind)
