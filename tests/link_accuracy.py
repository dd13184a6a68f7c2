#!/usr/bin/env python3
"""Whether tools/linklab makes the links it promises: round trip, rate, loss and queue, each as two sockets see them.

  tests/link_accuracy.py [--emulator FILE] [--by KIND] [PROFILE…]

One process holds sockets in both namespaces. A figure outside its tolerance is measured again, attempts_max times; then it is a
failure, unless the machine was starved meanwhile (the emulator was late, the processors had no idle time, or loopback itself was
slow): then it is not judged. Ends with 0: all held, 1: one failed, 77: skipped, or something was not judged."""

import argparse
import ctypes
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

LINKLAB = Path(__file__).resolve().parent.parent / "tools/linklab"
PROFILES = ("lan", "metro", "wan-20ms", "wan-100ms", "lossy")
ATTEMPTS_MAX = 3
PINGS = 25
WARM_SECONDS, RATE_SECONDS, RATE_PARTS = 2, 3, 3
OVERHEAD = 38                      # of Ethernet, as tools/link/link.h counts it
LATE_US_MAX = 500                  # p99 of the emulator: beyond it the machine was not there in time
LOOPBACK_US_MAX = 300              # p90 of an echo without any link
WAKING_US_MAX = 60                 # median of what a sleep took longer; a round trip has several of them
IDLE_SHARE_MIN = 0.10
SKIPPED = 77
SO_SNDBUFFORCE, SO_RCVBUFFORCE, TCP_WINDOW_CLAMP, TCP_CONGESTION = 32, 33, 10, 13
PR_SET_TIMERSLACK = 29

libc = ctypes.CDLL(None, use_errno=True)


class Starved(Exception):
    pass


def linklab(*words, check=True):
    done = subprocess.run([LINKLAB, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise RuntimeError(f"linklab {' '.join(map(str, words))}: {done.stderr.strip()}")
    return done


class Lab:
    """A link for the time of a `with`, and sockets at its ends."""

    def __init__(self, *numbers, emulator, by):
        self.name, self.numbers = f"test-{os.getpid()}", numbers
        self.extra = (["--emulator", emulator] if emulator else []) + ["--by", by]

    def __enter__(self):
        linklab("up", self.name, "--owner", os.getpid(), *self.numbers, *self.extra)
        self.link = self.show()
        self.ticks = ticks()
        return self

    def __exit__(self, *_):
        linklab("down", self.name)

    def show(self):
        return json.loads(linklab("show", self.name, "--json").stdout)

    def socket(self, end, kind):
        """A socket belongs to the namespace its thread was in; only this thread is moved."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/linklab-{self.name}-{end}", os.O_RDONLY)
        try:
            if libc.setns(there, 0) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made = socket.socket(socket.AF_INET, kind)
        finally:
            if libc.setns(here, 0) != 0:
                os._exit(1)
            os.close(here)
            os.close(there)
        made.settimeout(10)
        return made

    def pair(self, kind, ends="ab"):
        """Bound at both ends, UDP: connected to each other."""
        address = {"a": "10.78.0.1", "b": "10.78.0.2"}
        one, other = self.socket(ends[0], kind), self.socket(ends[1], kind)
        loopback = ends[0] == ends[1]
        for made, end in ((one, ends[0]), (other, ends[1])):
            made.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
            made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            made.bind(("127.0.0.1" if loopback else address[end], 0))
        if kind == socket.SOCK_DGRAM:
            one.connect(other.getsockname())
            other.connect(one.getsockname())
        return one, other

    def why_starved(self):
        """What says that this machine had no time for a measurement; None: nothing."""
        shown = self.show()
        for way in ("a_to_b", "b_to_a"):
            if way in shown and shown[way]["late_us_p99"] > LATE_US_MAX:
                return f"the emulator was {shown[way]['late_us_p99']:.0f} us late (p99)"
        if self.link["by"] == "emulator":
            for end in "ab":
                if shown[f"interface_{end}"]["dropped_before_the_link"]:
                    return "packets were dropped in front of the emulator"
        spent = [after - before for after, before in zip(ticks(), self.ticks)]
        if sum(spent) and (spent[3] + spent[4]) / sum(spent) < IDLE_SHARE_MIN:
            return f"the processors were idle for {100 * (spent[3] + spent[4]) / sum(spent):.0f} % of the time only"
        waking = waking_time(self.link["rtt_ns"] / 2e9)
        if waking > WAKING_US_MAX * 1e-6:
            return f"waking a program takes this machine {waking * 1e6:.0f} us"
        slow = statistics.quantiles(echo_times(self, "aa", 50), n=10)[8]
        if slow > LOOPBACK_US_MAX * 1e-6:
            return f"an echo over loopback took {slow * 1e6:.0f} us (p90)"
        return None


def ticks():
    return [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def waking_time(pause):
    """A receiver on this link sleeps for about as long, and wakes as late."""
    libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    pause = max(pause, 0.001)
    late = []
    for _ in range(PINGS):
        began = time.perf_counter()
        time.sleep(pause)
        late.append(time.perf_counter() - began - pause)
    return statistics.median(late)


def parts_rate(receive, warm_seconds):
    """bit/s; the median of several seconds, since what waited while this program was not scheduled counts for the next of them."""
    warm_until = time.perf_counter() + warm_seconds
    while time.perf_counter() < warm_until:
        receive()
    rates = []
    for _ in range(RATE_PARTS):
        began, got = time.perf_counter(), 0
        while (now := time.perf_counter()) < began + RATE_SECONDS / RATE_PARTS:
            got += receive()
        rates.append(got * 8 / (now - began))
    return statistics.median(rates)


def echo_times(lab, ends, count):
    one, other = lab.pair(socket.SOCK_DGRAM, ends)
    times = []
    with one, other:
        for number in range(count + 1):
            began = time.perf_counter()
            one.send(b"ping")
            other.recv(16)
            other.send(b"pong")
            one.recv(16)
            if number > 0:  # the first one finds its route
                times.append(time.perf_counter() - began)
            time.sleep(0.002)
    return times


# --- what is measured: each says what was found, and whether it is within its tolerance ------------------------------------------

def round_trip(lab):
    asked = lab.link["rtt_ns"] / 1e9
    own = statistics.median(echo_times(lab, "aa", PINGS))  # of two sockets and this program
    if asked > 0:
        own += 2 * waking_time(asked / 2)
    found = statistics.median(echo_times(lab, "ab", PINGS)) - own
    words = f"round trip {found * 1e3:.3f} ms, asked {asked * 1e3:g} (an echo without the link and its two wakes, {own * 1e3:.3f}, taken off)"
    return words, abs(found - asked) <= max(0.05 * asked, 0.0002)


def rate_by_stream(lab):
    """One TCP stream whose window is the pipe and half the queue: the link is full and drops nothing."""
    link = lab.link
    window = round(link["rate"] / 8 * link["rtt_ns"] / 1e9 + link["queue"] / 2)
    sender, listener = lab.pair(socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_WINDOW_CLAMP, window)
    listener.listen()
    sender.connect(listener.getsockname())
    receiver, _ = listener.accept()
    ended = threading.Event()

    def send():
        piece = memoryview(bytes(1 << 18))
        try:
            while not ended.is_set():
                sender.send(piece)
        except OSError:
            pass

    thread = threading.Thread(target=send)
    with sender, listener, receiver:
        thread.start()
        room = bytearray(1 << 20)
        found = parts_rate(lambda: receiver.recv_into(room), WARM_SECONDS)
        ended.set()
        receiver.shutdown(socket.SHUT_RDWR)
        sender.shutdown(socket.SHUT_RDWR)
        thread.join()
    asked = link["rate"] * (link["mtu"] - 52) / (link["mtu"] + OVERHEAD)
    return f"one stream carries {found / 1e6:.1f} Mbit/s, asked {asked / 1e6:.1f}", abs(found - asked) <= 0.03 * asked


def rate_by_flood(lab):
    """Datagrams a quarter faster than the link, so that its queue is always full; a loss costs only what is lost."""
    link, payload = lab.link, lab.link["mtu"] - 28
    sender, receiver = lab.pair(socket.SOCK_DGRAM)
    ended = threading.Event()

    def send():
        piece, began, sent = bytes(payload), time.perf_counter(), 0
        per_second = 1.25 * link["rate"] / 8 / (link["mtu"] + OVERHEAD)
        while not ended.is_set():
            for _ in range(min(int((time.perf_counter() - began) * per_second) - sent, 200)):
                sender.send(piece)
                sent += 1
            time.sleep(0.001)

    thread = threading.Thread(target=send)
    with sender, receiver:
        thread.start()
        room = bytearray(65536)
        found = parts_rate(lambda: receiver.recv_into(room), 1)
        ended.set()
        thread.join()
    asked = link["rate"] * payload / (link["mtu"] + OVERHEAD) * (1 - link["loss_per_billion"] / 1e9)
    return f"a flood of datagrams carries {found / 1e6:.1f} Mbit/s, asked {asked / 1e6:.1f}", abs(found - asked) <= 0.03 * asked


def burst(lab, packets, payload, pause=0.0):
    """Sends, and returns the arrivals as (number, time) and how long sending took."""
    sender, receiver = lab.pair(socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.settimeout(0.5)
        arrivals = []

        def take():
            try:
                while True:
                    number = int.from_bytes(receiver.recv(2048)[:4], "big")
                    arrivals.append((number, time.perf_counter()))
            except TimeoutError:
                pass

        thread = threading.Thread(target=take)
        thread.start()
        began = time.perf_counter()
        for number in range(packets):
            sender.send(number.to_bytes(4, "big") + bytes(payload - 4))
            if pause and number % 50 == 49:
                time.sleep(pause)
        took = time.perf_counter() - began
        thread.join()
    return arrivals, took


def loss(lab):
    """A binomial draw: five deviations either way. And what is missing here is what the emulator counted."""
    packets, share = 20_000, lab.link["loss_per_billion"] / 1e9
    before = lab.show()
    arrivals, _ = burst(lab, packets, 200, 0.002)
    missing = packets - len(arrivals)
    deviation = (packets * share * (1 - share)) ** 0.5
    words = f"{missing} of {packets:,} packets lost, asked {packets * share:.0f} (deviation {deviation:.0f})"
    held = abs(missing - packets * share) <= 5 * deviation and [n for n, _ in arrivals] == sorted(n for n, _ in arrivals)
    if "a_to_b" in before:
        counted = lab.show()["a_to_b"]["dropped_by_loss"] - before["a_to_b"]["dropped_by_loss"]
        words += f", counted {counted}"
        held = held and counted == missing
    return words, held


def queue(lab):
    """A burst into a slow link: the first packets that fit arrive, one after the other at the link's rate; the others never."""
    packets, payload = 400, 1000
    wire = payload + 28 + OVERHEAD
    link = lab.link
    arrivals, took = burst(lab, packets, payload)
    least = link["queue"] // wire
    most = (link["queue"] + link["rate"] / 8 * took) / wire + 1
    first = [arrival for arrival in arrivals if arrival[0] < least]
    spread = (first[-1][1] - first[0][1]) / (len(first) - 1) if len(first) > 1 else 0
    apart = wire * 8 / link["rate"]
    words = (f"{len(arrivals)} of a burst of {packets} packets fit into {link['queue']:,} bytes, asked {least:.0f} to {most:.0f}; "
             f"{spread * 1e6:.1f} us apart, asked {apart * 1e6:.1f}")
    return words, least <= len(arrivals) <= most and len(first) == least and abs(spread - apart) <= 0.03 * apart


# --- the round ------------------------------------------------------------------------------------------------------------------

def judge(title, measure, numbers, options):
    for attempt in range(ATTEMPTS_MAX):
        with Lab(*numbers, emulator=options.emulator, by=options.by) as lab:
            title_by = f"{title} ({lab.link['by']})"
            words, held = measure(lab)
            if held:
                print(f"[ ok ] {title_by}: {words}", flush=True)
                return "held"
            starved = lab.why_starved()
    if starved:
        print(f"[ -- ] {title_by}: {words}; not judged: {starved}", flush=True)
        return "not judged"
    print(f"[FAIL] {title_by}: {words}", flush=True)
    return "failed"


def profiles_of_today():
    """All, or one in CCR_SWEEP of them, others each day, as tests/sweep.h has it."""
    one_in = max(1, int(os.environ.get("CCR_SWEEP", 1)))
    return PROFILES[int(os.environ.get("CCR_SWEEP_DAY", 0)) % min(one_in, len(PROFILES))::one_in]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulator")
    parser.add_argument("--by", default="auto")
    parser.add_argument("profiles", nargs="*", default=profiles_of_today())
    options = parser.parse_args()
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("skipped: not root, or no /dev/net/tun")
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    linklab("down", "--stale")
    verdicts = []
    for profile in options.profiles:
        numbers = ["--profile", profile]
        verdicts.append(judge(f"{profile}, round trip", round_trip, numbers, options))
        if profile == "lossy":
            verdicts.append(judge(f"{profile}, rate", rate_by_flood, [*numbers, "--mtu", 9000], options))
        else:
            verdicts.append(judge(f"{profile}, rate", rate_by_stream, numbers, options))
    if options.by != "tbf":
        numbers = ["--rate", "1gbit", "--rtt", "2ms", "--loss", "1/100", "--queue", "8MiB"]
        verdicts.append(judge("loss of 1/100", loss, numbers, options))
        numbers = ["--rate", "20mbit", "--rtt", "10ms", "--queue", "100KiB"]
        verdicts.append(judge("queue of 100 KiB", queue, numbers, options))
    if "failed" in verdicts:
        return 1
    return SKIPPED if "not judged" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
