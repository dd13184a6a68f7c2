"""A table is dropped, and a delayed copy becomes the active one as of a moment before: `ccr activate --until`, SQLite and a page store

Every row of before is there, nothing that came later is; what is given up is told before it is, and kept in quarantine/ on both nodes; the old
active copy follows by difference, asked by itself or, where it was killed, by a person; ccr verify says 0.
"""

import datetime
import sqlite3
import time
from contextlib import closing

from cluster import REFUSED, Database, until
from oracle import check_verify
from writers import Load

ROWS, STORE = "orders", "mail"
USAGE = 2
LAG = {"replay_lag.beta": "1h"}
GOOD_ROWS = 200


def at_rest(node, database):
    """Its last commit, once what was under way when a load left has come to its end."""
    before = None
    while (now := node.copy(database)["commit"]) != before:
        before = now
        time.sleep(0.5)
    return now


def moment():
    """Local time, to the second that is over when this returns."""
    time.sleep(1.05)
    now = datetime.datetime.now()
    time.sleep(1.05)
    return now


def received(node, database, commit):
    return node.wait_copy(lambda copy: copy["replayed_commit"] + ((copy["replay_lag"] or {}).get("held_commits") or 0) >= commit, f"has received commit {commit}", database)


def set_aside(node, database):
    return len(list((node.log_directory(database) / "quarantine").glob("*.log.*")))


def run(trial):
    databases = [Database(ROWS, "sqlite", options=dict(LAG)), Database(STORE, "pages", options=dict(LAG))]
    with trial.cluster(databases=databases, tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        path = alpha.directory / f"{ROWS}.db"
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT)")
            database.commit()
        cluster.start()
        cluster.seed()
        drop_and_undo(trial, alpha, beta, path)
        active_is_gone(trial, alpha, beta)


def drop_and_undo(trial, alpha, beta, path):
    with closing(sqlite3.connect(path)) as database:
        for row in range(GOOD_ROWS):
            database.execute("INSERT INTO rows VALUES (?, ?)", (row, f"row {row}"))
            database.commit()
        good = moment()
        captured = at_rest(alpha, ROWS)
        for number, statement in enumerate(("DROP TABLE rows", "CREATE TABLE other (id INTEGER)"), start=1):
            database.execute(statement)
            database.commit()
            # Captured before the next: what a busy machine reads of the file in one look is one commit of the log.
            alpha.wait_copy(lambda copy, number=number: copy["commit"] >= captured + number, f"has captured: {statement}", ROWS)
    received(beta, ROWS, captured + 2)

    typed = ["activate", ROWS, "--on", "beta", "--until", good.strftime("%H:%M:%S")]
    served = beta.ccr(*typed)
    trial.check("while the active copy serves it wants force", served.returncode == REFUSED and "--dial force" in served.stderr, served.stderr)
    nonsense = beta.ccr("activate", ROWS, "--on", "beta", "--until", "25:61")
    trial.check("what is no time is usage", nonsense.returncode == USAGE and "is no time" in nonsense.stderr, nonsense.stderr)
    early = beta.ccr("activate", ROWS, "--on", "beta", "--until", "2020-01-01T00:00:00Z", "--dial", "force", "--yes")
    trial.check("what the pages hold already is refused with the earliest", early.returncode == REFUSED and "--until 20" in early.stderr, early.stderr)
    unasked = beta.ccr(*typed, "--dial", "force")
    trial.check("it is agreed to by name or --yes, and told", unasked.returncode == REFUSED and "2 commits that came to it later" in unasked.stderr, unasked.stderr)
    plan = beta.json(*typed, "--dial", "force", "--dry-run")
    trial.check("the checks tell what is given up", plan["allowed"] and plan["until"]["given_up"]["commits"] == 2, plan)
    trial.say(beta.ccr(*typed, "--dial", "force", "--dry-run").stdout.strip())
    trial.check("and change nothing", alpha.copy(ROWS)["state"] == "mounted" and beta.copy(ROWS)["state"] == "healthy")
    done = beta.json(*typed, "--dial", "force", "--yes")
    trial.check("alpha gave up", not done["forced"] and done["until"]["cut"]["commit"] == plan["until"]["cut"]["commit"], done)
    beta.wait_state(ROWS, "mounted", node="beta")
    with closing(sqlite3.connect(f"file:{beta.directory / (ROWS + '.db')}?mode=ro", uri=True, timeout=5)) as database:
        rows, = database.execute("SELECT count(*) FROM rows").fetchone()
        others, = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'other'").fetchone()
    trial.check("every row is there again, and nothing later", (rows, others) == (GOOD_ROWS, 0), (rows, others))
    told = beta.events(f"{ROWS}@beta")
    aside = [each for each in told if each["event"] == "generations_set_aside"]
    trial.check("an event names what was set aside", len(aside) == 1 and aside[0]["commits"] == "2", aside)
    alpha.wait_state(ROWS, "healthy", node="alpha", seconds=60)
    trial.check("both keep what was given up", set_aside(alpha, ROWS) > 0 and set_aside(beta, ROWS) > 0)
    check_verify(trial, alpha, ROWS)


def active_is_gone(trial, alpha, beta):
    load = Load(alpha, STORE, rate=2_000_000)
    time.sleep(1)
    load.leave()
    good_commit = at_rest(alpha, STORE)
    good = moment()
    load = Load(alpha, STORE, rate=2_000_000)
    time.sleep(1)
    load.leave()
    received(beta, STORE, alpha.copy(STORE)["commit"])
    alpha.kill()
    done = beta.json("activate", STORE, "--on", "beta", "--until", good.astimezone().isoformat(timespec="seconds"), "--dial", "force", "--yes")
    trial.check("it ends where the first load ended", done["forced"] and done["until"]["cut"]["commit"] == good_commit, done)
    trial.check("and goes on there", beta.copy(STORE)["commit"] == good_commit, beta.copy(STORE))
    alpha.start()
    alpha.wait_serving()
    until(lambda: (alpha.copy(STORE) or {}).get("state") == "failed_and_suspended", 60, lambda: f"the old active copy is {alpha.copy(STORE)}")
    trial.require("resume takes the other side", alpha.ccr("resume", f"{STORE}@alpha").returncode == 0)
    alpha.wait_state(STORE, "healthy", node="alpha", seconds=60)
    check_verify(trial, alpha, STORE)
