"""The database changes under ccr: replaced by an older file, changed while a daemon is down or killed, its WAL gone."""

import itertools
import os
import shutil
import subprocess

from cluster import until
from sqlite_original import end
from sqlite_pair import SqlitePair

INSERT = "INSERT INTO t(body) VALUES(randomblob(3000))"


def replace_by(original, older):
    """What a restore from a backup does: no program has the database open."""
    for suffix in ("-wal", "-shm"):
        if os.path.exists(original.path + suffix):
            os.remove(original.path + suffix)
    os.replace(older, original.path)


def keep_older(original):
    """A copy of the file as it is now, beside it; nobody writes."""
    original.shell("PRAGMA busy_timeout=5000", "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(original.path, original.path + ".old")
    return original.path + ".old"


def content_won(trial, pair, name, *reasons):
    """The changed pages went into the log, as one commit or as a marker, with an event that says why."""
    carried = [each for each in pair.events("catch_up", name) + pair.events("base_marker", name) if each["reason"] != "first_start"]
    words = "; ".join(f"{each['event']}: {each['reason']}, {each['pages']} pages" for each in carried)
    trial.check(f"{name}: the file's content won ({words})", tuple(pair.losses(name)) in reasons, pair.losses(name))


def replaced_while_running(trial):
    with SqlitePair(trial, ["replaced", "overwritten"]) as pair:
        for original in pair.originals.values():
            original.create()
        pair.begin()
        older = {name: keep_older(original) for name, original in pair.originals.items()}
        for name, original in pair.originals.items():
            original.run(INSERT, INSERT, "PRAGMA busy_timeout=5000", "PRAGMA wal_checkpoint(TRUNCATE)")
            pair.settle(name)
        replace_by(pair.originals["replaced"], older["replaced"])
        subprocess.run(["cp", older["overwritten"], pair.originals["overwritten"].path], check=True)
        for name in pair.originals:
            until(lambda name=name: "file_replaced" in pair.losses(name), 20, f"{name} is noticed")
            pair.prove(name)
            # Between the removals of -wal and -shm, and before the rename, looks at it are possible.
            looks = [row for count in range(3) for row in itertools.product(("wal_gap", "file_replaced"), repeat=count)]
            content_won(trial, pair, name, *(row + ("file_replaced",) for row in looks))
            pair.originals[name].run(INSERT)
            pair.prove(name)


def replaced_while_down(trial):
    with SqlitePair(trial, ["replaced"]) as pair:
        original = pair.originals["replaced"]
        original.create()
        pair.begin()
        older = keep_older(original)
        original.run(INSERT, INSERT)
        pair.settle("replaced")
        pair.alpha.end()
        original.run(INSERT)
        replace_by(original, older)
        pair.alpha.start().wait_serving()
        pair.mounted("replaced")
        pair.prove()
        content_won(trial, pair, "replaced", ("file_replaced",))


def restored_beside_a_suspension(trial):
    """What an administrator types around a restore: the copy is suspended, the file put back, the copy resumed."""
    with SqlitePair(trial, ["restored", "alone"]) as pair:
        for original in pair.originals.values():
            original.create()
        pair.begin()
        older = {name: keep_older(original) for name, original in pair.originals.items()}
        for name, original in pair.originals.items():
            original.run(INSERT, INSERT, INSERT)
            pair.settle(name)
        asked = pair.beta.ccr("suspend", "restored@beta", "--comment", "restore of last night")
        trial.require("the copy is suspended", asked.returncode == 0, asked.stderr)
        pair.beta.wait_state("restored", "suspended")
        for name, original in pair.originals.items():
            replace_by(original, older[name])
            until(lambda name=name: "file_replaced" in pair.losses(name), 20, f"{name} is noticed")
            original.run(INSERT)
        trial.check("the suspension is kept", pair.beta.copy("restored")["comment"] == "restore of last night", pair.beta.copy("restored"))
        asked = pair.beta.ccr("resume", "restored@beta")
        trial.require("the copy is resumed", asked.returncode == 0, asked.stderr)
        pair.prove()  # the one that nobody suspended too
        seeds = [len(pair.events("seed_pass_opened", name, "beta")) for name in pair.databases]
        trial.check("neither is seeded again", seeds == [1, 1], seeds)


def restored_with_its_node(trial):
    """A whole machine put back from an image: the file, and what ccr knows of it. The copy has seen commits that are in nobody's database any more."""
    with SqlitePair(trial, ["whole"]) as pair:
        original = pair.originals["whole"]
        original.create()
        pair.begin()
        keep_older(original)
        pair.settle("whole")
        pair.alpha.end()
        image = pair.alpha.directory.with_suffix(".image")
        shutil.copytree(pair.alpha.directory, image, symlinks=True)
        pair.alpha.start().wait_serving()
        pair.mounted("whole")
        original.run(INSERT, INSERT, INSERT)
        pair.settle("whole")
        pair.alpha.end()
        shutil.rmtree(pair.alpha.directory)
        os.rename(image, pair.alpha.directory)
        pair.alpha.start().wait_serving()
        pair.mounted("whole")
        until(lambda: pair.events("generations_set_aside", "whole", "beta"), 30, lambda: f"the log of what is gone is set aside; {pair.beta.copy('whole')}")
        original.run(INSERT)
        pair.prove()
        aside = pair.events("generations_set_aside", "whole", "beta")
        trial.check("the log of what is gone is kept, and only the difference comes", len(aside) == 1 and pair.beta.copy("whole")["quarantine"]["files"] > 0
                    and len(pair.events("difference_needed", "whole", "beta")) == 1, (aside, pair.beta.copy("whole")))


def daemon_down(trial):
    """Four ways to come back: the WAL is still there; it has been reset; the last program closed; the WAL was removed."""
    ways = ["same_wal", "resets", "closed", "removed"]
    with SqlitePair(trial, ways) as pair:
        originals = pair.originals
        for original in originals.values():
            original.create()
        pair.begin()
        holders = [originals[name].start_holding(INSERT) for name in ("same_wal", "resets", "removed")]
        for name in ways:
            originals[name].run(INSERT)
            pair.settle(name)
        pair.alpha.kill()
        originals["same_wal"].run(INSERT, INSERT)
        originals["resets"].app("write", 0.5, "PRAGMA synchronous=OFF")
        originals["closed"].run(INSERT, INSERT)
        originals["removed"].run(INSERT)
        for holder in holders:
            end(holder)
        # As a power cut would that takes what was never synced: the commits since the last checkpoint are in nobody's file.
        os.remove(originals["removed"].path + "-wal")
        os.remove(originals["removed"].path + "-shm")
        pair.alpha.start().wait_serving()
        for name in ways:
            pair.mounted(name)
        pair.prove()
        trial.check("same_wal: caught up from the WAL", pair.losses("same_wal") == [], pair.losses("same_wal"))
        for name in ways[1:]:
            content_won(trial, pair, name, ("wal_gap",))


def daemon_killed(trial):
    """kill -9 of alpha's daemon again and again while a program commits as fast as it can."""
    rounds = trial.rounds(2, 15)
    with SqlitePair(trial, ["busy"]) as pair:
        original = pair.originals["busy"]
        original.create()
        pair.begin()
        by_wal = by_digests = 0
        for _ in range(rounds):
            writer = original.start("pace", 2, "PRAGMA synchronous=NORMAL")
            until(lambda: pair.alpha.copy("busy")["source"]["wal_bytes"] > trial.random.randrange(2**20), 10, "the writer is under way")
            pair.alpha.kill()
            pair.alpha.start().wait_serving()
            pair.mounted("busy")
            original.ended(writer)
            pair.captured("busy")
            by_digests += len(pair.losses("busy"))
            by_wal += 0 if pair.losses("busy") else 1
            pair.prove()
        trial.check(f"{rounds} kills: caught up {by_wal} times from the WAL, {by_digests} times by page digests", by_wal + by_digests >= rounds)


def run(trial):
    trial.part("replaced by an older file while it runs", replaced_while_running)
    trial.part("replaced by an older file while the daemon is down", replaced_while_down)
    trial.part("suspended, replaced and resumed", restored_beside_a_suspension)
    trial.part("the whole node is put back", restored_with_its_node)
    trial.part("changed while the daemon is down", daemon_down)
    trial.part("the daemon killed while a program writes", daemon_killed)
