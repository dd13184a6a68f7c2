"""A SQLite database that ordinary programs use, and the proof that its copy is the same. Knows nothing of how nodes run.

Programs are processes of their own, with a busy timeout of 0 unless said: a lock of ccr's would show as SQLITE_BUSY, which is counted.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile

PROGRAM_SECONDS_MAX = 300


def fields(line):
    """name=value pairs, as sqlite_app prints them."""
    pairs = (word.split("=", 1) for word in line.split() if "=" in word)
    return {name: float(value) for name, value in pairs}


class Original:
    def __init__(self, path, app):
        self.path = str(path)
        self.application = str(app)
        self.busy = 0  # met by the programs below

    def create(self, *before):
        """A WAL database with one small table."""
        return self.shell(*before, "PRAGMA journal_mode=WAL", "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)",
                          "INSERT INTO t VALUES(1, randomblob(5000))")

    def shell(self, *statements, refused=False):
        """The sqlite3 shell, one process for all statements; its output. refused: an error is what the caller expects."""
        script = "".join(f"{each};\n" for each in statements)
        ended = subprocess.run(["sqlite3", "-batch", self.path], input=script, text=True, capture_output=True, timeout=PROGRAM_SECONDS_MAX)
        self.busy += 0 if refused else ended.stderr.count("locked") + ended.stderr.count("busy")
        if bool(ended.stderr) != refused:
            raise AssertionError(f"sqlite3 {self.path}: said {ended.stderr!r}, refused expected: {refused}")
        return ended.stdout.strip()

    def start(self, *arguments):
        """tests/sqlite_app on this database; hand it to ended()."""
        command = [self.application, self.path, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start_holding(self, *statements):
        """A program that ran these and keeps the database open; end it with kill() and wait()."""
        process = self.start("hold", PROGRAM_SECONDS_MAX, *statements)
        if process.stdout.readline().strip() != "ready":
            raise AssertionError(f"sqlite_app: {process.stderr.read()}")
        return process

    def ended(self, process):
        out, err = process.communicate(timeout=PROGRAM_SECONDS_MAX)
        said = fields(out)
        if process.returncode != 0 or said.get("errors") != 0:
            raise AssertionError(f"sqlite_app ended with {process.returncode}: {out} {err}")
        self.busy += int(said["busy"])
        return said

    def app(self, *arguments):
        return self.ended(self.start(*arguments))

    def run(self, *statements):
        return self.app("run", *statements)

    def connect(self, timeout=0):
        return sqlite3.connect(self.path, isolation_level=None, timeout=timeout)

    def file_bytes(self):
        return os.path.getsize(self.path)

    def wal_bytes(self):
        try:
            return os.path.getsize(self.path + "-wal")
        except FileNotFoundError:
            return 0


def end(process):
    """kill -9."""
    process.kill()
    process.communicate()


def digest_of_dump(uri):
    dump = subprocess.Popen(["sqlite3", "-batch", uri, ".dump"], stdout=subprocess.PIPE)
    digest = hashlib.sha256()
    while piece := dump.stdout.read(1 << 20):
        digest.update(piece)
    if dump.wait() != 0:
        raise AssertionError(f"sqlite3 {uri} .dump failed")
    return digest.hexdigest()


def uri_of(path, mode):
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?{mode}"


def checkpointed(path, into):
    """The database as SQLite would read it now, in one file of its own: a copy with its WAL, checkpointed by SQLite."""
    copy = os.path.join(into, "checkpointed.db")
    subprocess.run(["cp", "--sparse=always", path, copy], check=True)
    if os.path.exists(path + "-wal"):
        shutil.copyfile(path + "-wal", copy + "-wal")
    connection = sqlite3.connect(copy)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return copy


def differences(original, copy):
    """What tells the resting copy from the original that nobody writes: [] when nothing does."""
    found = []
    looked_into = uri_of(copy, "immutable=1")
    checked = subprocess.run(["sqlite3", "-batch", looked_into, "PRAGMA integrity_check"], capture_output=True, text=True)
    if checked.stdout.strip() != "ok":
        found.append(f"integrity_check of the copy: {checked.stdout[:200]}{checked.stderr[:200]}")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(copy)) as room:
        whole = checkpointed(os.path.realpath(original), room)
        if digest_of_dump(uri_of(whole, "immutable=1")) != digest_of_dump(looked_into):
            found.append("the dumps differ")
        if subprocess.run(["cmp", "-s", whole, copy]).returncode != 0:
            found.append("the bytes differ: " + subprocess.run(["cmp", whole, copy], capture_output=True, text=True).stdout.strip())
    return found


def events_named(events, name, database):
    """Of `ccr events`, those of one database."""
    return [each for each in events if each["event"] == name and each["subject"].split("@")[0] == database]


def parse_events(text):
    return [json.loads(line) for line in text.splitlines() if line.strip()]
