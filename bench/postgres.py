"""A PostgreSQL cluster of its own, of one table of the wanted size, in a directory that goes away with it; copied by pg_basebackup as it
comes: checkpoint at the usual pace (there is nothing to write), log streamed beside, manifest, synced at the end. Its server runs as the
package's user where this is root."""

import os
import pwd
import shutil
import signal
import struct
import subprocess
from pathlib import Path

from peers import PIECE, Crowd, free_port, ready, tcp_opens, until

START_SECONDS = 60


def programs():
    """The directory of initdb and postgres, or None."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name), reverse=True)
    found = versions[0] if versions else shutil.which("initdb")
    return Path(found).parent if found else None


def user():
    """As whom a server may run: it refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        except KeyError:
            continue
    raise RuntimeError("no user postgres or nobody: a PostgreSQL server does not run as root")


class Server:
    """For the time of a `with`."""

    def __init__(self, bench, settings=()):
        self.bench, self.dir, self.crowd, self.port = bench, bench.dir / "postgres", Crowd(), free_port()
        self.settings = [word for setting in (f"listen_addresses={bench.place.a_at}", f"port={self.port}", "unix_socket_directories=", *settings)
                         for word in ("-c", setting)]

    def __enter__(self):
        with (self.dir / "log").open("ab") as log:
            self.crowd.start([*self.bench.place.a, *as_user([programs() / "postgres", "-D", self.dir / "main", *self.settings])],
                             stdout=log, stderr=log)
        try:
            until(lambda: tcp_opens(self.bench.place.a, self.bench.place.a_at, self.port) and self.answers(), START_SECONDS)
        except BaseException:
            self.crowd.end(signal.SIGINT)
            raise
        return self

    def __exit__(self, *_):
        self.crowd.end(signal.SIGINT)  # as pg_ctl's 'fast'

    def reached(self, place):
        return [*place, "env", f"PGHOST={self.bench.place.a_at}", f"PGPORT={self.port}", "PGUSER=bench", "PGSSLMODE=disable"]

    def psql(self, *statements, **how):
        words = [word for statement in statements for word in ("-c", statement)]
        return subprocess.run([*self.reached(self.bench.place.a), programs() / "psql", "-qAtX", "-d", "postgres", "-v", "ON_ERROR_STOP=1", *words],
                              stderr=subprocess.PIPE, **how)

    def answers(self):
        return self.psql("SELECT 1", stdout=subprocess.DEVNULL).returncode == 0


def as_user(command):
    """By a program, not by Popen: where a namespace is entered first, that takes root."""
    who = user()
    return ["setpriv", f"--reuid={who['user']}", f"--regid={who['group']}", "--clear-groups", *command] if who else command


def fill(bench):
    """One row for each MiB, out of line and as it is, as the other programs' file."""
    with Server(bench, ("wal_level=minimal", "max_wal_senders=0", "fsync=off", "max_wal_size=100GB")) as server:
        made = server.psql("CREATE TABLE filled (bytes bytea)", "ALTER TABLE filled ALTER bytes SET STORAGE EXTERNAL")
        if made.returncode != 0:
            raise RuntimeError(made.stderr.decode().strip())
        command = [*server.reached(bench.place.a), programs() / "psql", "-qX", "-d", "postgres", "-1", "-v", "ON_ERROR_STOP=1",
                   "-c", "TRUNCATE filled", "-c", "COPY filled FROM STDIN (FORMAT binary)"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as copying:
            copying.stdin.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">II", 0, 0))
            for _ in range(bench.options.size // PIECE):
                piece = bench.content.piece()
                copying.stdin.write(struct.pack(">hI", 1, len(piece)) + piece)
            copying.stdin.write(struct.pack(">h", -1))
            copying.stdin.close()
            errors = copying.stderr.read().decode().strip()
        if copying.returncode != 0:
            raise RuntimeError(f"psql: {errors}")
        server.psql("VACUUM (FREEZE) filled", "CHECKPOINT")


def make_cluster(bench):
    directory = bench.dir / "postgres"
    if directory.exists():
        return
    bench.dir.chmod(0o755)  # the server's user passes
    directory.mkdir()
    try:
        if who := user():
            shutil.chown(directory, who["user"], who["group"])
        made = subprocess.run(as_user([programs() / "initdb", "-D", directory / "main", "-U", "bench", "-A", "trust", "--no-sync", "-E", "UTF8",
                                       "--locale=C"]), capture_output=True, text=True, cwd="/")
        if made.returncode != 0:
            raise RuntimeError(f"initdb: {made.stderr.strip()}")
        with (directory / "main" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all,replication all {bench.place.b_at}/32 trust\nhost all,replication all {bench.place.a_at}/32 trust\n")
        fill(bench)
    except BaseException:
        shutil.rmtree(directory)
        raise


def pg_basebackup(bench):
    make_cluster(bench)
    target = bench.dir / "basebackup"
    shutil.rmtree(target, ignore_errors=True)
    crowd = Crowd()
    with Server(bench) as server:
        server.psql("CHECKPOINT")
        os.sync()
        ready(server.dir / "main" / "base", bench.options.cold)
        command = [*server.reached(bench.place.b), programs() / "pg_basebackup", "-D", target]
        found = bench.measured(crowd, 0, lambda: crowd.run(command))
    crowd.cpu += server.crowd.cpu
    crowd.memory_kib = max(crowd.memory_kib, server.crowd.memory_kib)
    found["bytes"] = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    shutil.rmtree(target)
    return found
