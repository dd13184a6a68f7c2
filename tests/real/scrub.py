"""A flipped bit anywhere in a page file is found in one pass and comes back as one page, on a copy and on an active page store

Bits are flipped in the files themselves, behind the daemons' back, at random places, and synced. What a pass must then do: name the page,
keep the bad bytes, fetch the page with about a page of traffic, and leave a file that is byte for byte what it was. A page of an SQLite
database's own file is told and not touched. --rounds N: so many bits.
"""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

from cluster import Database, until
from memory import make_database
from oracle import check_sqlite_copy, check_verify
from trial import mib

DATABASE = "orders"
PAGE = 4096
HANDSHAKE_BYTES_MAX = 1000  # of ccr's own, beside the page; TLS is below
PACE_SECONDS = 2  # a pass, where it goes by itself
WAIT_SECONDS = 120


@contextlib.contextmanager
def frozen(node):
    os.kill(node.pid, signal.SIGSTOP)
    try:
        until(lambda: Path(f"/proc/{node.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", 10, "the daemon stands still")
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


class Flip:
    """One bit of a file at rest, and what was there before."""

    def __init__(self, trial, node):
        self.node = node
        self.path = path = node.database_path(DATABASE)
        self.page = trial.random.randrange(path.stat().st_size // PAGE) + 1
        self.good = self.read()
        bad = bytearray(self.good)
        bad[trial.random.randrange(PAGE)] ^= 1 << trial.random.randrange(8)
        self.bad = bytes(bad)
        self.write(self.bad)

    def read(self):
        with open(self.path, "rb") as file:
            file.seek((self.page - 1) * PAGE)
            return file.read(PAGE)

    def write(self, image):
        """As rot does it: without a trace in the file's times, from which a source sees that somebody wrote; it must not look in between."""
        facts = self.path.stat()
        with frozen(self.node), open(self.path, "r+b", buffering=0) as file:
            file.seek((self.page - 1) * PAGE)
            file.write(image)
            os.utime(self.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            os.fsync(file.fileno())
            with contextlib.suppress(OSError):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def events_of(node, name):
    return [event for event in node.events(f"{DATABASE}@{node.name}") if event["event"] == name]


def processor_seconds(node):
    fields = open(f"/proc/{node.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def find_and_repair(trial, node, rounds):
    """`ccr scrub` finds each of `rounds` flipped bits and repairs it with one page."""
    path = node.database_path(DATABASE)
    for number in range(rounds):
        flip = Flip(trial, node)
        began, used = time.monotonic(), processor_seconds(node)
        done = node.json("scrub", f"{DATABASE}@{node.name}", "--rate", "unlimited")
        seconds, used = time.monotonic() - began, processor_seconds(node) - used
        trial.require("one page was rotten, and is repaired", (done["rotten_pages"], done["repaired_pages"], done["lost_pages"]) == (1, 1, 0), done)
        trial.require("the whole file was read", done["pages_checked"] == path.stat().st_size // PAGE, done)
        trial.require("the page is byte for byte what it was", flip.read() == flip.good)
        event = events_of(node, "page_repaired")[-1]
        trial.require("the event names the page", int(event["page"]) == flip.page, event)
        wire = int(event["wire_bytes"])
        trial.require("one page of traffic", PAGE < wire < PAGE + HANDSHAKE_BYTES_MAX, wire)
        kept = list((node.log_directory(DATABASE) / "quarantine" / "pages").glob(f"{flip.page:08x}-*.page"))
        trial.require("its bad bytes are kept", flip.bad in [file.read_bytes() for file in kept], kept)
        if number == 0:
            trial.check(f"{mib(path.stat().st_size)} of {node.name} read in {seconds:.2f} s with {used:.2f} s of processor, page {flip.page} repaired "
                        f"with {wire} bytes", True)
    trial.check(f"{rounds} flipped bits on {node.name}, {rounds} pages back", True)


def page_store(trial):
    """Both copies of a page store, by `ccr scrub` and then by themselves."""
    seconds = 1 if trial.short else 15
    rounds = trial.rounds(1, 20)
    with trial.cluster(databases=[Database(DATABASE)], top={"scrub.every": "off"}, tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start()
        alpha.ccr("load", DATABASE, "--rate", "unlimited", "--seconds", str(seconds), "--pattern", "seq")
        cluster.seed(WAIT_SECONDS)
        find_and_repair(trial, beta, rounds)
        find_and_repair(trial, alpha, rounds)
        trial.require("nothing is left of it in status", not alpha.copy(DATABASE)["cause"], alpha.copy(DATABASE)["cause"])
        flip = Flip(trial, beta)
        asked = beta.ccr("verify", f"{DATABASE}@beta", "--rate", "unlimited", "--json")
        found = json.loads(asked.stdout)
        trial.check("a verification repairs what it finds, and says 5", asked.returncode == 5 and found["repaired_pages"] == [flip.page]
                    and flip.read() == flip.good, (asked.returncode, found))
        check_verify(trial, beta, DATABASE)

        for node in (alpha, beta):
            node.end()
        config = cluster.directory / "ccr.toml"
        config.write_text(config.read_text().replace('scrub.every = "off"', f'scrub.every = "{PACE_SECONDS}s"\nscrub.rate = "unlimited"'))
        cluster.start()
        flips = [Flip(trial, node) for node in (alpha, beta)]
        began = time.monotonic()
        until(lambda: all(flip.read() == flip.good for flip in flips), WAIT_SECONDS, "both pages are repaired without being asked for")
        trial.check(f"by themselves, a pass in {PACE_SECONDS} s: repaired {time.monotonic() - began:.1f} s later", True)
        trial.require("beta is healthy", beta.wait_state(DATABASE, "healthy", WAIT_SECONDS))


def sqlite_database(trial):
    """The copy of an SQLite database is repaired; of the database itself a page is told, and not touched."""
    size = (32 if trial.short else 320) * 2**20
    with trial.cluster(databases=[Database(DATABASE, kind="sqlite")], top={"scrub.every": "off"}) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        make_database(alpha.database_path(DATABASE), size)
        cluster.start().seed(WAIT_SECONDS)
        find_and_repair(trial, beta, trial.rounds(1, 10))
        flip = Flip(trial, alpha)
        said = alpha.ccr("scrub", f"{DATABASE}@alpha", "--rate", "unlimited", "--json")
        found = json.loads(said.stdout)
        trial.check("a page of the SQLite file itself is told as lost, with 5", said.returncode == 5 and found["lost_pages"] == 1, (said.returncode, found))
        trial.require("and is not touched", flip.read() == flip.bad)
        cause = alpha.copy(DATABASE)["cause"]
        trial.require("status names it", f"page {flip.page} of" in cause, cause)
        flip.write(flip.good)
        sound = alpha.json("scrub", f"{DATABASE}@alpha", "--rate", "unlimited")
        trial.check("once it is right again a pass says so", sound["rotten_pages"] == 0 and not alpha.copy(DATABASE)["cause"], sound)
        check_verify(trial, beta, DATABASE)
        beta.ask("suspend", database=DATABASE, node="beta", comment="trial: a look inside")
        beta.wait_state(DATABASE, "suspended", WAIT_SECONDS)
        check_sqlite_copy(trial, alpha, beta, DATABASE)


def run(trial):
    trial.part("a page store: " + page_store.__doc__, page_store)
    trial.part("SQLite: " + sqlite_database.__doc__, sqlite_database)
