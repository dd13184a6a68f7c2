"""The wall clock of daemons is set by years, while they run and before they start; the monotonic ones go on, as when an operator sets the date

Nothing that a copy does may hang on the time of day: log goes on, a delayed copy replays neither sooner nor never, nothing is seeded, set aside or given up,
and what is shown of ages stays what somebody could believe. A certificate is another thing: it has an end, and a node whose clock is behind that says so, and
connects once its clock is right.
"""

import json
import mmap
import struct
import time

from cluster import Database, until
from oracle import check_sqlite_copy, check_verify
from writers import Load, SqliteWriter

HOUR, YEAR = 3600, 365 * 86400
JUMPS = {"ten years on": 10 * YEAR, "ten years back": -10 * YEAR, "three hours on": 3 * HOUR, "three hours back": -3 * HOUR}
LAG_SECONDS = 4
HELD_SLACK_SECONDS = 1  # replay looks at its delay that often
LATE_SECONDS = 10  # of a machine that has more to do
SECONDS = 30
RATE = 1_000_000
STAYS_SECONDS = 1.5
LAG_SHOWN_MAX = 600  # seconds; a clock that is off by three hours shows in no lag
NEVER = ("generations_set_aside", "difference_needed", "role_conflict", "retention_given_up", "pin_dropped")
DELAYED, LIVE = "mail", "orders"


class Clocks:
    """Each node's wall clock, as it is set before or while its daemon runs (tests/set_clock.cc)."""

    def __init__(self, cluster):
        self._library = cluster.ccr.parents[1] / "tests/libset_clock.so"
        self._files = {name: cluster.directory / f"{name}.clock" for name in cluster.names}
        for file in self._files.values():
            file.write_bytes(bytes(8))

    def set(self, name, seconds):
        with open(self._files[name], "r+b") as file, mmap.mmap(file.fileno(), 8) as mapped:
            mapped[:] = struct.pack("=q", seconds * 10**9)

    def start(self, node):
        node.start({"LD_PRELOAD": str(self._library), "CCR_SET_CLOCK": str(self._files[node.name])}).wait_serving()


class Pace:
    """When the active node had which commit, by a clock that nobody sets: what a delayed copy may have replayed by now."""

    def __init__(self, active, passive):
        self._active, self._passive, self._seen = active, passive, []

    def look(self, trial, words):
        now = time.monotonic()
        replayed = self._passive.copy(DELAYED)["replayed_commit"]
        self._seen.append((now, self._active.copy(DELAYED)["commit"]))
        due = [commit for at, commit in self._seen if at <= now - LAG_SECONDS - LATE_SECONDS]
        newest = next((commit for at, commit in self._seen if at > now - LAG_SECONDS + HELD_SLACK_SECONDS), None)
        trial.require(f"{words}: a delayed copy replays nothing too soon", newest is None or replayed <= newest, (replayed, newest))
        trial.require(f"{words}: nor does it wait for another clock", not due or replayed >= due[-1], (replayed, due[-1:]))


def is_well(trial, words, cluster, load):
    alpha, beta = cluster["alpha"], cluster["beta"]
    before, replayed = load.acknowledged, beta.copy(LIVE)["replayed_commit"]
    until(lambda: load.acknowledged > before and load.running, SECONDS, lambda: f"{words}: commits go on; at {load.acknowledged}")
    until(lambda: beta.copy(LIVE)["replayed_commit"] > replayed, SECONDS, lambda: f"{words}: and reach the copy; {beta.copy(LIVE)}")
    for node in (alpha, beta):
        for database in (LIVE, DELAYED):
            passive = node.copy(database, "beta")
            trial.require(f"{words}: {database}@beta is healthy, as {node.name} sees it", passive["state"] == "healthy", passive)
            lag = passive["lag_seconds"]
            trial.require(f"{words}: its lag is one to believe", lag is not None and 0 <= lag < LAG_SHOWN_MAX, lag)
        done = node.ccr("status")
        trial.require(f"{words}: ccr status", done.returncode == 0, done)
    trial.require(f"{words}: alpha serves", all(alpha.copy(database)["state"] == "mounted" for database in (LIVE, DELAYED)))


def clock_check(node):
    return [check["verdict"] for check in json.loads(node.ccr("check", "--json").stdout)["checks"] if check["check"] == "clock"]


def jumps(trial):
    databases = [Database(LIVE), Database(DELAYED, options={"replay_lag": {"beta": f"{LAG_SECONDS}s"}}), Database("shop", kind="sqlite")]
    with trial.cluster(databases=databases) as cluster:
        clocks = Clocks(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        shop = alpha.directory / cluster.databases["shop"].file_name
        writer = SqliteWriter(cluster, shop, 1)
        for node in (alpha, beta):
            clocks.start(node)
        for database in databases:
            alpha.wait_state(database.name, "mounted")
            beta.wait_opened(database.name)
            beta.ask("seed", database=database.name, node="beta")
        for database in (LIVE, "shop"):
            beta.wait_state(database, "healthy", SECONDS)
        load, slow = Load(alpha, LIVE, rate=RATE), Load(alpha, DELAYED, rate=RATE)
        beta.wait_state(DELAYED, "healthy", SECONDS)
        passes = [event for event in beta.events() if event["event"] == "seed_pass_opened"]
        trial.require("each copy was seeded once", len(passes) == len(databases), passes)
        pace = Pace(alpha, beta)
        for name in ("beta", "alpha"):
            for words, seconds in JUMPS.items():
                clocks.set(name, seconds)
                end = time.monotonic() + STAYS_SECONDS
                while time.monotonic() < end:
                    pace.look(trial, f"{name}, {words}")
                    time.sleep(0.1)
                is_well(trial, f"{name}, {words}", cluster, load)
            trial.check(f"{name}'s clock was set {', '.join(JUMPS)}: all went on", True)
        clocks.set("beta", -10 * YEAR)
        found = until(lambda: [found for found in [clock_check(alpha)] if found and "ok" not in found], SECONDS, lambda: f"ccr check sees that the clocks differ: {clock_check(alpha)}")
        trial.check(f"ccr check says that the clocks differ: {found[0]}", True)

        for name, words in (("beta", "ten years back"), ("alpha", "ten years on")):
            clocks.set(name, JUMPS[words])
            acknowledged = max(load.leave(), alpha.copy(LIVE)["commit"]), slow.leave()
            node = cluster[name]
            node.kill()
            clocks.start(node)
            alpha.wait_state(LIVE, "mounted", SECONDS)
            alpha.wait_state(DELAYED, "mounted", SECONDS)
            for database in (LIVE, DELAYED, "shop"):
                beta.wait_state(database, "healthy", SECONDS)
            trial.require("no commit is missing", alpha.copy(LIVE)["commit"] >= acknowledged[0] and alpha.copy(DELAYED)["commit"] >= acknowledged[1])
            load, slow = Load(alpha, LIVE, rate=RATE), Load(alpha, DELAYED, rate=RATE)
            is_well(trial, f"{name} was started {words}", cluster, load)
            trial.check(f"{name} was killed and started ten years off: all went on", True)
        for name in cluster.names:
            clocks.set(name, 0)
        acknowledged = load.leave(), slow.leave()
        writer.end()
        for database, commits in ((LIVE, acknowledged[0]), (DELAYED, acknowledged[1])):
            trial.require(f"no commit of {database} is missing", alpha.copy(database)["commit"] >= commits)
        for database in databases:
            beta.wait_settled(database.name, SECONDS)
            check_verify(trial, beta, database.name)
        check_sqlite_copy(trial, alpha, beta, "shop")
        told = [event for node in (alpha, beta) for event in node.events()]
        bad = [event for event in told if event["event"] in NEVER or (event["event"] == "seed_pass_opened" and event not in passes)]
        trial.check(f"nothing was seeded again, set aside or given up, in {len(told)} events", not bad, bad)


def certificates(trial):
    with trial.cluster(databases=[Database(LIVE)], tls=True) as cluster:
        clocks = Clocks(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        for node in (alpha, beta):
            clocks.start(node)
        alpha.wait_state(LIVE, "mounted")
        beta.wait_opened(LIVE)
        beta.ask("seed", database=LIVE, node="beta")
        beta.wait_settled(LIVE, SECONDS)
        clocks.set("beta", 20 * YEAR)
        beta.kill()
        clocks.start(beta)
        copy = beta.wait_copy(lambda copy: "expired" in copy["cause"] or "certificate" in copy["cause"], "says that a certificate has ended", LIVE, seconds=SECONDS)
        trial.check(f"twenty years on: {copy['state']}, {copy['cause']}", copy["state"] == "disconnected" and copy["hint"] != "", copy)
        clocks.set("beta", 0)
        beta.wait_settled(LIVE, SECONDS)
        check_verify(trial, beta, LIVE)
        trial.check("with its clock right it connected by itself", True)


def run(trial):
    trial.part("Clocks that are set by years", jumps)
    trial.part("A clock behind the end of the certificates", certificates)
