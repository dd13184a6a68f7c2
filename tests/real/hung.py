"""A disk that hangs, under commands; a client of the control socket that trickles, or never reads its answer

The disk of one copy stands still for a while (a file system of FUSE whose process is stopped). Status, check and the other commands that ask for nothing of
that disk answer all the same, within seconds; another database goes on; commits of the one wait. When the disk goes on so does everything, and nothing
acknowledged is missing. A client that sends its request a byte at a time, or asks for more and more and reads nothing, is ended after a time and costs nobody
else anything.
"""

import contextlib
import json
import os
import signal
import socket
import time

from cluster import Database, until
from lying_disk import LyingDisk, program_beside
from oracle import check_verify
from outages import beside
from writers import Load

DATABASE, OTHER = "orders", "mail"
RATE = 1_000_000
HUNG_SECONDS = 4  # the commands are asked twice at least
ANSWER_SECONDS = 5  # of a command, on a machine that has more to do
SECONDS = 30
CLIENTS = 12  # of sixteen that there may be; a command is one more
TRICKLE_SECONDS = 0.3
ENDED_SECONDS = 20
BYTES_MAX = 64 * 2**20  # of memory that a client who does not read may cost


@contextlib.contextmanager
def standing_still(disk):
    os.kill(disk.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(disk.pid, signal.SIGCONT)


def timed(node, *words):
    began = time.monotonic()
    done = node.ccr(*words, seconds=SECONDS)
    return done, time.monotonic() - began


def hung(trial, name, place):
    """`place`: log, pages or state of orders on that node."""
    with trial.cluster(databases=[Database(DATABASE, file=f"pages/{DATABASE}.db"), Database(OTHER)]) as cluster:
        alpha, beta, victim = cluster["alpha"], cluster["beta"], cluster[name]
        for node in cluster.nodes.values():
            (node.directory / "pages").mkdir(mode=0o700)
        directory = {"log": victim.log_directory(DATABASE), "pages": victim.directory / "pages", "state": victim.state_dir / DATABASE}[place]
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = cluster.keep(LyingDisk(program_beside(cluster.ccr), directory))
        cluster.start().seed()
        load, other = Load(alpha, rate=RATE), Load(alpha, OTHER, rate=RATE)
        time.sleep(trial.random.uniform(0.3, 0.6))
        longest = 0
        with standing_still(disk):
            end = time.monotonic() + HUNG_SECONDS
            time.sleep(0.5)
            before = other.acknowledged
            while time.monotonic() < end:
                for node in cluster.nodes.values():
                    for words in (("status",), ("check", "--json"), ("events",), ("status", DATABASE, "--json")):
                        done, took = timed(node, *words)
                        trial.require(f"ccr {' '.join(words)} on {node.name} answers while the disk of {name} hangs", took < ANSWER_SECONDS
                                      and done.returncode in (0, 10, 11), (took, done))
                        longest = max(longest, took)
            trial.require(f"{OTHER} goes on", other.running and other.acknowledged > before, (before, other.acknowledged))
        until(lambda: alpha.copy(DATABASE)["state"] == "mounted", SECONDS, lambda: f"it serves again: {alpha.copy(DATABASE)}")
        acknowledged, others = load.leave(), other.leave()
        for database, commits in ((DATABASE, acknowledged), (OTHER, others)):
            trial.require(f"no commit of {database} is missing", alpha.copy(database)["commit"] >= commits)
            beta.wait_settled(database, SECONDS)
            check_verify(trial, beta, database)
        trial.check(f"{place} of {name} hung: the slowest answer took {longest:.1f} s; then everything is well", True)


def active_log(trial):
    hung(trial, "alpha", "log")


def active_state(trial):
    hung(trial, "alpha", "state")


def passive_pages(trial):
    hung(trial, "beta", "pages")


# --- the control socket -------------------------------------------------------------------------------------------------------


def connected(node):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SECONDS)
    client.connect(str(node.socket))
    return client


def is_over(client):
    """The node ended it; what it had said before is read and left aside."""
    client.setblocking(False)
    try:
        while True:
            if not client.recv(65536):
                return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def slow_clients(trial):
    with trial.cluster(databases=[Database(DATABASE), Database(OTHER)]) as cluster:
        cluster.start().seed()
        node = cluster["alpha"]
        before = node.usage()
        tricklers = [connected(node) for _ in range(CLIENTS)]
        began, words, ended = time.monotonic(), b'{"command": "status", "database": "' + b"x" * 4096, {}
        sent = 0
        while len(ended) < CLIENTS and time.monotonic() < began + ENDED_SECONDS:
            for number, client in enumerate(tricklers):
                if number in ended:
                    continue
                try:
                    client.send(words[sent:sent + 1])
                except OSError:
                    ended[number] = time.monotonic() - began
            sent += 1
            done, took = timed(node, "status")
            trial.require("others are answered", done.returncode == 0 and took < ANSWER_SECONDS, (took, done))
            time.sleep(TRICKLE_SECONDS)
        trial.check(f"{CLIENTS} that trickle are ended after {max(ended.values(), default=0):.0f} s, others were answered", len(ended) == CLIENTS, ended)
        for client in tricklers:
            client.close()

        mute = connected(node)
        mute.setblocking(False)
        began, asked = time.monotonic(), 0
        request = json.dumps({"command": "status"}).encode() + b"\n"
        over = False
        while not over and time.monotonic() < began + ENDED_SECONDS:
            with contextlib.suppress(BlockingIOError):
                try:
                    asked += mute.send(request) // len(request)
                    continue
                except BlockingIOError:
                    raise
                except OSError:
                    over = True
            done, took = timed(node, "status")
            trial.require("others are answered", done.returncode == 0 and took < ANSWER_SECONDS, (took, done))
            time.sleep(TRICKLE_SECONDS)
        now = node.usage()
        trial.check(f"one that reads no answer is ended, {time.monotonic() - began:.0f} s after its first of {asked} requests", over or is_over(mute))
        trial.check(f"it cost {(now['rss'] - before['rss']) / 1e6:.1f} MB", now["rss"] - before["rss"] < BYTES_MAX, now)
        mute.close()
        until(lambda: node.usage()["descriptors"] <= before["descriptors"] + 2, SECONDS, "no descriptor is left behind")
        trial.check("no descriptor is left behind", True)


def run(trial):
    beside(trial, (active_log, active_state, passive_pages, slow_clients))
