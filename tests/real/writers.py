"""Programs that write while a trial goes on: `ccr load` on a page store, and ordinary programs with an SQLite database."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

from cluster import Late, end_with_parent, until
from control import Conversation, Refused, Unreachable

LAB_WRITER = Path(__file__).resolve().parents[2] / "tools/lab_writer.py"
READY_SECONDS = 120
PAUSE_SECONDS = 0.03  # between two transactions: some MB/s, which a log on a busy machine still follows
LOOK_AGAIN_SECONDS = 0.01


class Load:
    """A load on a page store, in a thread of its own; it ends by itself when its node is killed.

    `acknowledged` is the highest commit number that was said to be durable: by the load's count, which begins at the commit the
    store had, or by the node's status, which is asked all the time. Where commits wait for another copy, status shows what is durable here
    before it is answered: `looks=False` believes the count alone.
    """

    def __init__(self, node, database="orders", seconds=600, rate=0, pattern="oltp", pages=0, looks=True):
        base = node.copy(database)["commit"]
        self.acknowledged = base if looks else 0
        self.bytes = 0
        self._node, self._database, self._base = node, database, base
        self._left = threading.Event()
        self._talk = Conversation(node.socket, "load", database=database, rate_bytes_per_second=rate, seconds=seconds,
                                  pattern=pattern, transaction_pages=pages)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._count, self._look)[:1 + looks]]
        for thread in self._threads:
            thread.start()

    def _count(self):
        try:
            for progress in self._talk:
                self._counted(progress.get("commits", 0))
                self.bytes = progress.get("bytes", self.bytes)
            self.bytes = self._talk.result["bytes"]
            self._counted(self._talk.result["commits"])
        except (Unreachable, Refused, OSError, ValueError):
            pass  # the node was killed, or we left
        self._left.set()

    def _look(self):
        while not self._left.wait(LOOK_AGAIN_SECONDS):
            copy = self._node.copy(self._database)
            if copy and copy.get("commit"):
                self._told(copy["commit"])

    def _counted(self, commits):
        if commits:  # an answer to one is an answer to all before it; without any, what the store had may not have been answered
            self._told(self._base + commits)

    def _told(self, commit):
        self.acknowledged = max(self.acknowledged, commit)

    @property
    def running(self):
        return not self._left.is_set()

    def leave(self):
        """Ends the load; what it had acknowledged until then."""
        self._left.set()
        self._talk.shut()
        for thread in self._threads:
            thread.join()
        return self.acknowledged

    def wait(self, seconds):
        """The load's own end."""
        if not self._left.wait(seconds):
            raise Late(f"the load still runs after {seconds} s")
        return self.leave()


class SqliteWriter:
    """The lab's program, as a process: fills a database, then writes until it is told to end; waits for no lock."""

    def __init__(self, cluster, path, initial_mib, pause=PAUSE_SECONDS, name="writer"):
        self._output = cluster.directory / f"{name}.out"
        ready = cluster.directory / f"{name}.ready"
        with open(self._output, "wb") as output:
            self._process = subprocess.Popen([sys.executable, "-B", str(LAB_WRITER), str(path), "--initial-mib", str(initial_mib),
                                              "--pause", str(pause), "--ready", str(ready)],
                                             stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                             preexec_fn=end_with_parent)
        cluster.keep(self)
        until(lambda: ready.exists() or not self.running, READY_SECONDS, f"{path} is filled")
        assert self.running, f"the writer ended: {self._output.read_text()}"

    @property
    def running(self):
        return self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def end(self):
        """What it says at its end: transactions, rows, busy, latencies."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(30) == 0, f"the writer failed: {self._output.read_text()}"
        return json.loads(self._output.read_text().splitlines()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
