"""The application of the rounds' SQLite database, as a service manager of each host has it, and the books of its rows.

A row is told to a record of its epoch once its COMMIT returned. A move loses none of them. What a forced activation loses is what it said: where what is
missing is unknown since some time, rows before it are there, unless bytes of log were missing even then; where it is known, not more rows than commits.
"""

import contextlib
import os
import re
import signal
import sqlite3
import sys
from datetime import datetime
from pathlib import Path

import application
from cluster import until

PAUSE_SECONDS = 0.06
BALLAST_ROWS, BALLAST_BYTES = 3000, 900
CAPTURE_SECONDS = 5  # from a COMMIT to the log: a fraction of a second, where nobody else needs the machine
STARTS_SECONDS = 20


class Program:
    """The application on either node."""

    def __init__(self, cluster, database):
        self._cluster, self._database = cluster, database
        self._last = {}  # node: the record it told last, where that is known

    @property
    def options(self):
        """The keys of the database's table."""
        here, command = self._cluster.directory, f"APPLICATION_PAUSE={PAUSE_SECONDS} {sys.executable} -B {Path(application.__file__).resolve()}"
        return {"on_demote": f"{command} stop {here}/$CCR_NODE.pid",
                "on_promote": f"{command} start {here}/$CCR_NODE.pid $CCR_PATH {here}/record-$CCR_NODE.$CCR_EPOCH"}

    def file(self, node):
        return node.directory / f"{self._database}.db"

    def pid_file(self, node):
        return self._cluster.directory / f"{node.name}.pid"

    def make(self, node):
        with contextlib.closing(sqlite3.connect(self.file(node))) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")
            database.execute("CREATE TABLE ballast (id INTEGER PRIMARY KEY, body BLOB)")
            database.executemany("INSERT INTO ballast (body) VALUES (randomblob(?))", ((BALLAST_BYTES,) for _ in range(BALLAST_ROWS)))
            database.commit()

    def running(self, node):
        return application.process_of(self.pid_file(node)) != 0

    def boot(self, node):
        """What the host does at its start: the application of the epoch in which it ran here last."""
        if self.file(node).exists() and not self.running(node):
            epoch = max((epoch for epoch, _ in self.records(node.name)), default=1)
            environment = {"APPLICATION_PAUSE": str(PAUSE_SECONDS)}
            self._run(environment, "start", self.pid_file(node), self.file(node), self._cluster.directory / f"record-{node.name}.{epoch}")

    def lose(self, node):
        """With its host."""
        process = application.process_of(self.pid_file(node))
        if process:
            os.kill(process, signal.SIGKILL)
            until(lambda: not application.process_of(self.pid_file(node)), STARTS_SECONDS, "a killed application is gone")
        self.pid_file(node).unlink(missing_ok=True)

    def end(self, node):
        application.stop(self.pid_file(node))

    def _run(self, environment, *arguments):
        words = [sys.executable, "-B", str(Path(application.__file__).resolve()), *map(str, arguments)]
        if os.spawnve(os.P_WAIT, sys.executable, words, {**os.environ, **environment}) != 0:
            raise AssertionError(f"{' '.join(words)} failed")

    def records(self, name):
        """Epochs in which it ran on a node, each with its record."""
        for path in self._cluster.directory.glob(f"record-{name}.*"):
            yield int(path.suffix[1:]), path

    # --- for Cluster.keep() ---

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self._cluster.nodes.values():
            self.lose(node)


class Rows:
    """What must be in the active node's file."""

    def __init__(self, trial, program):
        self._trial, self._program = trial, program
        self._must = {}  # number: (body, epoch, when)
        self._read = {}  # record: bytes of it that are in the books
        self._losses = []  # of forced activations
        self._taken = {}  # epoch: when it was taken
        self.lost = 0

    def activated(self, told):
        """A forced activation, as the command tells it."""
        missing, said = told["missing"], {"epoch": told["epoch"], "since": float("-inf"), "commits": None}
        if missing and missing["known"]:
            said["since"], said["commits"] = float("inf"), missing["commits"]
        elif missing and missing["unknown_since"] and missing["bytes"] == 0:
            said["since"] = seconds_of(missing["unknown_since"])
        self._losses.append(said)

    def _told(self, cluster):
        """Each row that was told since the last call, in the order of epochs."""
        rows = []
        for name in cluster.names:
            for epoch, path in self._program.records(name):
                with open(path, "rb") as record:
                    record.seek(self._read.get(path, 0))
                    whole = record.read().rpartition(b"\n")[0]
                self._read[path] = self._read.get(path, 0) + len(whole) + bool(whole)
                for line in whole.decode().splitlines():
                    number, body, when = line.split()
                    rows.append((epoch, float(when), int(number), body))
        return sorted(rows)

    def check(self, world, node, when):
        """Returns how many rows are there."""
        told = self._told(world.cluster)
        with contextlib.closing(sqlite3.connect(f"file:{self._program.file(node)}?mode=ro", uri=True, timeout=10)) as database:
            there = dict(database.execute("SELECT id, lower(hex(substr(body, 1, ?))) FROM rows", (application.TOLD_BYTES,)))
            sound = database.execute("PRAGMA integrity_check").fetchall()
        self._trial.require(f"{when}: PRAGMA integrity_check of the active file says ok", sound == [("ok",)], sound[:3])
        missing = []
        for epoch, at, number, body in told + [(epoch, at, number, body) for number, (body, epoch, at) in self._must.items()]:
            if there.get(number) == body:
                self._must[number] = (body, epoch, at)
            else:
                missing.append((epoch, at, number))
        unsaid = self._unsaid(missing)
        self._trial.require(f"{when}: no row is missing but what a forced activation said", not unsaid,
                            f"{len(unsaid)}, as (epoch, when, number): {unsaid[:5]} of {len(there)}; said: {self._losses}")
        self._must = {number: kept for number, kept in self._must.items() if there.get(number) == kept[0]}
        self._losses = []
        self.lost += len(missing)
        return len(there)

    def _unsaid(self, missing):
        unsaid = []
        for epoch, at, number in missing:
            later = [said for said in self._losses if said["epoch"] > epoch]
            if any(at > said["since"] - CAPTURE_SECONDS for said in later):
                continue
            counted = next((said for said in later if said["commits"]), None)
            if counted:
                counted["commits"] -= 1
                continue
            unsaid.append((epoch, at, number))
        return unsaid


def seconds_of(rfc3339):
    """datetime reads at most six digits of a second."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", rfc3339).replace("Z", "+00:00")).timestamp()
