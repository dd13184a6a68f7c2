"""Two nodes of ccr, alpha at a with the active copy and beta at b, and what `bench/compare` measures with them."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "real"))

from control import Refused, Unreachable, ask  # noqa: E402
from peers import CHANGED_SHARE, EXPECTED_ERRORS, PAGE, PIECE, Content, Crowd, free_port, ready, until  # noqa: E402

WAIT_SECONDS_MAX = 600
TICKS = os.sysconf("SC_CLK_TCK")
OVERFLOW_BYTES = PAGE - 4  # of a blob on each page of its chain
CHANGES_A_COMMIT = 1000


class Nodes:
    """Both for the time of a `with`."""

    def __init__(self, bench, kind, transport="", tls=False, busy=False):
        # Unless it is asked for, nothing is compressed: what is measured is bytes through a link and onto a disk.
        compression = "" if "compression" in transport else 'compression = "none"'
        self.bench, self.dir = bench, bench.dir / f"ccr-{kind}"
        self.crowd = Crowd()
        ports = {"alpha": free_port(), "beta": free_port()}
        place = bench.place
        for node in ports:
            (self.dir / node).mkdir(parents=True, exist_ok=True)
        databases = {"bench": kind, **({"busy": "pages"} if busy else {})}
        (self.dir / "ccr.toml").write_text(f'''
cluster = "bench"
state_dir = "{self.dir}/{{node}}/state"
[nodes.alpha]
addresses = ["{place.a_at}:{ports['alpha']}"]
[nodes.beta]
addresses = ["{place.b_at}:{ports['beta']}"]
[tls]
{f'ca = "{self.dir}/tls/ca.pem"' if tls else 'mode = "off"'}
cert = "{self.dir}/tls/{{node}}.pem"
key = "{self.dir}/tls/{{node}}.key"
[transport]
{compression}
{transport}
''' + "".join(f'''
[databases.{name}]
kind = "{of}"
path = "{self.dir}/{{node}}/{name}.db"
logs = "{self.dir}/{{node}}/log{'' if name == 'bench' else '-' + name}"
copies = ["alpha", "beta"]
''' for name, of in databases.items()))
        if tls and not (self.dir / "tls").exists():
            for words in (["ca", "--cluster", "bench"], ["issue", "alpha"], ["issue", "beta"]):
                subprocess.run([bench.options.ccr, "cert", *words, "--out", str(self.dir / "tls")], check=True, capture_output=True)

    def __enter__(self):
        for node, place in (("alpha", self.bench.place.a), ("beta", self.bench.place.b)):
            with (self.dir / f"{node}.log").open("ab") as log:
                self.crowd.start([*place, *self.command(node, "serve")], stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.crowd.end()

    def command(self, node, *words):
        return [self.bench.options.ccr, "--config", str(self.dir / "ccr.toml"), "--node", node, *words]

    def ask(self, node, *words):
        done = subprocess.run(self.command(node, *words, "--json"), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"ccr {' '.join(words)}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
        return json.loads(done.stdout)

    def copy(self, of, asked, database="bench"):
        copies = self.ask(asked, "status", f"{database}@{of}")["databases"][0]["copies"]
        return copies[0] if copies else {}

    def seed(self, database="bench"):
        """Until beta has all that alpha has."""
        self.until_state("alpha", ("mounted",), database)
        self.until_state("beta", ("needs_seed", "healthy"), database)
        self.crowd.run(self.command("beta", "seed", f"{database}@beta"), stdout=subprocess.DEVNULL)
        self.until_state("beta", ("healthy",), database)

    def until_state(self, of, states, database="bench", seconds=WAIT_SECONDS_MAX):
        def there():
            try:
                return self.copy(of, of, database).get("state") in states
            except EXPECTED_ERRORS:
                return False
        until(there, seconds)

    def processor_seconds(self):
        """Of both daemons, until now."""
        total = 0
        for pid in self.crowd.running:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
        return total


def log_bytes(position):
    return position["generation"] * PIECE + position["offset"]


def make_database(path, size, content=None):
    """A SQLite file of blobs of 1 MiB, random if not said otherwise, closed and checkpointed, as one that was written long ago."""
    content = content or Content("random")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE filled (id INTEGER PRIMARY KEY, bytes BLOB)")
    while path.stat().st_size < size:
        with connection:
            connection.executemany("INSERT INTO filled (bytes) VALUES (?)", ((content.piece(),) for _ in range(64)))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    subprocess.run(["sync", path], check=True)


def change_database(path):
    """One byte in each of CHANGED_SHARE of its pages, by a program that writes to its blobs."""
    connection = sqlite3.connect(path, isolation_level=None)
    rows = [row for row, in connection.execute("SELECT id FROM filled")]
    slots = PIECE // OVERFLOW_BYTES - 1  # so far apart that no two are on one page
    changes = sorted(random.sample(range(len(rows) * slots), int(path.stat().st_size // PAGE * CHANGED_SHARE)))
    for first in range(0, len(changes), CHANGES_A_COMMIT):
        connection.execute("BEGIN")
        for change in changes[first:first + CHANGES_A_COMMIT]:
            with connection.blobopen("filled", "bytes", rows[change // slots]) as blob:
                at = change % slots * OVERFLOW_BYTES + PAGE // 2
                blob[at] = blob[at] ^ 0xff
        connection.execute("COMMIT")
    connection.close()


# --- seeds --------------------------------------------------------------------------------------------------------------------------

class Watch(threading.Thread):
    """Looks at beta while it is seeded: how many streams, and the lag of another database into which `ccr load` writes; for the time of a `with`."""

    def __init__(self, nodes, load):
        super().__init__()
        self.nodes, self.load, self.over, self.process = nodes, load, threading.Event(), None
        self.streams, self.lag = 0, 0.0

    def __enter__(self):
        if self.load:
            self.nodes.seed("busy")
            words = self.nodes.command("alpha", "load", "busy", "--rate", self.load, "--seconds", str(WAIT_SECONDS_MAX))
            self.process = subprocess.Popen([*self.nodes.bench.place.a, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.start()
        return self

    def run(self):
        while not self.over.wait(0.2):
            try:
                databases = ask(self.nodes.dir / "beta" / "state" / "control.sock", "status")["databases"]
            except (Refused, Unreachable):
                continue
            for database in databases:
                for copy in database["copies"]:
                    self.streams = max(self.streams, copy["seed"]["streams"] or 0)
                    self.lag = max(self.lag, copy["lag_seconds"] or 0) if database["name"] == "busy" else self.lag

    def __exit__(self, *_):
        self.over.set()
        self.join()
        if self.process:
            self.process.terminate()
            self.process.wait()


def nodes_with_original(bench, tls):
    options = bench.options
    nodes = Nodes(bench, "sqlite", f'compression = "{options.compression}"\nstreams = "{options.streams}"', tls=tls, busy=bool(options.load))
    original = nodes.dir / "alpha" / "bench.db"
    if not original.exists():
        part = original.with_suffix(".part")
        part.unlink(missing_ok=True)
        make_database(part, options.size, bench.content)
        part.rename(original)
    return nodes, original


def seed_timed(bench, nodes, original):
    """The seed, with nodes that run, until both sides computed the same root."""
    with Watch(nodes, bench.options.load) as watch:
        used = nodes.processor_seconds()
        crowd = Crowd()
        found = bench.measured(crowd, original.stat().st_size,
                               lambda: crowd.run(nodes.command("beta", "seed", "bench@beta"), stdout=subprocess.DEVNULL))
        crowd.cpu += nodes.processor_seconds() - used
        told = nodes.copy("beta", "beta")["seed"]
    nodes.until_state("beta", ("healthy",))
    facts = {"streams": watch.streams, "own_wire": told["wire_bytes"], **({"lag": watch.lag} if bench.options.load else {})}
    return {**found, **facts, "nodes": nodes}


def with_memory(found):
    """Once the daemons have ended."""
    found["crowd"].memory_kib = max(found["crowd"].memory_kib, found.pop("nodes").crowd.memory_kib)
    return found


def ccr_seed(bench, tls=False):
    nodes, original = nodes_with_original(bench, tls)
    shutil.rmtree(nodes.dir / "beta")
    (nodes.dir / "beta").mkdir()
    with nodes:
        nodes.until_state("alpha", ("mounted",))
        nodes.until_state("beta", ("needs_seed",))
        os.sync()
        ready(original, bench.options.cold)  # mounting for the first time has read it
        found = seed_timed(bench, nodes, original)
    return with_memory(found)


def ccr_seed_tls(bench):
    return ccr_seed(bench, tls=True)


def ccr_seed_delta(bench):
    """Of a copy that was suspended while CHANGED_SHARE of the pages changed."""
    nodes, original = nodes_with_original(bench, tls=True)
    with nodes:
        nodes.seed()
        nodes.ask("beta", "suspend", "bench@beta", "--comment", "until the pages changed")
        change_database(original)
        until(lambda: nodes.copy("alpha", "alpha")["source"]["uncaptured_bytes"] == 0, WAIT_SECONDS_MAX)
        os.sync()
        for file in (original, nodes.dir / "beta" / "bench.db.copy"):
            ready(file, bench.options.cold)
        found = seed_timed(bench, nodes, original)
    return with_memory(found)


# --- shipping -----------------------------------------------------------------------------------------------------------------------

def ccr_ship(bench, *pattern):
    shutil.rmtree(bench.dir / "ccr-pages", ignore_errors=True)
    with Nodes(bench, "pages") as nodes:
        nodes.seed()
        before = log_bytes(nodes.copy("alpha", "alpha")["generated"])
        began = time.monotonic()
        nodes.ask("alpha", "load", "bench", "--rate", "unlimited", "--seconds", str(bench.options.seconds), *pattern)
        end = log_bytes(nodes.copy("alpha", "alpha")["generated"])
        until(lambda: log_bytes(nodes.copy("beta", "beta")["replayed"]) >= end or nodes.copy("beta", "alpha")["copy_queue"]["bytes"] == 0
              and nodes.copy("beta", "beta")["replay_queue"]["bytes"] == 0, WAIT_SECONDS_MAX)
        seconds = time.monotonic() - began
    return {"bytes": end - before, "seconds": seconds, "crowd": nodes.crowd}


def ccr_ship_bulk(bench):
    return ccr_ship(bench, "--pattern", "seq", "--transaction-pages", "64")
