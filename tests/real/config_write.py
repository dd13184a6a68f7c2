"""The configuration that ccr add and ccr forget write, on a disk that lies and fails: always the old file or the new one, whole

Each command is killed at every operation of that disk, and the power is cut at every one; then the file is one of the two, with its mode, and the daemon
starts with it. Where a write, a sync or a rename fails, there is no room, or the disk is read-only, the command says so and leaves the file as it was.
A file that cannot be read, or is gone with its disk, changes nothing in a daemon that runs, and no daemon starts with it.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import time

from cluster import Database, end_with_parent, until
from lying_disk import LyingDisk, program_beside
from loop_disk import LoopDisk
from membership import names, reload
from small_disk import SmallDisk

MODE = 0o640
OPERATIONS_MAX = 60  # of one command; some twenty
SEED_MAX = 2**31
USAGE = 2
COMMAND_SECONDS = 20
FAILURES = (errno.EIO, errno.ENOSPC, errno.EROFS)


class File:
    """Alpha's configuration in a directory of its own; `ccr add` and `ccr forget` of mail take turns."""

    def __init__(self, trial, cluster, directory):
        self.trial, self.cluster, self.node = trial, cluster, cluster["alpha"]
        self.path = directory / "ccr.toml"
        self.texts = []  # without mail, with mail

    def make(self):
        """With the two texts that there are."""
        self.write((self.cluster.directory / "ccr.toml").read_text() + "# the last line is a person's\n")
        self.texts = [self.path.read_text()]
        done = self.node.ccr(*self.words())
        self.trial.require("ccr add writes the file", done.returncode == 0, done.stderr)
        self.texts.append(self.path.read_text())
        self.trial.require("the new one has mail", "[databases.mail]" in self.texts[1] and self.mode() == MODE, (self.texts[1], oct(self.mode())))

    def write(self, text):
        self.path.write_text(text)
        self.path.chmod(MODE)
        for path in (self.path, self.path.parent):
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.close(file)
        self.node.config_path = self.path

    def mode(self):
        return self.path.stat().st_mode & 0o7777

    def has_mail(self):
        text = self.path.read_text()
        self.trial.require("the file is the old one or the new one, whole", text in self.texts, text)
        self.trial.require("with its mode", self.mode() == MODE, oct(self.mode()))
        return text == self.texts[1]

    def words(self):
        """The command that changes it now."""
        if "[databases.mail]" in self.path.read_text():
            return ["forget", "mail", "--yes"]
        place = f"{self.cluster.directory}/{{node}}/mail"
        return ["add", "mail", "--kind", "pages", "--path", f"{place}.db", "--logs", f"{place}-log", "--copies", "alpha"]

    def begin(self, first):
        """Its process, which does `first` before it becomes ccr."""
        def prepare():
            end_with_parent()
            first()
        return subprocess.Popen(self.node.command(*self.words()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=prepare)

    def in_force(self):
        """The daemon serves what the file says, and has nothing more to say about it."""
        expected = ["mail", "orders"] if self.has_mail() else ["orders"]
        until(lambda: names(self.node) == expected, COMMAND_SECONDS, lambda: f"{expected}: {names(self.node)}")

    def again(self):
        """The same command, whether it was done or not: now it is done, and nothing is left beside the file."""
        had = self.has_mail()
        done = self.node.ccr(*self.words())
        self.trial.require("the next command does its work", done.returncode == 0 and self.has_mail() != had, done)
        self.in_force()
        self.trial.require("nothing is left beside the file", os.listdir(self.path.parent) in (["ccr.toml"], ["lost+found", "ccr.toml"], ["ccr.toml", "lost+found"]),
                           os.listdir(self.path.parent))


@contextlib.contextmanager
def file_on(trial, make_disk):
    """`make_disk`: of a cluster, what is mounted at the configuration's directory."""
    with trial.cluster(databases=[Database("orders")]) as cluster:
        directory = cluster.directory / "etc"
        disk = make_disk(cluster, directory)
        file = File(trial, cluster, directory)
        file.write((cluster.directory / "ccr.toml").read_text())
        cluster.start()
        file.make()
        file.in_force()
        yield file, disk


def lying(cluster, directory):
    directory.mkdir()
    return cluster.keep(LyingDisk(program_beside(cluster.ccr), directory))


# --- kills and cuts -----------------------------------------------------------------------------------------------------------


def blows(trial, power):
    with file_on(trial, lying) as (file, disk):
        for _ in range(trial.rounds(1, 10)):
            struck, replaced = [0, 0], 0
            for turn in range(2):  # an add, a forget
                begun_with = file.has_mail()
                operation = 0
                while strike(trial, file, disk, (operation := operation + 1), power):
                    trial.require("a command ends", operation < OPERATIONS_MAX)
                    struck[turn] += 1
                    replaced += file.has_mail() != begun_with
                    if file.has_mail() != begun_with:
                        file.again()
            trial.check(f"{'power cuts' if power else 'kills'} at {struck[0]} and {struck[1]} operations: the old file {sum(struck) - replaced} times, "
                        f"the new one {replaced} times", min(struck) > 4 and 0 < replaced < sum(struck), (struck, replaced))


def strike(trial, file, disk, operation, power):
    """False where the command had ended before that operation."""
    style = "any" if power else "process"
    seed = trial.random.randrange(SEED_MAX)
    process = file.begin(lambda: disk.tell(f"cut_at any {operation} {os.getpid()} {style} {seed}"))
    _, told = process.communicate(timeout=COMMAND_SECONDS)
    if not disk.off:
        disk.tell("calm")
        trial.require("a command that is not struck does its work", process.returncode == 0, told)
        return False
    trial.require("it died at its operation", process.returncode == -signal.SIGKILL, (process.returncode, told))
    if power:
        file.node.kill()
    disk.tell("mount")
    file.has_mail()
    if power:
        file.node.start().wait_serving()
        file.in_force()
    return True


# --- failures -----------------------------------------------------------------------------------------------------------------


def failing(trial):
    """Every operation of a command fails once, whoever makes it, the daemon's reading of the file too."""
    with file_on(trial, lying) as (file, disk):
        for number in FAILURES:
            said = set()
            for _ in range(2):  # an add, a forget
                skipped = 0
                while failed(trial, file, disk, number, skipped, said):
                    skipped += 1
                    trial.require("a command ends", skipped < OPERATIONS_MAX)
            trial.check(f"{errno.errorcode[number]} at each operation: " + "; ".join(sorted(said)), len(said) > 3, said)


def failed(trial, file, disk, number, skipped, said):
    """False where no operation is left to fail; then the command did its work."""
    before, words, had = file.has_mail(), file.words(), disk.facts()["failures"]
    disk.tell(f"fail any {number} {skipped} 1")
    done = file.node.ccr(*words)
    fired = disk.facts()["failures"] > had
    disk.tell("calm")
    now, place = file.has_mail(), f"{errno.errorcode[number]} behind {skipped} operations of {words[0]}"
    if done.returncode != 0:
        told = done.stderr.replace(str(file.cluster.directory), "").splitlines()[0]
        trial.require(f"{place}: it is said", os.strerror(number) in told or "cannot be read" in told, told)
        said.add(told.removeprefix("ccr: "))
    trial.require(f"{place}: what did not fail is done", (done.returncode == 0) == (now != before) or (now != before and fired), done)
    if now != before:
        trial.require(f"{place}: what was changed is told", done.returncode == 0 or "is replaced" in done.stderr or "is changed" in done.stderr, done.stderr)
        if names(file.node) != (["mail", "orders"] if now else ["orders"]):
            trial.require(f"{place}: the same command puts it in force", file.node.ccr(*words).returncode == 0)
        file.in_force()
        if fired:
            file.again()
    return fired


def no_room(trial):
    def small(cluster, directory):
        disk = cluster.keep(SmallDisk(1))
        disk.move_to(directory)
        return disk

    with file_on(trial, small) as (file, disk):
        disk.fill()
        refused(trial, file, "No space left")
        (disk.directory / "lost+found").unlink()
        file.again()


def read_only(trial):
    with file_on(trial, lambda cluster, directory: cluster.keep(LoopDisk(cluster.directory / "etc.image")).mount(directory)) as (file, disk):
        disk.turn_read_only()
        refused(trial, file, "Read-only file system")
        file.node.end()
        disk.mend()
        file.node.start().wait_serving()
        file.again()


def refused(trial, file, words):
    before = file.has_mail()
    for _ in range(2):
        done = file.node.ccr(*file.words())
        trial.check(f"{done.stderr.strip().splitlines()[0].replace(str(file.cluster.directory), '')}", done.returncode not in (0, 10) and words in done.stderr
                    and file.has_mail() == before, done)
    file.in_force()


# --- a file that cannot be read -----------------------------------------------------------------------------------------------


def unreadable(trial):
    with file_on(trial, lying) as (file, disk):
        node, text = file.node, file.path.read_text()
        for skipped in (0, 1):  # its bytes, and what says that there are no more
            disk.tell(f"fail read {errno.EIO} {skipped} 1")
            line = reload(node)
            trial.require("a daemon that runs keeps what it has", "config_refused" in line and names(node) == ["mail", "orders"], line)
            disk.tell("calm")
            for command in (("config", "check"), ("serve",)):
                disk.tell(f"fail read {errno.EIO} {skipped} 1")
                done = node.ccr(*command)
                disk.tell("calm")
                trial.require(f"ccr {command[0]} does not believe a part of it", done.returncode == USAGE and "cannot be read" in done.stderr, done)
        trial.check(f"a read that fails at its first or its last piece: {done.stderr.splitlines()[0].replace(str(file.cluster.directory), '')}", True)
        disk.tell("erase")
        line = reload(node)
        trial.check("its disk is another, which is empty: the daemon goes on", "config_refused" in line and names(node) == ["mail", "orders"], line)
        for command in (("config", "check"), ("serve",), ("add", "more@beta")):
            done = node.ccr(*command)
            trial.require(f"ccr {command[0]} says that there is none", done.returncode == USAGE and "No such file" in done.stderr, done)
        shutil.copy(file.cluster.directory / "ccr.toml", file.path)
        file.write(text)
        line = reload(node)
        trial.check("it is back: nothing changed", "restart=no" in line and names(node) == ["mail", "orders"], line)


PARTS = (
    ("ccr add and ccr forget, killed at each operation of the disk", blows, (False,)),
    ("The power is cut at each operation", blows, (True,)),
    ("An operation fails", failing, ()),
    ("No room", no_room, ()),
    ("A file system that turned read-only", read_only, ()),
    ("A file that cannot be read, and one that is gone", unreadable, ()),
)


def run(trial):
    for words, play, arguments in PARTS:
        began = time.monotonic()
        trial.part(words, play, *arguments)
        trial.say(f"{time.monotonic() - began:.1f} s")
