"""What people move databases with, each in a function that copies one file from a to b and says what it took; and the parts of
`bench/compare` that they and ccr share: processes whose CPU and memory are added up, the two ends, the file that is copied."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PIECE = 1 << 20
PAGE = 4096
CHANGED_SHARE = 0.01  # of the pages, before a difference is taken
ROWS_BYTES = 16 << 20  # of text that pieces are cut from: no window of a level 1 reaches back to the same text
EXPECTED_ERRORS = (OSError, RuntimeError, ValueError, KeyError, subprocess.SubprocessError)


# --- processes, and what they use -------------------------------------------------------------------------------------------------

class Crowd:
    """Processes that are ended and whose CPU and memory are added up, those they started and waited for included."""

    def __init__(self):
        self.running, self.cpu, self.memory_kib = {}, 0.0, 0

    def start(self, command, **how):
        process = subprocess.Popen(command, stdin=how.pop("stdin", subprocess.DEVNULL), stderr=how.pop("stderr", subprocess.PIPE), **how)
        self.running[process.pid] = process
        return process

    def wait(self, process):
        errors = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        del self.running[process.pid]
        process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu += used.ru_utime + used.ru_stime
        self.memory_kib = max(self.memory_kib, used.ru_maxrss)
        return process.returncode, errors.decode(errors="replace").strip()

    def run(self, command, **how):
        process = self.start(command, **how)
        code, errors = self.wait(process)
        if code != 0:
            raise RuntimeError(f"{command[0]}: {errors.splitlines()[-1] if errors else f'ended with {code}'}")

    def end(self, number=signal.SIGTERM):
        for process in list(self.running.values()):
            os.kill(process.pid, number)  # Popen's own would reap one that has ended, and its figures with it
            self.wait(process)


def tcp_opens(place, address, port):
    """Asks the kernel's table in that place, rather than connecting, which would be a client."""
    shown = subprocess.run([*place, "ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True).stdout
    return bool(shown.strip())


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise RuntimeError("a server did not start")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Place:
    """Both ends: how a command gets there, and its address. The copy goes from a to b."""

    def __init__(self, link):
        self.a, self.b = ([["ip", "netns", "exec", link["spaces"][end]] for end in "ab"]) if link else ([], [])
        self.a_at, self.b_at = ("10.78.0.1", "10.78.0.2") if link else ("127.0.0.1", "127.0.0.1")

    def carried(self):
        """Bytes that b's interface has seen, both ways; on loopback everybody's."""
        shown = subprocess.run([*self.b, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
        total = 0
        for line in shown.splitlines()[2:]:
            name, _, numbers = line.strip().partition(":")
            received, sent = int(numbers.split()[0]), int(numbers.split()[8])
            if not self.b and name == "lo":
                total += received
            elif self.b and name != "lo":
                total += received + sent
        return total


# --- the file -----------------------------------------------------------------------------------------------------------------------

def rows_of_text():
    chance = random.Random(1)
    words = ["".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(4, 9))) for _ in range(3000)]
    states = ["ordered", "packed", "shipped", "returned"]
    rows, size = [], 0
    while size < ROWS_BYTES:
        row = (f"order={chance.randrange(10**7):07}|customer={chance.choice(words)} {chance.choice(words)}|city={chance.choice(words)}|"
               f"amount={chance.randrange(10**5)}.{chance.randrange(100):02}|state={chance.choice(states)}|note={chance.choice(words)}\n")
        rows.append(row)
        size += len(row)
    return "".join(rows).encode()


class Content:
    """1 MiB at a time: `random`; `third`, a third of each page random and zeros behind it; `rows` of words and numbers."""

    def __init__(self, kind):
        self.kind, self.text = kind, None

    def piece(self):
        if self.kind == "random":
            return os.urandom(PIECE)
        if self.kind == "third":
            return b"".join(os.urandom(PAGE // 3) + bytes(PAGE - PAGE // 3) for _ in range(PIECE // PAGE))
        self.text = self.text or rows_of_text()
        begin = random.randrange(len(self.text) - PIECE)
        return self.text[begin:begin + PIECE]


def change_file(path):
    """One byte in each of CHANGED_SHARE of the pages."""
    pages = path.stat().st_size // PAGE
    with path.open("r+b", buffering=0) as file:
        for page in random.sample(range(pages), int(pages * CHANGED_SHARE)):
            at = page * PAGE + random.randrange(PAGE)
            old = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([old[0] ^ 0xff]), at)
        os.fsync(file.fileno())


def ready(path, cold):
    """A file, or all below a directory, in the page cache or out of it; clean before, or it could not leave."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for name in files:
        with name.open("rb") as file:
            if cold:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                while file.read(PIECE):
                    pass


class Bench:
    def __init__(self, options, place, scratch):
        self.options, self.place, self.dir = options, place, scratch
        self.source, self.copy = scratch / "source.bin", scratch / "copy.bin"
        self.content = Content(options.content)

    def make_source(self):
        if self.source.exists():
            return
        part = self.dir / "source.part"
        with part.open("wb") as out:
            for _ in range(self.options.size // PIECE):
                out.write(self.content.piece())
            os.fsync(out.fileno())
        part.rename(self.source)

    def measured(self, crowd, size, work, facts=None):
        """What work() takes, from a disk at rest on; what was written before is not paid for here."""
        os.sync()
        carried = self.place.carried()
        began = time.monotonic()
        work()
        seconds = time.monotonic() - began
        return {"bytes": size, "seconds": seconds, "wire": self.place.carried() - carried, "crowd": crowd, **(facts or {})}

    def timed(self, crowd, work, copy=None):
        """work() leaves a synced copy. Servers are ended after the clock stopped: their CPU counts, their end does not."""
        if copy is None:
            copy = self.copy
            copy.unlink(missing_ok=True)
        self.make_source()
        os.sync()
        ready(self.source, self.options.cold)
        if copy.exists():
            ready(copy, self.options.cold)

        def copied():
            work()
            crowd.run(["sync", copy])

        try:
            found = self.measured(crowd, self.options.size, copied)
        finally:
            crowd.end()
        if copy.stat().st_size != self.options.size:
            raise RuntimeError("the copy has another size")
        return found


# --- the limits ---------------------------------------------------------------------------------------------------------------------

def iperf3(bench):
    crowd, place, port = Crowd(), bench.place, free_port()
    crowd.start([*place.b, "iperf3", "-s", "-1", "-B", place.b_at, "-p", str(port)], stdout=subprocess.DEVNULL)
    streams = ["-P", bench.options.streams] if bench.options.streams != "auto" else []
    try:
        until(lambda: tcp_opens(place.b, place.b_at, port))
        client = crowd.start([*place.a, "iperf3", "-c", place.b_at, "-p", str(port), "-t", str(bench.options.seconds), "-J", *streams],
                             stdout=subprocess.PIPE)
        said = json.loads(client.stdout.read())
        crowd.wait(client)
    finally:
        crowd.end()
    if "error" in said:
        raise RuntimeError(said["error"])
    received = said["end"]["sum_received"]
    return {"bytes": received["bytes"], "seconds": received["seconds"], "crowd": crowd, "streams": int(streams[1]) if streams else 1}


class Own(Crowd):
    """What this script does itself."""

    def __init__(self):
        super().__init__()
        self.before = resource.getrusage(resource.RUSAGE_SELF)

    def end(self, number=signal.SIGTERM):
        super().end(number)
        after = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu += after.ru_utime + after.ru_stime - self.before.ru_utime - self.before.ru_stime
        self.memory_kib = max(self.memory_kib, after.ru_maxrss)


def disk_write(bench):
    crowd, pieces = Own(), [bench.content.piece() for _ in range(8)]
    bench.copy.unlink(missing_ok=True)

    def work():
        with bench.copy.open("wb", buffering=0) as out:
            for number in range(bench.options.size // PIECE):
                out.write(pieces[number % len(pieces)])
            os.fsync(out.fileno())

    found = bench.measured(crowd, bench.options.size, work)
    crowd.end()
    return found


# --- the programs -------------------------------------------------------------------------------------------------------------------

def with_rsyncd(bench, options, copy=None):
    crowd, place, port = Crowd(), bench.place, free_port()
    configuration = bench.dir / "rsyncd.conf"
    configuration.write_text(f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\nlog file = /dev/null\n"
                             f"pid file = {bench.dir}/rsyncd.pid\n[bench]\npath = {bench.dir}\nread only = yes\n")
    (bench.dir / "rsyncd.pid").unlink(missing_ok=True)
    crowd.start([*place.a, "rsync", "--daemon", "--no-detach", f"--config={configuration}", f"--port={port}", f"--address={place.a_at}"])
    until(lambda: tcp_opens(place.a, place.a_at, port))
    return bench.timed(crowd, lambda: crowd.run(
        [*place.b, "rsync", *options, f"rsync://{place.a_at}:{port}/bench/source.bin", str(copy or bench.copy)]), copy)


def rsync(bench):
    return with_rsyncd(bench, ["--whole-file"])


def rsync_delta(bench, *options):
    """Into a copy that was equal until CHANGED_SHARE of its pages changed."""
    bench.make_source()
    copy = bench.dir / "delta.bin"
    if not copy.exists():
        shutil.copyfile(bench.source, copy)
    change_file(copy)
    try:
        return with_rsyncd(bench, ["--no-whole-file", "--ignore-times", *options], copy)
    except EXPECTED_ERRORS:
        copy.unlink()
        raise


def rsync_delta_pages(bench):
    return rsync_delta(bench, f"--block-size={PAGE}", "--inplace")


def with_sshd(bench, copy_command):
    crowd, place, port = Crowd(), bench.place, free_port()
    key, host_key = bench.dir / "key", bench.dir / "host_key"
    for file in (key, host_key):
        if not file.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    crowd.start([*place.a, shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", str(host_key), "-p", str(port),
                 "-o", f"ListenAddress={place.a_at}", "-o", f"AuthorizedKeysFile={key}.pub", "-o", "StrictModes=no",
                 "-o", "PermitRootLogin=yes", "-o", "PidFile=none", "-o", "Subsystem=sftp internal-sftp"], stderr=subprocess.DEVNULL)
    until(lambda: tcp_opens(place.a, place.a_at, port))
    options = ["-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
               "-o", "IdentitiesOnly=yes", "-F", "/dev/null", "-q"]
    return bench.timed(crowd, lambda: crowd.run([*place.b, *copy_command(options, port)]))


def scp(bench):
    return with_sshd(bench, lambda options, port: ["scp", *options, "-P", str(port), f"{bench.place.a_at}:{bench.source}", str(bench.copy)])


def rsync_ssh(bench):
    return with_sshd(bench, lambda options, port: ["rsync", "--whole-file", "-e", " ".join(["ssh", *options, "-p", str(port)]),
                                                   f"{bench.place.a_at}:{bench.source}", str(bench.copy)])


def pipe(bench, receiver, sender, port):
    crowd, place = Crowd(), bench.place

    def work():
        with bench.copy.open("wb") as out, bench.source.open("rb") as source:
            taking = crowd.start([*place.b, *receiver], stdout=out)
            until(lambda: tcp_opens(place.b, place.b_at, port))
            crowd.run([*place.a, *sender], stdin=source, stdout=subprocess.DEVNULL)
            crowd.wait(taking)

    return bench.timed(crowd, work)


def nc(bench):
    port, at = free_port(), bench.place.b_at
    return pipe(bench, ["nc", "-l", at, str(port)], ["nc", "-N", at, str(port)], port)


def zstd_nc(bench):
    port, at = free_port(), bench.place.b_at
    return pipe(bench, ["sh", "-c", f"nc -l {at} {port} | zstd -q -d -c"], ["sh", "-c", f"zstd -q -1 -c | nc -N {at} {port}"], port)


def mbuffer(bench):
    port, at = free_port(), bench.place.b_at
    return pipe(bench, ["mbuffer", "-q", "-4", "-I", str(port)], ["mbuffer", "-q", "-4", "-O", f"{at}:{port}"], port)
