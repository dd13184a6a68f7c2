"""Strangers by the thousand at the active node's port, while it ships to its copy over TLS

They come from addresses of loopback, some hundred a second: gone at once, reset before they are taken, silent, with words that are
no TLS, or stopping in the middle of a TLS handshake. Meanwhile the copy's lag stays small and its replay goes on; the node holds no
more of them than engine/admission.h says, and little memory for them; each is counted, with a reason in its events. Then so many
are reset that the node finds none to take, and a new connection of the copy is welcome in the middle of it, and afterwards. Nothing
is left of the strangers, and ccr verify says 0.
"""

import collections
import contextlib
import socket
import time
from dataclasses import dataclass, field

from cluster import Database, until
from garbage import CONNECT_SECONDS, Flood, closed, reset
from oracle import check_files, check_verify
from trial import mib
from writers import Load

DATABASE = "orders"
LOAD_RATE = 2_000_000  # bytes a second
LOAD_PAGES = 4  # of a transaction: a hundred commits a second
STRANGERS_A_SECOND = 400
STRANGERS_MIN = 2_000  # thousands, also on a busy machine
QUIET_SECONDS = 3
LOOK_AGAIN_SECONDS = 0.1
LAG_SECONDS_MAX = 5
STANDING_SECONDS_MAX = 3  # between two replayed commits; some come in each tenth of a second
SHARE_MIN = 0.9  # of what is shipped without strangers, over a long time
UNPROVEN_MAX = 32  # in all
PER_ADDRESS_MAX = 8
LEAVING_MAX = 8  # pushed out or refused, and about to end; and those who ask for status
MEMORY_BYTES_MAX = 8 * 2**20  # twice what they may hold, as an allocator keeps some
TLS_SECONDS = 5  # a silent stranger is closed after that, whoever else comes
AFTER_SECONDS = 20
RESETS_A_SECOND = 5_000  # or as many as this machine makes
AGAIN_SECONDS_MAX = 10
# Half of them from the address of the copy itself.
OTHERS = [f"127.0.1.{number}" for number in range(1, 41)]
ADDRESSES = ["127.0.0.1"] * len(OTHERS) + OTHERS


@dataclass
class Watch:
    """What was seen of both nodes in some seconds."""
    seconds: float = 0
    commits: int = 0
    lag: float = 0  # the rest are greatest values
    standing: float = 0
    descriptors: int = 0
    memory: int = 0  # that alpha has more than beta, which has the same log and no strangers
    states: set = field(default_factory=set)

    @property
    def rate(self):
        return self.commits / self.seconds

    def words(self):
        return (f"{self.rate:.0f} commits a second, lag up to {self.lag:.3f} s, replay stood {self.standing:.2f} s, "
                f"{self.descriptors} descriptors, {mib(self.memory)} more than the copy")


def watch(alpha, beta, seconds):
    seen = Watch()
    began = grew = time.monotonic()
    first = newest = beta.copy(DATABASE)["replayed_commit"]
    while (now := time.monotonic()) < began + seconds:
        copy, lag, usage = beta.copy(DATABASE), alpha.copy(DATABASE, "beta")["lag_seconds"], alpha.usage()
        if copy["replayed_commit"] > newest:
            newest, grew = copy["replayed_commit"], now
        seen.standing = max(seen.standing, now - grew)
        seen.lag = max(seen.lag, float("inf") if lag is None else lag)  # unknown is no small one
        seen.descriptors = max(seen.descriptors, usage["descriptors"])
        seen.memory = max(seen.memory, usage["rss"] - beta.usage()["rss"])
        seen.states.add(copy["state"])
        time.sleep(LOOK_AGAIN_SECONDS)
    seen.seconds, seen.commits = time.monotonic() - began, newest - first
    return seen


def silent(place, address):
    end = socket.create_connection(place, CONNECT_SECONDS, (address, 0))
    end.setblocking(False)
    return end


def check_places(trial, place):
    """The newest of those who say nothing stay, as many as there are places; before the time for TLS is over. How many came."""
    with contextlib.ExitStack() as stack:
        def come(address, count):
            return [stack.enter_context(silent(place, address)) for _ in range(count)]

        def staying(ends):
            return [not closed(end) for end in ends]

        ends = come("127.0.2.1", PER_ADDRESS_MAX + 4)
        until(lambda: sum(staying(ends)) <= PER_ADDRESS_MAX, TLS_SECONDS - 1, "the first of an address are pushed out")
        trial.check(f"of {len(ends)} silent ones of one address the last {PER_ADDRESS_MAX} stay",
                    staying(ends) == [False] * 4 + [True] * 8, staying(ends))
        for number in range(1, 6):
            ends += come(f"127.0.3.{number}", PER_ADDRESS_MAX)
        until(lambda: sum(staying(ends)) <= UNPROVEN_MAX, TLS_SECONDS - 2, "the first of all are pushed out")
        trial.check(f"of {len(ends)} of six addresses the last {UNPROVEN_MAX}",
                    staying(ends) == [False] * 20 + [True] * 32, staying(ends))
        return len(ends)


def come_again(node):
    """A new life of a passive node, and with it a new connection; how long it took to be healthy."""
    node.kill()
    began = time.monotonic()
    node.start().wait_serving()
    node.wait_state(DATABASE, "healthy", AFTER_SECONDS)
    return time.monotonic() - began


def refusals(node):
    """How many strangers the node's events tell of; and how many events give which reason."""
    told, reasons = 0, collections.Counter()
    for event in node.talk("events"):
        if event["event"] == "connection_refused":
            told += 1 + int(event.get("others", 0))
            reasons[event["cause"].replace(event["peer"], "somebody").replace(event["peer"].split(":")[0], "somebody")] += 1
    return told, reasons


def check_told(trial, alpha, place, there):
    """Each of them who were there to be taken. What is not told yet comes with the next refusal, so more come."""
    def all_told():
        silent(place, "127.0.4.1").close()
        return refusals(alpha)[0] >= there

    until(all_told, AFTER_SECONDS, lambda: f"{there} refusals are told; {refusals(alpha)[0]} are")
    _, reasons = refusals(alpha)
    trial.check(f"each of {there} is in alpha's events with its reason, or counted there", True)
    for reason, count in reasons.most_common(8):
        trial.say(f"{count:>4} x {reason}")
    for words in ("more than 20 connections a second", "does not speak TLS", "in the middle of the TLS handshake"):
        trial.require(f"some are refused because of '{words}'", any(words in reason for reason in reasons), reasons)


def run(trial):
    with trial.cluster(databases=[Database(DATABASE, "pages")], tls=True) as cluster:
        cluster.start().seed()
        alpha, beta = cluster["alpha"], cluster["beta"]
        host, port = cluster.network.address("alpha").split(":")
        place = (host, int(port))
        cipher = beta.copy(DATABASE)["connection"]["tls"]
        trial.check(f"log goes over TLS ({cipher})", (cipher or "").startswith("TLS_"))
        load = Load(alpha, DATABASE, rate=LOAD_RATE, pattern="seq", pages=LOAD_PAGES)
        quiet = watch(alpha, beta, QUIET_SECONDS)
        trial.say("without strangers: " + quiet.words())
        there, _ = refusals(alpha)
        there += check_places(trial, place)
        with Flood(place, STRANGERS_A_SECOND, trial.random, ADDRESSES) as flood:
            busy = watch(alpha, beta, 10 if trial.short else 60)
        kinds = ", ".join(f"{count} {kind}" for kind, count in flood.came.items())
        trial.say(f"{flood.total} strangers in {busy.seconds:.1f} s: {kinds}")
        trial.say("with them: " + busy.words())
        trial.check(f"at least {STRANGERS_MIN} came", flood.total >= STRANGERS_MIN, flood.total)
        trial.check(f"the lag of the copy stayed under {LAG_SECONDS_MAX} s", busy.lag < LAG_SECONDS_MAX, busy.lag)
        trial.check(f"replay never stood for {STANDING_SECONDS_MAX} s", busy.standing < STANDING_SECONDS_MAX, busy.standing)
        trial.check("and the copy was healthy all the while", busy.states == {"healthy"}, busy.states)
        if not trial.short:
            trial.check(f"{busy.rate / quiet.rate:.0%} of the commits without strangers", busy.rate >= SHARE_MIN * quiet.rate)
        trial.check(f"alpha held at most {UNPROVEN_MAX} of them",
                    busy.descriptors <= quiet.descriptors + UNPROVEN_MAX + LEAVING_MAX, busy)
        trial.check("and little memory for them", busy.memory <= quiet.memory + MEMORY_BYTES_MAX, busy)
        check_told(trial, alpha, place, there + flood.total - flood.came["reset"])
        with Flood(place, RESETS_A_SECOND, trial.random, OTHERS, (reset,)) as flood:
            time.sleep(1)
            seconds = come_again(beta)
        trial.check(f"the copy came in again behind {flood.total} that were reset at once, {seconds:.1f} s after its start",
                    seconds < AGAIN_SECONDS_MAX)
        trial.check(f"and when all is quiet, {come_again(beta):.1f} s after its start", load.running)
        acknowledged = load.leave()
        beta.wait_settled(DATABASE)
        trial.check("every acknowledged commit is there", alpha.copy(DATABASE)["commit"] >= acknowledged)
        check_verify(trial, beta, DATABASE)
        until(lambda: alpha.usage()["descriptors"] <= quiet.descriptors + 1, AFTER_SECONDS, "no descriptor is left behind")
        trial.check("no descriptor is left behind", True)
        for node in (beta, alpha):
            trial.require(f"{node.name} ends with 0", node.end() == 0)
        check_files(trial, cluster)
