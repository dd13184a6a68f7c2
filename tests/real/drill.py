"""Drills of a page store and of a live SQLite database: reseed, under load, interrupted, rot, restored-backup; what must fail, and one that is left

What is held is what a person would act on: the verdict, its exit code, and that the copy is well and equal when a drill is over.
"""

import os
import signal
import sqlite3
import subprocess

from cluster import Database, end_with_parent, until
from writers import SqliteWriter

PAGES_MIB = 12
SQLITE_MIB = 4
LINK = ("--link-seconds", "1")
NO_LINK = ("--link-seconds", "0")
HEALTHY_SECONDS = 30


def drill(trial, node, name, copy, *arguments, code=0):
    """Its JSON; every check holds where the exit code says so."""
    result = node.json("drill", name, copy, "--yes", *arguments, code=code)
    broken = [check for check in result["checks"] if not check["holds"]]
    trial.require(f"{name} of {copy}: the verdict is that of its checks", result["pass"] == (not broken) == (code == 0), broken)
    return result


def passes(trial, cluster, name, copy, *arguments):
    beta = cluster["beta"]
    page = cluster.directory / f"{name}-{copy}.html"
    result = drill(trial, beta, name, copy, "--report", str(page), *arguments)
    before, after = result["root_before"], result["root_after"]
    trial.check(f"{name} of {copy} passes", result["kind"] == f"drill_{name.replace('-', '_')}" and before["root"] and after["root"], result["verdict"])
    trial.require("its page is written", page.stat().st_size > 50_000 and result["verdict"]["text"][:40] in page.read_text(), page)
    trial.say(result["verdict"]["text"])
    return result


def of_pages(trial, cluster):
    reseed = passes(trial, cluster, "reseed", "orders@beta", *LINK)
    amounts = reseed["amounts"]
    trial.check("everything crossed, and as a share of the link that was measured", amounts["bytes"] >= PAGES_MIB * 2**20
                and amounts["wire_bytes"] > 0 and amounts["extents_sent"] > 0 and 0 < amounts["share_of_link"] < 2, amounts)
    trial.check("nobody wrote: the root is what it was", reseed["root_before"]["root"] == reseed["root_after"]["root"], reseed["root_after"])
    load = passes(trial, cluster, "reseed-under-load", "orders@beta", *NO_LINK, "--rate", "10MB/s", "--load-rate", "1MB/s")
    trial.check("ccr load wrote meanwhile", load["amounts"]["writer"] == "ccr load" and load["amounts"]["log_bytes_made"] > 100_000, load["amounts"])
    trial.check("its lag and rate are known second by second", len(load["series"][0]["values"]) >= 1
                and load["amounts"]["lag_seconds_most"] is not None, load["series"])
    cut = passes(trial, cluster, "interrupted-reseed", "orders@beta", *NO_LINK, "--rate", "10MB/s", "--cuts", "3")
    cuts = cut["cuts"]
    trial.check("three cuts, and no more asked for again than was in flight", cuts["made"] == 3 <= cuts["counted"]
                and cuts["extents_again"] <= cuts["counted"] * cuts["extents_in_flight_max"], cuts)
    rot = passes(trial, cluster, "rot", "orders@beta")
    trial.check("the damaged page was found, and repaired without a seed", rot["rot"]["found"] == [rot["rot"]["page"]] and rot["rot"]["equal_after"]
                and rot["rot"]["repaired_by"] == "verification" and rot["amounts"]["bytes"] is None, rot)
    older = passes(trial, cluster, "restored-backup", "orders@beta", "--seconds", "1", "--load-rate", "1MB/s")
    restored, amounts = older["restored"], older["amounts"]
    trial.check("an older file in the copy's place is refused, and only what differs comes", restored["commit"] > restored["backup_commit"] > 0
                and restored["taken"] is False and "another file" in restored["refusal"] and amounts["wire_bytes"] < amounts["bytes"] / 2, (restored, amounts))
    left = f"{cluster['beta'].database_path('orders')}.drill"
    trial.check("nothing of it is left", not os.path.exists(left), left)


def of_sqlite(trial, cluster, writer):
    for name in ("reseed-under-load", "interrupted-reseed"):
        result = passes(trial, cluster, name, "notes@beta", *NO_LINK, "--rate", "5MB/s", "--cuts", "2")
        trial.check("the program's own writing is seen in the log", result["amounts"]["writer"] is None and result["amounts"]["log_bytes_made"] > 0, result["amounts"])
    passes(trial, cluster, "restored-backup", "notes@beta", "--seconds", "1")
    said = writer.end()
    trial.check("the program met no lock", said["busy"] == 0, said)
    cluster["beta"].wait_settled("notes")
    passes(trial, cluster, "reseed", "notes@beta", *NO_LINK)
    passes(trial, cluster, "rot", "notes@beta")
    idle = drill(trial, cluster["beta"], "reseed-under-load", "notes@beta", *NO_LINK, code=11)
    trial.check("under load without any load fails", [check["check"] for check in idle["checks"] if not check["holds"]] == ["log was made meanwhile"], idle["checks"])
    with sqlite3.connect(f"file:{cluster['beta'].database_path('notes')}?immutable=1", uri=True) as copy:
        trial.check("the copy is a sound SQLite file", copy.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def refused(trial, cluster):
    beta = cluster["beta"]
    for arguments, code, words in (
            (("reeseed", "orders@beta", "--yes"), 2, "did you mean 'reseed'?"),
            (("reseed", "orders", "--yes"), 2, "expected DB@NODE"),
            (("reseed", "orders@beta"), 4, "add --yes"),
            (("reseed", "orders@alpha", "--yes"), 3, "commanded there"),
            (("rot", "orders@beta", "--cuts", "0", "--yes"), 2, "--cuts")):
        done = beta.ccr("drill", *arguments)
        trial.check(f"drill {' '.join(arguments)}: {code}, {words}", done.returncode == code and words in done.stderr, (done.returncode, done.stderr))
    done = cluster["alpha"].ccr("drill", "rot", "orders@alpha", "--yes")
    trial.check("the active copy is never damaged: 4", done.returncode == 4 and "is the active copy" in done.stderr, (done.returncode, done.stderr))
    plan = beta.json("drill", "rot", "orders@beta", "--dry-run")
    trial.check("a dry run tells checks and plan, and changes nothing", plan["allowed"] and "one bit" in plan["plan"][0], plan)
    trial.check("beta is as it was", beta.copy("orders")["state"] == "healthy", beta.copy("orders"))


def left(trial, cluster):
    """Ctrl-C in the middle: the seed goes on."""
    beta = cluster["beta"]
    running = subprocess.Popen(beta.command("drill", "reseed", "orders@beta", "--yes", *NO_LINK, "--rate", "2MB/s"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
    try:
        until(lambda: beta.copy("orders")["seed"]["done_bytes"] > 0 and beta.copy("orders")["seed"]["running"], 20, "the seed runs")
        running.send_signal(signal.SIGINT)
        said, told = running.communicate(timeout=10)
    finally:
        running.kill()
        running.wait()
    trial.check("Ctrl-C ends the drill: 130, and it says what goes on", running.returncode == 130 and "goes on in the daemon" in told and "FAIL" in said, (running.returncode, told))
    trial.check("and it does", beta.copy("orders")["seed"]["running"], beta.copy("orders"))
    done = beta.ccr("seed", "orders@beta", "--rate", "unlimited")
    trial.check("ccr seed attaches to it, to its end", done.returncode == 0 and beta.wait_settled("orders", HEALTHY_SECONDS), done.stderr)


def fails(trial, cluster):
    alpha, beta = cluster["alpha"], cluster["beta"]
    running = subprocess.Popen(beta.command("drill", "reseed", "orders@beta", "--yes", *NO_LINK, "--rate", "2MB/s", "--timeout", "3s", "--json"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
    try:
        until(lambda: beta.copy("orders")["seed"]["running"], 20, "the seed runs")
        alpha.kill()
        said, told = running.communicate(timeout=20)
    finally:
        running.kill()
        running.wait()
    trial.check("a peer that dies under a reseed: 6, FAIL, and where to look", running.returncode == 6 and '"pass":false' in said and "ccr status" not in said
                and "goes on in the daemon" in told, (running.returncode, said[-400:], told))
    stopped = drill(trial, beta, "reseed", "orders@beta", code=4)
    broken = [check["check"] for check in stopped["checks"] if not check["holds"]]
    trial.check("a peer that does not run: 4, nothing is begun", "it is healthy before" in broken and stopped["root_before"] is None, broken)
    alpha.start()
    beta.ccr("seed", "orders@beta", "--rate", "unlimited")
    trial.check("when the peer is back the copy is made", beta.wait_settled("orders", HEALTHY_SECONDS) is not None)


def run(trial):
    databases = [Database("orders", kind="pages"), Database("notes", kind="sqlite")]
    with trial.cluster(databases=databases, tls=True) as cluster:
        writer = SqliteWriter(cluster, cluster["alpha"].database_path("notes"), SQLITE_MIB, pause=0.01)
        cluster.start()
        cluster["alpha"].ask("load", database="orders", seconds=1, rate_bytes_per_second=0, pattern="seq", transaction_pages=64,
                             pages_max=PAGES_MIB * 256)
        for name in cluster.databases:
            done = cluster["beta"].ccr("seed", f"{name}@beta")
            assert done.returncode == 0, done.stderr
            cluster["beta"].wait_state(name, "healthy")
        trial.part("what is refused", refused, cluster)
        trial.part("a page store", of_pages, cluster)
        trial.part("a live SQLite database", of_sqlite, cluster, writer)
        trial.part("left in the middle", left, cluster)
        trial.part("what must fail", fails, cluster)
