"""An SQLite database and its application go from node to node: on_demote, the file, on_promote; over TLS

No row that the application committed is missing after a move; a program that has the file open is named and refused, and the application runs
again where it was; the node whose daemon and application were killed gives its file up when it comes back.
"""

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import application
from cluster import REFUSED, Database, until
from oracle import check_verify, open_live

DATABASE = "orders"
APPLICATION = f"{sys.executable} -B {Path(application.__file__).resolve()}"
WRITES_SECONDS = 20


class Served:
    """The application, wherever it runs."""

    def __init__(self, trial, cluster):
        self._trial, self._cluster = trial, cluster
        self.record = cluster.directory / "record"

    def pid_file(self, node):
        return self._cluster.directory / f"{node.name}.pid"

    def running(self, node):
        return application.process_of(self.pid_file(node)) != 0

    def committed(self):
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return int(lines[-1].split()[0]) if lines else 0

    def write_for(self, node):
        before = self.committed()
        until(lambda: self.running(node) and self.committed() > before + 20, WRITES_SECONDS, lambda: f"the application writes on {node.name}")

    def check_rows(self, node, least):
        with closing(sqlite3.connect(f"file:{file_of(node)}?mode=ro", uri=True, timeout=5)) as database:
            rows, = database.execute("SELECT count(*) FROM rows WHERE id <= ?", (least,)).fetchone()
            self._trial.check("no committed row is missing", rows == least, (rows, least))
            sound = database.execute("PRAGMA integrity_check").fetchall()
        self._trial.check("integrity_check says ok", sound == [("ok",)], sound[:3])

    def end_all(self):
        for name in self._cluster.names:
            application.stop(self.pid_file(self._cluster[name]))


def file_of(node):
    return node.directory / f"{DATABASE}.db"


def files(node):
    """Whether it has the programs' file, and the copy's."""
    return file_of(node).exists(), (node.directory / f"{DATABASE}.db.copy").exists()


def run(trial):
    with trial.cluster(databases=[Database(DATABASE, "sqlite")], tls=True) as cluster:
        directory = cluster.directory
        cluster.databases[DATABASE].options = {
            "on_demote": f"{APPLICATION} stop {directory}/$CCR_NODE.pid",
            "on_promote": f"{APPLICATION} start {directory}/$CCR_NODE.pid $CCR_PATH {directory}/record"}
        cluster.write_config()
        served = Served(trial, cluster)
        try:
            play(trial, cluster, served)
        finally:
            served.end_all()


def play(trial, cluster, served):
    here, there = cluster["alpha"], cluster["beta"]
    path = file_of(here)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")
        database.commit()
    cluster.start()
    cluster.seed()
    application.start(str(served.pid_file(here)), str(path), str(served.record))
    served.write_for(here)
    for turn in range(trial.rounds(3, 10)):
        asked = trial.random.choice((here, there))
        moved = asked.json("move", DATABASE, "--to", there.name)
        committed = served.committed()
        trial.check("a move is told with its epoch", moved["active"] == there.name and moved["epoch"] == turn + 2, moved)
        trial.say(f"moved to {there.name}: no commits for {moved['held_seconds']:.3f} s of {moved['seconds']:.3f}")
        served.write_for(there)
        trial.check("the application runs there only", not served.running(here))
        trial.check("the files have changed their names", files(here) == (False, True) and files(there) == (True, False), (files(here), files(there)))
        there.wait_state(DATABASE, "mounted", node=there.name)
        here.wait_state(DATABASE, "healthy", node=here.name)
        served.check_rows(there, committed)
        check_verify(trial, here, DATABASE)
        here, there = there, here

    # A program that on_demote does not know.
    with open_live(file_of(here)) as program:
        program.execute("SELECT count(*) FROM rows").fetchone()
        refused = there.ccr("move", DATABASE, "--to", there.name)
        trial.check("a move is refused while a program has the file open", refused.returncode == REFUSED, (refused.returncode, refused.stderr))
        trial.check("and it is named", f"process {os.getpid()}" in refused.stderr, refused.stderr)
    served.write_for(here)
    here.wait_state(DATABASE, "mounted", node=here.name)
    here.wait_state(DATABASE, "healthy", node=there.name)
    trial.check("the files are where they were", files(here) == (True, False) and files(there) == (False, True), (files(here), files(there)))

    # The active node is gone, with its application.
    here.kill()
    os.kill(application.process_of(served.pid_file(here)), signal.SIGKILL)
    time.sleep(0.2)
    served.pid_file(here).unlink()
    taken = there.json("activate", DATABASE, "--on", there.name, "--dial", "force", "--yes")
    trial.check("force takes it", taken["forced"], taken)
    served.record.write_text("")  # what was shipped is in the copy, and nobody knows how much that was
    served.write_for(there)
    here.start()
    here.wait_serving()
    until(lambda: here.copy(DATABASE)["role"] == "passive" and here.copy(DATABASE)["state"] in ("healthy", "failed_and_suspended"), 60,
          lambda: f"the old active copy is {here.copy(DATABASE)}")
    trial.check("its file is the copy's again", files(here) == (False, True), files(here))
    if here.copy(DATABASE)["state"] == "failed_and_suspended":
        trial.say(f"it had more than was shipped: {here.copy(DATABASE)['cause']}")
        trial.require("resume takes the other side", here.ccr("resume", f"{DATABASE}@{here.name}").returncode == 0)
    here.wait_state(DATABASE, "healthy", node=here.name, seconds=60)
    trial.check("no application was started there", not served.running(here))
    check_verify(trial, here, DATABASE)
    moved = here.json("move", DATABASE, "--to", here.name)
    committed = served.committed()
    served.write_for(here)
    served.check_rows(here, committed)
