"""Programs that push: many open readers, a writer at full speed, many databases, ATTACH, odd names and links."""

import os
import time

from cluster import Database
from sqlite_original import end
from sqlite_pair import SqlitePair
from trial import mib

INSERT = "INSERT INTO t(body) VALUES(randomblob(3000))"
WAL_BYTES_MAX = 128 * 2**20  # of a program at full speed whose checkpoints are its own; on an idle machine some megabytes
LAG_SECONDS_MAX = 1


def open_readers(trial):
    """Ten programs that read and stay in their read transaction, each begun at another commit, while others write."""
    with SqlitePair(trial, ["read"]) as pair:
        original = pair.originals["read"]
        original.create()
        pair.begin()
        readers = []
        for _ in range(10):
            readers.append(original.start_holding("BEGIN", "SELECT count(*) FROM t"))
            original.run(INSERT)
        said = original.app("write", 2 if trial.short else 20, "PRAGMA synchronous=NORMAL")
        pair.settle("read")
        trial.check(f"{said['commits']:.0f} commits beside ten readers; WAL {mib(original.wal_bytes())}, which they hold", original.busy == 0, original.busy)
        pair.unbroken("read")
        for reader in readers:
            end(reader)
        original.run("PRAGMA busy_timeout=5000", INSERT, "PRAGMA wal_checkpoint(TRUNCATE)")
        pair.prove()
        trial.check("the copy is the same", True)


def full_speed(trial):
    """One program commits as fast as it can: how far the capture is behind, and how long the WAL gets."""
    seconds = 6 if trial.short else 60
    with SqlitePair(trial, ["fast"]) as pair:
        original = pair.originals["fast"]
        original.create()
        pair.begin()
        writer = original.start("write", seconds, "PRAGMA synchronous=NORMAL")
        wal_max = lag_max = lag = 0
        while writer.poll() is None:
            source = (pair.alpha.copy("fast") or {}).get("source")
            lag = source["lag_seconds"] if source else lag
            wal_max, lag_max = max(wal_max, original.wal_bytes()), max(lag_max, lag)
            time.sleep(0.1)
        said = original.ended(writer)
        ended = time.monotonic()
        pair.captured("fast")
        words = (f"{said['rate']:.0f} commits/s, p50 {said['p50_ms']:.3f} p99 {said['p99_ms']:.2f} p99.9 {said['p999_ms']:.1f} ms; "
                 f"WAL at most {mib(wal_max)}, capture behind by at most {lag_max:.2f} s, {lag:.3f} s at the end, "
                 f"all captured {time.monotonic() - ended:.2f} s after")
        # The short form runs on machines of any speed: it shows the figures, and judges what comes out.
        trial.check(words, trial.short or (wal_max < WAL_BYTES_MAX and lag < LAG_SECONDS_MAX), f"WAL {mib(wal_max)}, lag {lag} s")
        pair.unbroken("fast")
        pair.prove()
        trial.check("the copy is the same", True)


def many_databases(trial):
    """Twelve at once, two of them ATTACHed to each other's transactions; names with spaces, quotes and other alphabets; a link."""
    plain = [f"d{number}" for number in range(8)]
    odd = {"spaces": "a place/with spaces.db", "unicode": "Größe/данные-数据.db", "signs": "it's 100% #1?/a&b;c$d.db", "link": "link.db"}
    databases = [*plain, *(Database(name, kind="sqlite", file=file) for name, file in odd.items())]
    with SqlitePair(trial, databases) as pair:
        for node in (pair.alpha, pair.beta):
            for name in odd:
                node.database_path(name).parent.mkdir(exist_ok=True)
        real = pair.alpha.directory / "elsewhere"
        real.mkdir()
        os.symlink(real / "real.db", pair.originals["link"].path)
        for original in pair.originals.values():
            original.create()
        pair.begin()
        writers = [(original, original.start("pace", 2 if trial.short else 20, "PRAGMA synchronous=OFF"))
                   for name, original in pair.originals.items() if name not in ("d0", "d1")]
        pair.originals["d0"].shell(f"ATTACH '{pair.originals['d1'].path}' AS other", "BEGIN", INSERT, INSERT.replace("INTO t", "INTO other.t"), "COMMIT",
                                   "BEGIN", "DELETE FROM t", "DELETE FROM other.t", "ROLLBACK", INSERT.replace("INTO t", "INTO other.t"))
        for original, writer in writers:
            original.ended(writer)
        commits = 0
        for name in pair.originals:
            pair.prove(name)
            pair.unbroken(name)
            commits += pair.alpha.copy(name)["commit"]
        trial.check(f"twelve databases are the same, {commits} commits", True)


def run(trial):
    trial.part("ten readers that stay open", open_readers)
    trial.part("a writer at full speed", full_speed)
    trial.part("many databases, odd names", many_databases)
