"""ccr leaves the user's file alone: no lock to write, no page written, owner and mode as they were; nobody else's file is served."""

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

from cluster import until
from network import Loopback
from sqlite_original import end
from sqlite_pair import SqlitePair
from trial import Skipped

NOBODY = 65534
AT_REST_SECONDS = 3  # the source lets go after one
INSERT = "INSERT INTO t(body) VALUES(randomblob(3000))"
WRITERS_LOCK_BYTES = (120, 121, 122)  # of the -shm: a writer's, a checkpoint's, a recovery's


CALLS = ("fcntl", "write", "pwrite64", "pwritev", "pwritev2", "ftruncate", "truncate", "fallocate", "unlink", "unlinkat", "rename", "renameat2",
         "chmod", "fchmod", "chown", "fchown", "fsync", "fdatasync")


def facts(path):
    """What ls -n and sha256sum say of a file."""
    status = os.stat(path)
    return (status.st_ino, status.st_uid, status.st_gid, status.st_mode, status.st_size, status.st_mtime_ns,
            hashlib.sha256(Path(path).read_bytes()).hexdigest())


def quiet_file(trial):
    """A database that nobody writes, seeded, verified and scrubbed: not one byte, not even a time stamp, is another."""
    with SqlitePair(trial, ["quiet"]) as pair:
        original = pair.originals["quiet"]
        original.create()
        holder = original.start_holding("INSERT INTO t(body) VALUES(randomblob(900000))")
        for suffix in ("", "-wal", "-shm"):
            os.chown(original.path + suffix, NOBODY, NOBODY)
            os.chmod(original.path + suffix, 0o640)
        before = {suffix: facts(original.path + suffix) for suffix in ("", "-wal")}
        owned = os.stat(original.path + "-shm")
        pair.begin()
        pair.prove()
        pair.alpha.kill()
        pair.alpha.start().wait_serving()
        pair.mounted("quiet")
        pair.alpha.end()
        for suffix, seen in before.items():
            now = facts(original.path + suffix)
            trial.check(f"the file{suffix} is as it was: inode, owner, mode, length, time, content", now == seen, (seen, now))
        now = os.stat(original.path + "-shm")
        trial.check("the -shm keeps inode, owner and mode", (owned.st_ino, owned.st_uid, owned.st_mode) == (now.st_ino, now.st_uid, now.st_mode))
        end(holder)


def made_by_us(trial):
    """Where no -wal and no -shm lie, those that the first reader makes belong to the database's owner: a program of theirs goes on."""
    with SqlitePair(trial, ["theirs"]) as pair:
        original = pair.originals["theirs"]
        original.create()
        os.chmod(pair.directory, 0o755)
        os.chmod(pair.alpha.directory, 0o777)
        os.chown(original.path, NOBODY, NOBODY)
        os.chmod(original.path, 0o640)
        trial.require("nothing lies beside it", not os.path.exists(original.path + "-wal"))
        pair.begin()
        for suffix in ("-wal", "-shm"):
            made = os.stat(original.path + suffix)
            trial.check(f"the {suffix} has the owner and the mode of the database", (made.st_uid, made.st_gid, made.st_mode & 0o777) == (NOBODY, NOBODY, 0o640),
                        (made.st_uid, made.st_gid, oct(made.st_mode)))
        done = subprocess.run(["sqlite3", original.path, INSERT + ";"], user=NOBODY, group=NOBODY, capture_output=True, text=True)
        trial.check("a program of the owner's writes", done.returncode == 0, done.stderr)
        pair.prove()


def is_writers(line):
    """A lock that only one who changes something asks for: in the -shm that of a writer, a checkpoint or a recovery, else any to write."""
    start = int(re.search(r"l_start=(\d+)", line)[1])
    return "F_WRLCK" in line and ("-shm>" not in line or start in WRITERS_LOCK_BYTES)


def seen_by_strace(trial):
    """Every system call of the daemon on the database, its -wal and its -shm while a program writes, checkpoints and is seeded."""
    if subprocess.run(["strace", "-V"], capture_output=True).returncode != 0:
        raise Skipped("strace is not there")
    with SqlitePair(trial, ["watched"]) as pair:
        original = pair.originals["watched"]
        original.create()
        pair.start_nodes()
        pair.mounted("watched")
        record = pair.directory / "calls"
        tracer = subprocess.Popen(["strace", "-f", "-y", "-qq", "-e", f"trace={','.join(CALLS)}", "-o", str(record), "-p", str(pair.alpha.pid)],
                                  stderr=subprocess.DEVNULL)
        try:
            until(lambda: record.exists() and "TracerPid:\t0" not in Path(f"/proc/{pair.alpha.pid}/status").read_text(), 10, "strace is attached")
            pair.seed("watched")
            original.app("pace", 2, "PRAGMA synchronous=NORMAL")
            original.run("PRAGMA busy_timeout=5000", INSERT, "PRAGMA wal_checkpoint(TRUNCATE)", INSERT, "VACUUM")
            pair.prove()
        finally:
            tracer.terminate()
            tracer.wait()
        calls = [line for line in record.read_text().splitlines() if original.path in line]
        locks = [line for line in calls if "F_WRLCK" in line or "F_RDLCK" in line]
        changing = [line for line in calls if not re.search(r"\bfcntl\(", line)]
        trial.check(f"{len(calls)} calls on the three files, {len(locks)} of them locks", len(locks) > 0)
        trial.check("none of them writes, cuts, syncs, removes or renames", changing == [], changing[:3])
        taken = [line for line in locks if is_writers(line)]
        trial.check("no lock of a writer, of a checkpoint or of a recovery was ever asked for", taken == [], taken[:3])


def emptied_at_rest(trial):
    """Where nothing was committed for a while, a checkpoint without any busy handler is never told to wait."""
    with SqlitePair(trial, ["resting"]) as pair:
        original = pair.originals["resting"]
        original.create()
        pair.begin()
        answers = []
        connection = original.connect(timeout=0)
        for kind in ("RESTART", "TRUNCATE", "TRUNCATE"):
            original.shell(INSERT)
            pair.captured("resting")
            time.sleep(AT_REST_SECONDS)
            answers.append(connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchone()[0])
        connection.close()
        trial.check(f"three checkpoints at rest, none was busy {answers}", answers == [0, 0, 0])
        pair.unbroken("resting")
        pair.prove()


class UserOf(Loopback):
    """Loopback, where one node's programs run as another user."""

    def __init__(self, nodes, node):
        super().__init__(nodes)
        self._node = node
        self.user = NOBODY

    def prefix(self, node):
        return ["setpriv", f"--reuid={self.user}", f"--regid={NOBODY}", "--clear-groups"] if node == self._node else []


def other_users(trial):
    """A daemon that is neither root nor the owner is refused; the owner's is not."""
    if os.geteuid() != 0:
        raise Skipped("only root can be several users")
    with SqlitePair(trial, ["owned"], network=lambda nodes: UserOf(nodes, "alpha")) as pair:
        original = pair.originals["owned"]
        original.create()
        os.chmod(pair.directory, 0o755)
        os.chown(original.path, NOBODY, NOBODY)
        os.chmod(original.path, 0o666)
        pair.network.user = NOBODY - 1
        os.chown(pair.alpha.directory, NOBODY - 1, NOBODY)
        pair.start_nodes()
        copy = pair.refused("owned", "belongs to uid")
        trial.check(f"another user's daemon is refused ({copy['hint']})", not os.path.exists(original.path + "-wal"))
        pair.alpha.end()
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(pair.alpha.directory)], check=True)
        pair.network.user = NOBODY
        pair.alpha.start().wait_serving()
        pair.seed("owned")
        original.run(INSERT)
        pair.prove()
        trial.check("the owner's daemon serves", True)


def run(trial):
    trial.part("a quiet database stays as it is, bit for bit", quiet_file)
    trial.part("what the daemon makes belongs to the owner", made_by_us)
    trial.part("every call of the daemon on the database", seen_by_strace)
    trial.part("other users", other_users)
    trial.part("a checkpoint at rest need not wait", emptied_at_rest)
