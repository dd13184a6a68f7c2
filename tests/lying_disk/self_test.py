#!/usr/bin/env python3
"""The lying disk lies as it should: programs of real system calls, and for each exactly what a power cut may leave of it.

    tests/lying_disk/self_test.py PROGRAM HUNG_FILE

Each program is recorded once; then the disk as a cut at its end may leave it is opened in every style, with many seeds, and read by real
system calls. What was seen must be the set that is written here, no state more and none less. A disk that hangs, last, is used by HUNG_FILE. Ends
with 77 where there is no FUSE.
"""

import errno
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))

from cluster import Skipped  # noqa: E402  (found by the line above)
from lying_disk import STYLES, LyingDisk  # noqa: E402

SKIPPED = 77
SEEDS_MIN, SEEDS_MAX = 12, 300  # of each style; as many as it takes to see all that may be
SECTOR, BLOCK = 512, 4096
ADVERSARIAL = [style for style in STYLES if "+" not in style]
ORDERED = [style for style in STYLES if "+" in style]


class Files:
    """A process on the disk: few words for its system calls."""

    def __init__(self, root):
        self.root = Path(root)

    def write(self, name, text, at=0, flags=os.O_CREAT):
        self._with(name, flags | os.O_RDWR, lambda file: os.pwrite(file, text.encode(), at))

    def append(self, name, text):
        self._with(name, os.O_APPEND | os.O_WRONLY, lambda file: os.write(file, text.encode()))

    def truncate(self, name, size):
        self._with(name, os.O_RDWR, lambda file: os.ftruncate(file, size))

    def allocate(self, name, size):
        self._with(name, os.O_RDWR, lambda file: os.posix_fallocate(file, 0, size))

    def sync(self, name, call=os.fdatasync):
        self._with(name, os.O_RDWR, call)

    def sync_directory(self, name="."):
        self._with(name, os.O_RDONLY | os.O_DIRECTORY, os.fsync)

    def make(self, name):
        (self.root / name).mkdir()

    def rename(self, old, new):
        (self.root / old).rename(self.root / new)

    def remove(self, name):
        (self.root / name).unlink()

    def held(self, name, text):
        """Synced, named durably."""
        self.write(name, text)
        self.sync(name)
        self.sync_directory()

    def seen(self):
        """'a=text b=': zeros as 0, a character that is there three times or more as x*3."""
        return " ".join(f"{name}={content}" for name, content in sorted(self._contents(str(self.root), "")))

    def _contents(self, directory, prefix):
        with os.scandir(directory) as entries:
            for entry in list(entries):
                if entry.is_dir():
                    yield from self._contents(entry.path, f"{prefix}{entry.name}/")
                else:
                    with open(entry.path, "rb", buffering=0) as file:
                        yield prefix + entry.name, shown(file.readall())

    def _with(self, name, flags, work):
        file = os.open(self.root / name, flags, 0o600)
        try:
            return work(file)
        finally:
            os.close(file)


def shown(content):
    text, at = "", 0
    while at < len(content):
        end = at
        while end < len(content) and content[end] == content[at]:
            end += 1
        letter = chr(content[at]) if content[at] else "0"
        text += letter * (end - at) if end - at < 3 else f"{letter}*{end - at},"
        at = end
    return text


# --- the programs: what they do, and what may be left on a disk that orders nothing, and on one that does ---

def write_alone(files):
    files.write("f", "a")


def write_synced_without_its_name(files):
    files.write("f", "a")
    files.sync("f")


def name_synced_without_its_data(files):
    files.write("f", "ab")
    files.sync_directory()


def write_and_name_synced(files):
    files.held("f", "a")


def whole_fsync(files):
    files.write("f", "a")
    files.sync("f", os.fsync)
    files.sync_directory()


def overwrite(files):
    files.held("f", "aa")
    files.write("f", "bb")


def overwrite_synced(files):
    overwrite(files)
    files.sync("f")


def overwrite_in_order(files):
    files.held("f", "aa")
    files.write("f", "b", 0)
    files.write("f", "c", 1)


def append(files):
    files.held("f", "a")
    files.append("f", "b")


def append_twice(files):
    append(files)
    files.append("f", "c")


def hole(files):
    files.held("f", "a")
    files.write("f", "b", 3)
    files.sync("f")


def rename_alone(files):
    files.held("f", "a")
    files.rename("f", "g")


def rename_synced(files):
    rename_alone(files)
    files.sync_directory()


def rename_over(files):
    files.held("f", "new")
    files.held("g", "old")
    files.rename("f", "g")


def rename_over_synced(files):
    rename_over(files)
    files.sync_directory()


def rename_before_the_data(files):
    files.held("g", "old")
    files.write("f", "new")
    files.sync_directory()
    files.rename("f", "g")
    files.sync_directory()


def remove_alone(files):
    files.held("f", "a")
    files.remove("f")


def remove_synced(files):
    remove_alone(files)
    files.sync_directory()


def truncate(files):
    files.held("f", "abcd")
    files.truncate("f", 1)


def truncate_synced(files):
    truncate(files)
    files.sync("f")


def allocate(files):
    files.held("f", "a")
    files.allocate("f", 4)


def allocate_synced(files):
    allocate(files)
    files.sync("f")


def emptied_by_open(files):
    files.held("f", "abc")
    files.write("f", "", flags=os.O_TRUNC)
    files.sync("f")


def directory_alone(files):
    files.make("d")
    files.write("d/f", "a")
    files.sync("d/f")
    files.sync_directory("d")


def directory_synced(files):
    directory_alone(files)
    files.sync_directory()


def two_names(files):
    files.held("f", "a")
    files.held("g", "b")
    files.rename("f", "h")
    files.rename("g", "i")


def torn_sectors(files):
    files.held("f", "a" * SECTOR * 2)
    files.write("f", "b" * SECTOR * 2)


def torn_block(files):
    files.held("f", "a" * BLOCK)
    files.write("f", "b" * SECTOR, BLOCK - SECTOR)


def one_sector(files):
    files.held("f", "a" * SECTOR)
    files.write("f", "b" * SECTOR)


def direct(files):
    """Around any cache, and still not durable."""
    files.held("f", "a" * BLOCK)
    with open("/dev/zero", "rb") as zeros:
        block = mmap.mmap(-1, BLOCK)  # aligned
        zeros.readinto(block)
    files._with("f", os.O_RDWR | os.O_DIRECT, lambda file: os.pwrite(file, block, 0))


PROGRAMS = (
    (write_alone, {"", "f=", "f=a", "f=0"}, {"", "f=", "f=a", "f=0"}),
    (write_synced_without_its_name, {"", "f=a"}, {"f=a"}),
    (name_synced_without_its_data, {"f=", "f=ab", "f=00"}, {"f=ab", "f=00"}),
    (write_and_name_synced, {"f=a"}, {"f=a"}),
    (whole_fsync, {"f=a"}, {"f=a"}),
    (overwrite, {"f=aa", "f=bb"}, {"f=aa", "f=bb"}),
    (overwrite_synced, {"f=bb"}, {"f=bb"}),
    (overwrite_in_order, {"f=aa", "f=ba", "f=ac", "f=bc"}, {"f=aa", "f=ba", "f=ac", "f=bc"}),
    (append, {"f=a", "f=ab", "f=a0"}, {"f=a", "f=ab", "f=a0"}),
    (append_twice, {"f=a", "f=ab", "f=abc", "f=a0", "f=a0c", "f=ab0", "f=a00"}, {"f=a", "f=ab", "f=abc", "f=a0", "f=a00"}),
    (hole, {"f=a00b"}, {"f=a00b"}),
    (rename_alone, {"f=a", "g=a"}, {"f=a", "g=a"}),
    (rename_synced, {"g=a"}, {"g=a"}),
    (rename_over, {"f=new g=old", "g=new"}, {"f=new g=old", "g=new"}),
    (rename_over_synced, {"g=new"}, {"g=new"}),
    (rename_before_the_data, {"g=", "g=new", "g=0*3,"}, {"g=new", "g=0*3,"}),
    (remove_alone, {"", "f=a"}, {"", "f=a"}),
    (remove_synced, {""}, {""}),
    (truncate, {"f=abcd", "f=a"}, {"f=abcd", "f=a"}),
    (truncate_synced, {"f=a"}, {"f=a"}),
    (allocate, {"f=a", "f=a0*3,"}, {"f=a", "f=a0*3,"}),
    (allocate_synced, {"f=a0*3,"}, {"f=a0*3,"}),
    (emptied_by_open, {"f="}, {"f="}),
    (directory_alone, {"", "d/f=a"}, {"d/f=a"}),
    (directory_synced, {"d/f=a"}, {"d/f=a"}),
    (two_names, {"f=a g=b", "f=a i=b", "g=b h=a", "h=a i=b"}, {"f=a g=b", "g=b h=a", "h=a i=b"}),
    (torn_sectors, {"f=a*1024,", "f=b*1024,", "f=a*512,b*512,", "f=b*512,a*512,"}, {"f=a*1024,", "f=b*1024,", "f=a*512,b*512,", "f=b*512,a*512,"}),
    (torn_block, {"f=a*4096,", "f=a*3584,b*512,"}, {"f=a*4096,", "f=a*3584,b*512,"}),
    (one_sector, {"f=a*512,", "f=b*512,"}, {"f=a*512,", "f=b*512,"}),
    (direct, {"f=a*4096,", "f=0*4096,"} | {"torn"}, {"f=a*4096,", "f=0*4096,"} | {"torn"}),
)


def play(disk, program):
    disk.tell("erase")
    disk.tell("record")
    files = Files(disk.directory)
    program(files)
    return files, disk.facts()["recorded"]


def left(disk, files, moments, styles, wanted):
    seen = set()
    for seed in range(SEEDS_MAX):
        for style in styles:
            disk.tell(f"open {moments} {style} {seed}")
            state = files.seen()
            torn = state.count(",") > 1 and "0*" in state
            seen.add("torn" if torn else state)
        if seed >= SEEDS_MIN and seen == wanted:
            break
    return seen


def expect(what, found, wanted):
    if found != wanted:
        raise AssertionError(f"{what}: not seen {sorted(wanted - found)}, not allowed {sorted(found - wanted)}" if isinstance(wanted, set)
                             else f"{what}: {found}, expected {wanted}")


# --- what is not a set of states ---

def kill_alone_loses_nothing(disk):
    files, moments = play(disk, two_names)
    disk.tell(f"open {moments} process 1")
    expect("a kill alone", files.seen(), "h=a i=b")


def every_moment_is_a_beginning(disk):
    """What was recorded can be opened at any moment of it."""
    files, moments = play(disk, overwrite_in_order)
    seen = set()
    for moment in range(moments + 1):
        disk.tell(f"open {moment} keep 1")
        seen.add(files.seen())
    expect("the moments of overwrites", seen, {"", "f=", "f=aa", "f=ba", "f=bc"})


def victim(directory):
    """A process that writes and syncs one letter after the other, and says each that is durable."""
    code = ("import os, sys\n"
            "f = os.open(sys.argv[1] + '/f', os.O_CREAT | os.O_RDWR)\n"
            "d = os.open(sys.argv[1], os.O_RDONLY)\n"
            "os.fsync(d)\n"
            "for i in range(10**6):\n"
            "  os.pwrite(f, b'%07d' % i, 8 * i); os.fdatasync(f); os.write(1, b'%d\\n' % i)\n")
    return subprocess.Popen([sys.executable, "-c", code, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def process_killed_at_an_operation(disk):
    """It dies of signal 9, and all that it said is there, whatever the cut did; what it did not sync may be gone."""
    for count in range(1, 60, 3):
        for style in ("process", "lose", "any"):
            disk.tell("erase")
            process = victim(disk.directory)
            disk.tell(f"cut_at any {count} {process.pid} {style} {count}")
            said = process.communicate()[0].decode().split()
            expect("the victim's end", process.returncode, -9)
            expect("the disk is off", disk.off, True)
            disk.tell("mount")
            content = (Path(disk.directory) / "f").read_bytes() if said else b""
            expect(f"what was durable at operation {count}", all(content[8 * int(i):8 * int(i) + 7] == b"%07d" % int(i) for i in said), True)


def process_killed_at_its_nth_sync(disk):
    """Of that kind alone: with the first sync of its file nothing was said, at its tenth nine letters, or ten were durable."""
    for count in (1, 2, 10):
        disk.tell("erase")
        process = victim(disk.directory)
        disk.tell(f"cut_at sync {count} {process.pid} lose 1")
        said = process.communicate()[0].decode().split()
        expect(f"letters said before sync {count}", len(said), count - 1)
        disk.tell("mount")
        expect("durable", (Path(disk.directory) / "f").stat().st_size // 8 in (count - 2, count - 1, count), True)


def handles_of_before_are_dead(disk):
    disk.tell("erase")
    Files(disk.directory).held("f", "a")
    file = os.open(Path(disk.directory) / "f", os.O_RDWR)
    disk.tell("cut lose 1")
    expect("a write without power", code_of(lambda: os.pwrite(file, b"b", 0)), errno.EIO)
    expect("an open without power", code_of(lambda: Files(disk.directory).write("g", "b")), errno.EIO)
    disk.tell("mount")
    expect("a write to a file of the life before", code_of(lambda: os.pwrite(file, b"b", 0)), errno.EIO)
    os.close(file)
    expect("the file", Files(disk.directory).seen(), "f=a")


def unlinked_file_serves_its_holder(disk):
    disk.tell("erase")
    files = Files(disk.directory)
    files.held("f", "a")
    file = os.open(files.root / "f", os.O_RDWR)
    files.remove("f")
    os.pwrite(file, b"b", 1)
    expect("an unlinked file", os.pread(file, 10, 0), b"ab")
    os.close(file)
    expect("its name", files.seen(), "")


def errors_come_by_count(disk):
    disk.tell("erase")
    files = Files(disk.directory)
    files.held("f", "a")
    disk.tell(f"fail write {errno.ENOSPC} 1 2")
    expect("writes", [code_of(lambda: files.write("f", "b")) for _ in range(4)], [0, errno.ENOSPC, errno.ENOSPC, 0])
    disk.tell(f"fail sync {errno.EIO} 0 1")
    expect("syncs", [code_of(lambda: files.sync("f")) for _ in range(2)], [errno.EIO, 0])
    disk.tell(f"fail rename {errno.EIO} 0 1")
    expect("renames", [code_of(lambda: files.rename("f", "g")) for _ in range(2)], [errno.EIO, 0])
    expect("failures counted", disk.facts()["failures"] >= 4, True)


def failed_sync_is_no_promise(disk):
    """The second sync says nothing, and what the first one lost is lost."""
    lost = 0
    for seed in range(20):
        disk.tell("erase")
        files = Files(disk.directory)
        files.held("f", "a")
        files.write("f", "b")
        disk.tell(f"fail sync {errno.EIO} 0 1")
        code_of(lambda files=files: files.sync("f"))
        files.sync("f")
        disk.tell(f"cut lose {seed}")
        disk.tell("mount")
        lost += files.seen() == "f=a"
    expect("a failed sync loses some", 0 < lost < 20, True)


def full_disk_says_so(disk):
    disk.tell("erase")
    files = Files(disk.directory)
    files.write("f", "a")
    expect("a file larger than the disk", code_of(lambda: files.allocate("f", 2**40)), errno.ENOSPC)


def sockets_are_names(disk):
    disk.tell("erase")
    path = str(Path(disk.directory) / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
    disk.tell("cut keep 1")
    disk.tell("mount")
    expect("a socket after a cut", os.path.exists(path), False)


def words_that_mean_nothing_are_refused(disk):
    for words in ("", "cutt", "cut", "cut any", "cut_at 3 0 any 1", "cut_at any 0 0 any 1", "fail nothing 5 0 1", "open 1000000 keep 1", "note"):
        expect(f"'{words}'", code_of(lambda words=words: disk.tell(words)), errno.EINVAL)


def hung_disk_leaves_its_user_going(disk, program):
    """What waits for it waits elsewhere than on the one thread of a node, also the last close of a file."""
    disk.tell("erase")
    (Path(disk.directory) / "f").write_bytes(bytes(2**20))
    done = subprocess.run([program, Path(disk.directory) / "f", str(disk.pid)], capture_output=True, text=True, timeout=60, check=False)
    expect(done.stdout + done.stderr, done.returncode, 0)


def code_of(call):
    try:
        call()
        return 0
    except OSError as error:
        return error.errno


STORIES = (kill_alone_loses_nothing, every_moment_is_a_beginning, process_killed_at_an_operation, process_killed_at_its_nth_sync, handles_of_before_are_dead,
           unlinked_file_serves_its_holder, errors_come_by_count, failed_sync_is_no_promise, full_disk_says_so, sockets_are_names,
           words_that_mean_nothing_are_refused)


def main(program, hung_file):
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ccr-lying-") as directory, LyingDisk(Path(program), directory) as disk:
        def attempt(name, work):
            nonlocal failed
            try:
                work()
            except (AssertionError, OSError) as failure:
                failed += 1
                print(f"FAILED {name}: {failure}")

        def compare(play_it, adversarial, ordered):
            files, moments = play(disk, play_it)
            expect("without order", left(disk, files, moments, ADVERSARIAL, adversarial), adversarial)
            expect("with order", left(disk, files, moments, ORDERED, ordered), ordered)

        for play_it, adversarial, ordered in PROGRAMS:
            attempt(play_it.__name__, lambda play_it=play_it, a=adversarial, o=ordered: compare(play_it, a, o))
        for story in STORIES:
            attempt(story.__name__, lambda story=story: story(disk))
        attempt("a disk that hangs", lambda: hung_disk_leaves_its_user_going(disk, hung_file))
        opened = disk.facts()["cuts"]
    print(f"lying disk: {len(PROGRAMS) + len(STORIES) + 1} programs, {failed} failed, {opened} cuts")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Skipped as reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
