"""Backups of a database in use, of either copy, and the log that is kept until one is taken."""

import json
import sqlite3
from pathlib import Path

from cluster import Database, until
from sqlite_original import uri_of
from sqlite_pair import SqlitePair

TOLD_SECONDS_MAX = 45  # nodes tell each other twice a minute
RATE = "20MB/s"


def check_rows(node, name):
    looked = node.ccr("check", "--all", "--json")
    return {each["check"]: each for each in json.loads(looked.stdout)["checks"] if each.get("subject", "").startswith(f"{name}@{node.name}")}


def log_files(node, name):
    return {path.name for path in Path(node.log_directory(name)).glob("0*.log")}


def count_rows(uri):
    connection = sqlite3.connect(uri, uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT count(*) FROM load").fetchone()[0]
    finally:
        connection.close()


def grow(trial, original):
    """A program's work of some generations; its rows afterwards."""
    original.run(*["INSERT INTO load(a, body) VALUES(1, randomblob(300000))"] * (12 if trial.short else 60))
    return int(original.shell("SELECT count(*) FROM load"))


def taken_while_written(trial, pair, node, name, directory):
    original = pair.originals[name]
    before = int(original.shell("SELECT count(*) FROM load"))
    program = original.start("pace", 4 if trial.short else 20)
    taken = node.ccr("backup", f"{name}@{node.name}", "--to", str(directory), "--rate", RATE, "--json", seconds=120)
    original.ended(program)
    after = int(original.shell("SELECT count(*) FROM load"))
    assert taken.returncode == 0, f"{taken.returncode}: {taken.stderr}"
    rows = count_rows(uri_of(json.loads(taken.stdout)["file"], "mode=ro&immutable=1"))
    trial.require(f"the backup of {node.name} is whole and as of a commit within its time", before <= rows <= after, f"{before} <= {rows} <= {after}")
    return json.loads(taken.stdout)


def run(trial):
    database = Database("orders", kind="sqlite", options={"retention": "until-backup", "generation_size": "256KiB"})
    with SqlitePair(trial, [database]) as pair:
        original = pair.originals["orders"]
        original.create()
        original.run("CREATE TABLE load(id INTEGER PRIMARY KEY, a INT, body BLOB)")
        pair.begin()

        trial.chapter("without a backup, all log is kept")
        grow(trial, original)
        pair.settle("orders")
        first = sorted(log_files(pair.alpha, "orders"))
        trial.require("the log of the whole history is there", first and first[0] == "0000000000000001.log", first[:2])
        warned = check_rows(pair.alpha, "orders").get("retention", {})
        trial.require("ccr check warns that there is no backup", warned.get("verdict") == "warning" and "no backup" in warned.get("found", ""), warned)

        trial.chapter("a backup of the active copy, while a program writes")
        mine = taken_while_written(trial, pair, pair.alpha, "orders", pair.directory / "of-alpha")
        kept_from = mine["position"]["generation"]
        until(lambda: min(log_files(pair.alpha, "orders")) >= f"{kept_from - 1:016x}.log", 30, lambda: f"alpha's log goes to {kept_from:x}: {sorted(log_files(pair.alpha, 'orders'))[:3]}")
        trial.require("what came behind it is kept", min(log_files(pair.alpha, "orders")) <= f"{kept_from:016x}.log", sorted(log_files(pair.alpha, "orders"))[:2])
        well = check_rows(pair.alpha, "orders").get("retention", {})
        trial.require("ccr check is content", well.get("verdict") == "ok", well)
        pair.beta.wait_copy(lambda copy: copy["last_backup"] and copy["last_backup"]["position"]["generation"] == kept_from, "knows of the backup on alpha", "orders",
                            seconds=TOLD_SECONDS_MAX)

        trial.chapter("a backup of the passive copy")
        pair.settle("orders")
        of_beta = taken_while_written(trial, pair, pair.beta, "orders", pair.directory / "of-beta")
        trial.require("it is a later one", of_beta["commit"] > mine["commit"], (of_beta["commit"], mine["commit"]))
        shown = pair.alpha.ccr("status", "orders", "--verbose").stdout
        trial.require("status tells of retention and backup", "until-backup" in shown and "last backup" in shown, shown)
        pair.prove()
