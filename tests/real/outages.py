"""Drills with two nodes: outage, frozen node, full disk, failover and fork; Ctrl-C, a drill that is killed, and what is refused

Held is what a person would act on: the verdict, its exit code, and that everything is as it was when a drill is over, whoever ended it. Each drill
has a cluster of its own, and three are played beside each other: most of their time is waiting.
"""

import json
import os
import signal
import sqlite3
import subprocess
import time

from cluster import Database, end_with_parent, until
from oracle import check_verify

TRANSPORT = {"heartbeat": {"interval": "0.5s", "missed": 4}}  # silence is noticed within three seconds, and a busy machine is none
HEALTHY_SECONDS = 30
RATE = "1MB/s"
TIMED = ("it is healthy in time", "commits wait for the move", "notices that")  # bounds of a machine that has nothing else to do


def drill(trial, node, name, *arguments, code=0, copy="orders@beta"):
    """Its JSON; every check holds where the exit code says so."""
    done = node.ccr("drill", name, copy, "--yes", "--json", *arguments)
    result = json.loads(done.stdout)
    broken = [check["check"] for check in result["checks"] if not check["holds"]]
    trial.require(f"{name}: the verdict is that of its checks", result["pass"] == (not broken) == (done.returncode in (0, 10)), (broken, result["warnings"]))
    slow = done.returncode == 11 and code in (0, None) and all(any(words in check for words in TIMED) for check in broken)
    if slow:
        trial.say(f"{name}: other work holds this machine: {[check for check in result['checks'] if not check['holds']]}")
    trial.require(f"{name}: exit code {code}", done.returncode == code or slow or (code is None and done.returncode in (0, 10)), (done.returncode, result["verdict"], done.stderr))
    trial.say(result["verdict"]["text"])
    return result


def as_before(trial, cluster, words):
    beta = cluster["beta"]
    beta.wait_settled("orders", HEALTHY_SECONDS)
    trial.check(f"{words}: alpha serves, beta is healthy", cluster["alpha"].copy("orders")["state"] == "mounted", cluster["alpha"].copy("orders"))


def pages_cluster(trial, **arguments):
    return trial.cluster(databases=[Database("orders", kind="pages")], transport=TRANSPORT, **arguments)


def made(cluster):
    cluster.start()
    cluster["alpha"].ask("load", database="orders", seconds=0.5, rate_bytes_per_second=16_000_000, pattern="seq", transaction_pages=64)
    cluster.seed()
    cluster["beta"].wait_settled("orders", HEALTHY_SECONDS)
    until(lambda: cluster["beta"].copy("orders")["root_equal"], 10, "the roots were compared")


def begun(node, *arguments):
    return subprocess.Popen(node.command("drill", *arguments, "--yes"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=end_with_parent)


def outage(trial):
    with pages_cluster(trial, tls=True) as cluster:
        made(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        page = cluster.directory / "outage.html"
        found = drill(trial, beta, "outage", "--seconds", "2", "--load", "--load-rate", RATE, "--report", str(page))
        pair = found["pair"]
        trial.check("outage: both nodes showed it, commits went on, and log alone came", pair["commits_meanwhile"] > 0 and pair["seed_passes"] == 0
                    and pair["backlog_bytes"] > 0, pair)
        trial.check("outage: its page has charts and rows", page.stat().st_size > 50_000 and "amount_rows" in page.read_text())
        idle = drill(trial, beta, "outage", "--seconds", "1", "--peer-socket", str(alpha.socket), code=10)
        trial.check("outage: where nobody wrote, that is a warning", idle["warnings"] == ["nobody wrote meanwhile: --load does"], idle["warnings"])
        as_before(trial, cluster, "outage")
        for ends, words in ((signal.SIGINT, "Ctrl-C"), (signal.SIGKILL, "kill -9")):
            running = begun(beta, "outage", "orders@beta", "--seconds", "4")
            until(lambda: beta.copy("orders")["state"] == "disconnected", 10, "contact is lost")
            cut_at = time.monotonic()
            running.send_signal(ends)
            _, told = running.communicate(timeout=20)
            if ends == signal.SIGINT:
                trial.check("outage: Ctrl-C ends it: 130, and what it did is undone", running.returncode == 130 and "is undone" in told, (running.returncode, told))
            beta.wait_settled("orders", HEALTHY_SECONDS)
            trial.say(f"{words} in an outage of 4 s: healthy {time.monotonic() - cut_at:.1f} s later")
        refused(trial, alpha, beta)


def refused(trial, alpha, beta):
    for node, arguments, code, words in (
            (beta, ("outtage", "orders@beta", "--yes"), 2, "did you mean 'outage'?"),
            (beta, ("outage", "orders@beta"), 4, "add --yes"),
            (beta, ("outage", "orders@beta", "--seconds", "541", "--yes"), 2, "--seconds"),
            (alpha, ("outage", "orders@alpha", "--yes"), 4, "is the active copy"),
            (alpha, ("fork", "orders@beta", "--yes"), 3, "run it on beta")):
        done = node.ccr("drill", *arguments)
        trial.check(f"drill {' '.join(arguments)}: {code}, {words}", done.returncode == code and words in done.stderr, (done.returncode, done.stderr))
    plan = beta.json("drill", "fork", "orders@beta", "--dry-run")
    trial.check("a dry run of a fork says what is lost", plan["allowed"] and any("commits are lost by that" in step for step in plan["plan"]), plan)
    mistaken = drill(trial, beta, "fork", "--peer-socket", str(beta.socket), code=4)
    broken = [check["check"] for check in mistaken["checks"] if not check["holds"]]
    trial.check("a socket of another node is not believed", broken == ["the daemon of alpha can be asked"], broken)
    short = drill(trial, beta, "frozen-node", "--seconds", "1", code=4)
    trial.check("too short a freeze is refused", [check["check"] for check in short["checks"] if not check["holds"]] == ["it is frozen for longer than heartbeats may miss"], short["checks"])


def frozen(trial):
    with pages_cluster(trial) as cluster:
        made(cluster)
        beta = cluster["beta"]
        found = drill(trial, beta, "frozen-node", "--seconds", "5", "--load", "--load-rate", RATE)
        pair = found["pair"]
        trial.check("frozen: alpha noticed, went on, and log alone came", pair["noticed_seconds"] is not None and pair["commits_meanwhile"] > 0 and pair["seed_passes"] == 0, pair)
        as_before(trial, cluster, "frozen")
        running = begun(beta, "frozen-node", "orders@beta", "--seconds", "30")
        until(lambda: "State:\tT" in open(f"/proc/{beta.pid}/status", encoding="ascii").read(), 10, "beta is stopped")
        running.kill()
        running.communicate()
        until(lambda: "State:\tT" not in open(f"/proc/{beta.pid}/status", encoding="ascii").read(), 5, "beta goes on when its drill was killed")
        as_before(trial, cluster, "frozen, and the drill killed")


def full(trial):
    with pages_cluster(trial) as cluster:
        made(cluster)
        beta = cluster["beta"]
        places = [(("--on-active",), "orders-log"), (("--full", "log"), "orders-log")] + ([] if trial.short else [(("--full", "pages"), "orders.db")])
        for arguments, place in places:
            pair = drill(trial, beta, "disk-full", "--seconds", "2", "--load", "--load-rate", RATE, *arguments)["pair"]
            trial.check(f"full: {' '.join(arguments)} is named, and heals by log alone", pair["full"]["place"].endswith(place) and pair["noticed_seconds"] is not None
                        and pair["seed_passes"] == 0, pair)
            trial.say(f"healthy {pair['healthy_seconds']:.1f} s behind it")
        as_before(trial, cluster, "full")
        running = begun(beta, "disk-full", "orders@beta", "--seconds", "30", "--load", "--load-rate", RATE)
        until(lambda: beta.copy("orders")["state"] == "failed", 10, "there is no room")
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=20)
        trial.check("full: Ctrl-C gives the room back", running.returncode == 130 and "is undone" in told, told)
        as_before(trial, cluster, "full, left in the middle")


def failover(trial):
    with pages_cluster(trial, tls=True) as cluster:
        made(cluster)
        beta = cluster["beta"]
        found = drill(trial, beta, "failover", "--load", "--load-rate", RATE)
        turns = found["pair"]["turns"]
        trial.check("failover: there and back, verified, nothing lost", [turn["to"] for turn in turns] == ["beta", "alpha"] and all(turn["verified"] for turn in turns), turns)
        trial.say(f"commits waited {turns[0]['held_seconds']:.3f} s and {turns[1]['held_seconds']:.3f} s; longest time without one {found['pair']['longest_seconds_without_commit']:.3f} s")
        as_before(trial, cluster, "failover")
        running = begun(beta, "failover", "orders@beta")
        until(lambda: beta.copy("orders")["role"] == "active", 20, "beta serves")
        running.kill()
        running.communicate()
        until(lambda: beta.copy("orders")["role"] == "passive", HEALTHY_SECONDS, "a failover that was killed is brought home")
        as_before(trial, cluster, "failover, and the drill killed")


def fork(trial):
    with pages_cluster(trial) as cluster:
        made(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        root = alpha.copy("orders")["root"]
        found = drill(trial, beta, "fork", "--seconds", "1", "--load-rate", "4MB/s")
        fork_seen = found["pair"]["fork"]
        trial.check("fork: the load's log is in quarantine, the root is what it was", fork_seen["quarantine_files"] > 0 and fork_seen["commits"] > 0
                    and found["root_after"]["root"] == root, fork_seen)
        trial.check("fork: a difference, and not all of it", 0 < fork_seen["page_bytes"] and fork_seen["wire_bytes"] > 0, fork_seen)
        trial.check("fork: an event names what was set aside", "generations_set_aside" in alpha.ccr("events", "orders@alpha").stdout)
        as_before(trial, cluster, "fork")
        check_verify(trial, beta, "orders")
        load = alpha.talk("load", database="orders", seconds=60, rate_bytes_per_second=200_000, pattern="oltp", transaction_pages=0)
        busy = drill(trial, beta, "fork", "--seconds", "1", code=4)
        load.shut()
        trial.check("fork: refused while somebody writes", "nobody else writes" in [check["check"] for check in busy["checks"] if not check["holds"]], busy["checks"])
        beta.wait_settled("orders", HEALTHY_SECONDS)
        running = begun(beta, "fork", "orders@beta", "--seconds", "1")
        until(lambda: beta.copy("orders")["role"] == "active", 20, "beta serves")
        running.kill()
        running.communicate()
        until(lambda: beta.copy("orders")["role"] == "passive", 2 * HEALTHY_SECONDS, "a fork that was killed is brought home")
        as_before(trial, cluster, "fork, and the drill killed")


def sqlite(trial):
    with trial.cluster(databases=[Database("orders", kind="sqlite")], transport=TRANSPORT) as cluster:
        beta = cluster["beta"]
        with sqlite3.connect(cluster["alpha"].database_path("orders")) as made_here:
            made_here.execute("PRAGMA journal_mode = WAL")
            made_here.execute("CREATE TABLE notes (words TEXT)")
        made_here.close()
        cluster.start()
        cluster.seed()
        until(lambda: beta.copy("orders")["root_equal"], 10, "the roots were compared")
        turns = drill(trial, beta, "failover", code=None)["pair"]["turns"]
        trial.check("sqlite: a failover there and back", [turn["to"] for turn in turns] == ["beta", "alpha"], turns)
        fork_asked = drill(trial, beta, "fork", code=4)
        broken = [check["check"] for check in fork_asked["checks"] if not check["holds"]]
        trial.check("sqlite: a fork is refused", "ccr load can write into it" in broken, broken)


def play_apart(trial, play, told):
    """In a process of its own, which ends with its parent, or is ended by it and clears up behind itself."""
    end_with_parent()
    try:
        trial.checks = trial.failures = trial.skips = 0
        trial.attempt(play.__name__, play)
        os.write(told, json.dumps([trial.checks, trial.failures, trial.skips]).encode())
    finally:
        os._exit(0)


def beside(trial, plays):
    """Each apart; what they found is counted here."""
    ends = []
    try:
        for play in plays:
            here, there = os.pipe()
            child = os.fork()
            if child == 0:
                play_apart(trial, play, there)
            os.close(there)
            ends.append((play.__name__, child, os.fdopen(here)))
        for name, _, told in ends:
            counts = told.read()
            trial.require(f"{name} came to its end", counts)
            checks, failures, skips = json.loads(counts)
            trial.checks, trial.failures, trial.skips = trial.checks + checks, trial.failures + failures, trial.skips + skips
    except BaseException:
        for _, child, _ in ends:
            os.kill(child, signal.SIGTERM)
        raise
    finally:
        for _, child, told in ends:
            told.close()
            os.waitpid(child, 0)


def run(trial):
    beside(trial, (outage, frozen, sqlite))
    beside(trial, (full, failover, fork))
