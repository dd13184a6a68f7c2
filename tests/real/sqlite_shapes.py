"""Whatever shape a program gives its database arrives: transactions of all sizes, every page size, growth and shrink, what was rolled back."""

import time

from sqlite_original import end
from sqlite_pair import SqlitePair
from trial import mib

REST_SECONDS = 0.3  # until the capture rests
MANY_ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT {} FROM n"


def rows(count, columns):
    return MANY_ROWS.format(count, columns)


def transactions(original, largest_mib):
    """One page, then ten times more each time; the shell, Python and sqlite_app in turns."""
    connection = original.connect()
    size = 1
    while size <= largest_mib * 256:
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO t(body) {rows(size, 'randomblob(4000)')}")
        connection.execute("COMMIT")
        original.shell("UPDATE t SET body = randomblob(3900) WHERE id = (SELECT max(id) FROM t)")
        original.run("DELETE FROM t WHERE id % 11 = 3")
        size *= 10
    connection.execute(f"INSERT INTO t(body) {rows(largest_mib, 'randomblob(1048000)')}")
    connection.close()


def vacuum(original, scale):
    """Grows, drops, vacuums smaller, grows again without a checkpoint between, cuts the WAL off, vacuums to nearly nothing."""
    original.run(f"CREATE TABLE u AS {rows(3000 * scale, 'i, randomblob(1000) AS b')}", "DELETE FROM u WHERE i % 3", "VACUUM", "DROP TABLE u", "VACUUM",
                 f"CREATE TABLE v AS {rows(800 * scale, 'i, randomblob(1000) AS b')}",
                 "BEGIN; INSERT INTO v SELECT i, randomblob(1500) FROM v; DELETE FROM v WHERE i > 400; COMMIT")
    original.shell("PRAGMA busy_timeout=5000", "PRAGMA wal_checkpoint(TRUNCATE)", "DROP TABLE v", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)",
                   "INSERT INTO t(body) VALUES(randomblob(700000))", "DELETE FROM t", "VACUUM")


def vacuum_by_steps(original, scale):
    """auto_vacuum=INCREMENTAL, then FULL, which VACUUM switches to."""
    original.shell(f"INSERT INTO t(body) {rows(1000 * scale, 'randomblob(3000)')}", "DELETE FROM t WHERE id % 2", "PRAGMA incremental_vacuum(40)",
                   "PRAGMA incremental_vacuum", "PRAGMA auto_vacuum=FULL", "VACUUM", "DELETE FROM t WHERE id % 3",
                   f"INSERT INTO t(body) {rows(100, 'randomblob(9000)')}", "DELETE FROM t WHERE id % 4")
    assert original.shell("PRAGMA auto_vacuum") == "1"


def rolled_back(original, scale):
    """Spilled to the WAL by a small cache and rolled back, whole and to a savepoint; programs killed in the middle."""
    spill = f"INSERT INTO t(body) {rows(600 * scale, 'randomblob(3000)')}"
    original.shell("PRAGMA cache_size=20", "BEGIN", spill, "UPDATE t SET body = randomblob(2000)", "ROLLBACK",
                   "INSERT INTO t(body) VALUES(randomblob(100))", "BEGIN", spill, "SAVEPOINT s", "UPDATE t SET body = randomblob(2500)",
                   "ROLLBACK TO s", "DELETE FROM t WHERE id % 2", "SAVEPOINT u", "DROP TABLE t", "ROLLBACK TO u", "RELEASE u", "COMMIT")
    for _ in range(3 * scale):
        end(original.start_holding("PRAGMA cache_size=10", "BEGIN", spill))
        original.run("INSERT INTO t(body) VALUES(randomblob(30000))")


def checkpoints(original, scale):
    """The program's own checkpoints of every kind, between its transactions and after each."""
    sizes = (10, 90_000, 700, 4_000_000)
    for _ in range(scale):
        original.run("PRAGMA busy_timeout=1000", *(f"INSERT INTO t(body) VALUES(randomblob({size})); PRAGMA wal_checkpoint({kind})"
                                                   for size in sizes for kind in ("PASSIVE", "FULL", "RESTART", "TRUNCATE")))
        checkpoint_at_once(original)


def checkpoint_at_once(original):
    """A long transaction that begins at rest, and a FULL checkpoint right behind it, as patient as Python's connections are."""
    connection = original.connect(timeout=5)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    for _ in range(3):
        connection.execute(f"INSERT INTO t(body) {rows(12, 'randomblob(1000000)')}")
        busy, frames, in_file = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
        assert busy == 0 and frames == in_file, f"a FULL checkpoint brought {in_file} of {frames} frames into the file"
        time.sleep(REST_SECONDS)
    connection.execute("DELETE FROM t WHERE length(body) = 1000000")
    connection.close()


def every_page_size(originals, scale):
    for name in PAGE_SIZES:
        originals[name].app("write", 0.3 * scale, "PRAGMA synchronous=OFF")
        originals[name].shell("VACUUM", "DELETE FROM load WHERE id % 2", f"INSERT INTO t(body) {rows(20, 'randomblob(70000)')}", "VACUUM")


PAGE_SIZES = {f"pages{512 << power}": 512 << power for power in range(8)}


def shapes(trial):
    """Thirteen databases in one cluster, each with programs of its own kind."""
    scale, largest_mib = (1, 16) if trial.short else (5, 200)
    shapes_of = {"transactions": transactions, "vacuum": vacuum, "steps": vacuum_by_steps, "rolled_back": rolled_back, "checkpoints": checkpoints}
    with SqlitePair(trial, [*shapes_of, *PAGE_SIZES]) as pair:
        for name, original in pair.originals.items():
            first = [f"PRAGMA page_size={PAGE_SIZES[name]}"] if name in PAGE_SIZES else []
            original.create(*first, *(["PRAGMA auto_vacuum=INCREMENTAL"] if name == "steps" else []))
        pair.begin()
        for name, play in shapes_of.items():
            play(pair.originals[name], largest_mib if name == "transactions" else scale)
        every_page_size(pair.originals, scale)
        for name in pair.originals:
            pair.prove(name)
            pair.unbroken(name)
            copy = pair.alpha.copy(name)
            trial.check(f"{name} is the same: {mib(copy['page_count'] * pair.page_size(name))}, {copy['commit']} commits", True)


def growth(trial):
    """Past 1 GiB, where SQLite's lock page lies, then smaller again by VACUUM."""
    with SqlitePair(trial, ["large"]) as pair:
        original = pair.originals["large"]
        original.create()
        pair.begin()
        for _ in range(11):
            original.shell("PRAGMA synchronous=OFF", f"INSERT INTO t(body) {rows(100, 'randomblob(1048000)')}")
        pair.prove()
        trial.check(f"grown to {mib(original.file_bytes())}", original.file_bytes() > 2**30)
        original.shell("PRAGMA synchronous=OFF", "DELETE FROM t WHERE id % 8", "VACUUM")
        pair.prove()
        trial.check(f"shrunk to {mib(pair.beta.database_path('large').stat().st_size)}", pair.beta.database_path("large").stat().st_size < 2**28)
        pair.unbroken("large")


def run(trial):
    trial.part("transactions, vacuum, roll-backs, checkpoints, page sizes", shapes)
    if not trial.short:
        trial.part("growth past 1 GiB, and back", growth)
