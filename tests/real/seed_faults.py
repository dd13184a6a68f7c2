"""Seeds that meet a full disk, another program at their file, a wrong file carried by hand, and a source that goes half-way

Each has a clear end: it waits and says for what, or refuses and says what to do; with the cause gone it goes on where it was, by itself or by
the command that the hint names, and ccr verify says 0. Nothing is written to a file that is another's. Over four streams.
"""

import os
import sqlite3
from contextlib import closing

from cluster import Database, until
from cut import fill, passes
from oracle import check_sqlite_copy, check_verify
from small_disk import SmallDisk
from writers import SqliteWriter

DATABASE = "orders"
STREAMS = {"streams": "4"}
SLOW = "12MB/s"  # so that there is a middle
MIB = 2**20
SIZE_MIB = 24
PAGE = 4096
SECONDS = 60


def half(trial, node, rate=SLOW):
    """A seed of this node's copy that has a part of its pages."""
    done = node.ccr("seed", f"{DATABASE}@{node.name}", "--rate", rate, "--detach")
    trial.require("the seed is asked for", done.returncode == 0, done.stderr)
    return node.wait_copy(lambda copy: copy["seed"]["running"] and (copy["seed"]["done_bytes"] or 0) >= SIZE_MIB * MIB // 3, "is seeded in part", DATABASE)


def waits(trial, node, words):
    copy = node.wait_copy(lambda copy: copy["state"] == "failed" and words in (copy["cause"] or ""), f"says '{words}'", DATABASE)
    trial.say(f"{node.name} says {copy['state']}: {copy['cause']} (hint: {copy['hint']})")
    return copy


def equal_at_last(trial, node, passes_made, words):
    node.wait_settled(DATABASE, SECONDS)
    check_verify(trial, node, DATABASE)
    trial.check(words, len(passes(node)) == passes_made, passes(node))


def full_disk(trial, when):
    """`when`: the disk is too small "before" the seed, or is filled half-way."""
    with trial.cluster(databases=[Database(DATABASE, "pages")], transport=STREAMS) as cluster:
        disk = cluster.keep(SmallDisk(SIZE_MIB // 2 if when == "before" else 16 * SIZE_MIB))
        alpha, beta = cluster["alpha"], cluster["beta"]
        disk.move_to(beta.directory / "pages")
        text = (cluster.directory / "ccr.toml").read_text().replace(f"{{node}}/{DATABASE}.db", f"{{node}}/pages/{DATABASE}.db")
        beta.config_path = cluster.directory / "beta.toml"
        beta.config_path.write_text(text)
        cluster.start()
        fill(trial, cluster, SIZE_MIB)
        if when == "before":
            beta.ask("seed", database=DATABASE, node="beta", detach=True)
            copy = waits(trial, beta, "bytes free")
            trial.check("a disk that is too small is said before anything is written, with a hint", copy["hint"] != "" and not passes(beta), copy)
        else:
            half(trial, beta, "4MB/s")  # filling takes a moment too
            disk.fill()
            copy = waits(trial, beta, "o space")
            trial.check("a disk that fills up is said, with a hint", copy["hint"] != "", copy)
        trial.check("the active node goes on", alpha.copy(DATABASE)["state"] == "mounted")
        disk.resize(24 * SIZE_MIB)
        beta.ccr("seed", f"{DATABASE}@beta", "--rate", "unlimited", "--detach")  # the seed that waits
        equal_at_last(trial, beta, 1, "with room it goes on by itself, in one pass")


def other_program(trial):
    """sqlite3 reads in the copy's file while it is made, then somebody writes into a part of it that is done."""
    with trial.cluster(databases=[Database(DATABASE, "sqlite")], transport=STREAMS) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        writer = SqliteWriter(cluster, alpha.database_path(DATABASE), initial_mib=SIZE_MIB)
        cluster.start()
        half(trial, beta)
        path = beta.database_path(DATABASE)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            try:
                reader.execute("BEGIN")
                found = reader.execute("SELECT count(*) FROM sqlite_master").fetchall()
            except sqlite3.Error as error:
                found = error
            trial.say(f"a program that reads the unfinished copy: {found}")
            foreign = os.urandom(PAGE)
            with open(path, "r+b") as file:
                file.seek(2 * MIB)
                file.write(foreign)
            beta.wait_state(DATABASE, "healthy", SECONDS)
        writer.end()
        beta.wait_settled(DATABASE, SECONDS)
        stays = page_of(path, 2 * MIB) == foreign  # no log wrote the page anew
        found = beta.ccr("verify", f"{DATABASE}@beta", "--rate", "unlimited")
        trial.say(f"verify: {found.returncode}, {(found.stdout + found.stderr).strip().splitlines()[:3]}")
        trial.check("what was written into the copy is found, and repaired from the other one",
                    found.returncode == (5 if stays else 0) and page_of(path, 2 * MIB) != foreign, found.stdout)
        check_verify(trial, beta, DATABASE)
        beta.ask("suspend", database=DATABASE, node="beta", comment="trial: a look inside")
        beta.wait_state(DATABASE, "suspended", 10)
        check_sqlite_copy(trial, alpha, beta, DATABASE)
        trial.check("both dumps are the same", True)


def page_of(path, offset):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(PAGE)


def place_other(path, _alpha):
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA page_size=8192")
        other.execute("CREATE TABLE foreign_rows (x)")
        other.executemany("INSERT INTO foreign_rows VALUES (randomblob(?))", [(5000,)] * 400)
        other.commit()


def place_short(path, alpha):
    path.write_bytes(alpha.read_bytes()[:5 * PAGE + 777])


def place_long(path, alpha):
    path.write_bytes(alpha.read_bytes() + os.urandom(3 * MIB + 5))


# What lies where the copy is to be: a word for it, who puts it there, and whether it can be made equal.
CARRIED = (
    ("another database's file, of other pages", place_other, True),
    ("a file cut inside a page", place_short, True),
    ("a longer file with other content behind", place_long, True),
    ("a directory", lambda path, alpha: path.mkdir(), False),
    ("a symbolic link to the active database", lambda path, alpha: path.symlink_to(alpha), False),
    ("a hard link to the active database", lambda path, alpha: path.hardlink_to(alpha), False),
)


def carried(trial):
    """A wrong file where somebody carried the first leg by hand."""
    with trial.cluster(databases=[Database(DATABASE, "sqlite")], transport=STREAMS) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        writer = SqliteWriter(cluster, alpha.database_path(DATABASE), initial_mib=5)
        writer.end()
        original, path = alpha.database_path(DATABASE), beta.database_path(DATABASE)
        with closing(sqlite3.connect(original)) as settled:
            settled.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            keeper = sqlite3.connect(original)  # the WAL stays, and the file as it is
            before = original.read_bytes()
            alpha.start()
            alpha.wait_serving()
            alpha.wait_state(DATABASE, "mounted")
            for words, place, becomes_equal in CARRIED:
                place(path, original)
                beta.start()
                beta.wait_serving()
                carried_one(trial, cluster, words, path, becomes_equal)
                trial.check(f"{words}: the active database's file is as it was", original.read_bytes() == before)
                beta.end()
                forget_copy(beta, path)
            keeper.close()


def carried_one(trial, cluster, words, path, becomes_equal):
    beta = cluster["beta"]
    beta.wait_opened(DATABASE)
    without = beta.ccr("seed", f"{DATABASE}@beta", "--detach")
    if becomes_equal:
        trial.check(f"{words}: is not overwritten unasked", without.returncode == 4 and "--yes" in without.stderr, (without.returncode, without.stderr))
        asked = beta.ccr("seed", f"{DATABASE}@beta", "--yes", "--detach")
        trial.require(f"{words}: may be overwritten", asked.returncode == 0, asked.stderr)
        beta.wait_settled(DATABASE, SECONDS)
        check_verify(trial, beta, DATABASE)
        trial.check(f"{words}: is made equal", True)
        return
    asked = beta.ccr("seed", f"{DATABASE}@beta", "--yes", "--detach")
    copy = until(lambda: (beta.copy(DATABASE) or {}) if (beta.copy(DATABASE) or {}).get("cause") else None, SECONDS, f"{words}: beta says why")
    trial.say(f"{words}: exit code {asked.returncode}, {copy['state']}: {copy['cause']} (hint: {copy['hint']})")
    trial.check(f"{words}: is refused, with a cause and a hint", copy["state"] not in ("healthy", "resynchronizing") and copy["hint"], copy)
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    beta.wait_copy(lambda copy: copy["state"] in ("needs_seed", "healthy", "seeding", "resynchronizing"), "goes on once it is gone", DATABASE, seconds=SECONDS)
    beta.ccr("seed", f"{DATABASE}@beta", "--detach")
    beta.wait_settled(DATABASE, SECONDS)


def forget_copy(node, path):
    """As if there never was one."""
    for found in (path, node.state_dir, node.log_directory(DATABASE)):
        if found.is_dir():
            remove_tree(found)
        elif found.exists():
            found.unlink()


def remove_tree(directory):
    for found in sorted(directory.rglob("*"), reverse=True):
        found.rmdir() if found.is_dir() else found.unlink()
    directory.rmdir()


def source_goes(trial, how):
    """`how`: its daemon is ended in order, or its database is dismounted, because its log's disk is full."""
    with trial.cluster(databases=[Database(DATABASE, "pages")], transport=STREAMS) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start()
        fill(trial, cluster, SIZE_MIB)
        half(trial, beta)
        moved = alpha.log_directory(DATABASE).with_name("moved-away")
        trial.require("alpha ends with 0", alpha.end() == 0)
        if how == "dismounted":
            alpha.log_directory(DATABASE).rename(moved)  # the daemon runs, and cannot serve this one
            alpha.start()
            alpha.wait_copy(lambda copy: copy["state"] == "dismounted" and copy["cause"], "is dismounted", DATABASE)
        copy = beta.wait_copy(lambda copy: copy["state"] == "disconnected" and copy["cause"], "waits", DATABASE)
        done = copy["seed"]["done_bytes"]
        trial.say(f"beta says {copy['state']}: {copy['cause']} (hint: {copy['hint']})")
        trial.check("the seed waits, says for what, and keeps what it has", copy["seed"]["running"] and done > 0, copy["seed"])
        if how == "dismounted":
            trial.require("alpha ends with 0", alpha.end() == 0)
            if alpha.log_directory(DATABASE).exists():
                remove_tree(alpha.log_directory(DATABASE))
            moved.rename(alpha.log_directory(DATABASE))
        alpha.start()
        equal_at_last(trial, beta, 1, "with its source back it goes on by itself, in one pass")


def changed_streams(trial):
    with trial.cluster(databases=[Database(DATABASE, "pages")], transport=STREAMS) as cluster:
        beta = cluster["beta"]
        cluster.start()
        fill(trial, cluster, SIZE_MIB)
        half(trial, beta, "2MB/s")
        for streams in (2, 6):
            done = beta.ccr("seed", f"{DATABASE}@beta", "--streams", str(streams), "--detach")
            trial.require("the seed that runs takes another number", done.returncode == 0, done.stderr)
            beta.wait_copy(lambda copy: copy["seed"]["streams"] == streams and copy["seed"]["running"], f"has {streams} streams", DATABASE)
            trial.check(f"ccr status shows {streams} streams", f"over {streams} streams" in beta.ccr("status").stdout)
        beta.ccr("seed", f"{DATABASE}@beta", "--rate", "unlimited", "--detach")
        equal_at_last(trial, beta, 1, "it is one pass")


PARTS = (
    ("The target's disk is too small", full_disk, ("before",)),
    ("The target's disk fills up half-way", full_disk, ("half-way",)),
    ("Another program at the copy's file", other_program, ()),
    ("A wrong file carried by hand", carried, ()),
    ("The source's daemon ends half-way", source_goes, ("ended",)),
    ("The source is dismounted half-way", source_goes, ("dismounted",)),
    ("Another number of streams half-way", changed_streams, ()),
)


def run(trial):
    for words, play, arguments in PARTS:
        trial.part(words, play, *arguments)
