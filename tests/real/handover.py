"""The active copy goes from node to node under load, by `ccr move`, by kill -9 and `ccr activate --dial force`, over TLS

Nothing that was acknowledged is lost by a move; the node that was killed comes back, follows by itself where it had nothing of its own, and
waits for a person where it had; ccr verify says 0 after each turn.
"""

import time

from cluster import REFUSED, Database, until
from oracle import check_verify
from writers import Load

DATABASE = "orders"
BUSY_RATE = 3_000_000  # bytes a second
HELD_SECONDS = 30  # a fraction of a second where nobody else needs the machine or its disk
UNREACHABLE = 3


def commit_of(node):
    return (node.copy(DATABASE) or {}).get("commit") or 0


def run(trial):
    with trial.cluster(databases=[Database(DATABASE, "pages")], tls=True) as cluster:
        cluster.start()
        cluster.seed()
        here, there = cluster["alpha"], cluster["beta"]
        for turn in range(trial.rounds(3, 20)):
            load = Load(here, DATABASE, rate=BUSY_RATE)
            time.sleep(trial.random.uniform(0.3, 1.5))
            asked = trial.random.choice((here, there))
            moved = asked.json("move", DATABASE, "--to", there.name)
            trial.check("a move is told with its epoch", moved["active"] == there.name and moved["epoch"] == turn + 2, moved)
            acknowledged = load.leave()
            trial.check("commits waited for a moment only", moved["held_seconds"] < HELD_SECONDS, moved["held_seconds"])
            trial.say(f"moved to {there.name}: commits waited {moved['held_seconds']:.3f} s of {moved['seconds']:.3f}")
            there.wait_state(DATABASE, "mounted", node=there.name)
            here.wait_state(DATABASE, "healthy", node=here.name)
            trial.check("no acknowledged commit is lost", commit_of(there) >= acknowledged, (commit_of(there), acknowledged))
            check_verify(trial, here, DATABASE)
            here, there = there, here
        trial.check("the passive node cannot be written", there.ccr("load", DATABASE, "--rate", "1MB/s", "--seconds", "1").returncode == UNREACHABLE)

        # The active node dies; the other one cannot know what it lacks.
        load = Load(here, DATABASE, rate=BUSY_RATE)
        time.sleep(1)
        here.kill()
        load.leave()
        refused = there.ccr("activate", DATABASE, "--on", there.name, "--dial", "best")
        trial.check("best is refused", refused.returncode == REFUSED and "unknown since" in refused.stderr, refused.stderr)
        unasked = there.ccr("activate", DATABASE, "--on", there.name, "--dial", "force")
        trial.check("force is agreed to by name or --yes", unasked.returncode == REFUSED and "--yes" in unasked.stderr, unasked.stderr)
        taken = there.json("activate", DATABASE, "--on", there.name, "--dial", "force", "--yes")
        trial.check("force takes it", taken["forced"] and not taken["missing"]["known"], taken)
        load = Load(there, DATABASE, rate=BUSY_RATE)
        time.sleep(1)
        load.leave()
        here.start()
        here.wait_serving()
        until(lambda: here.copy(DATABASE)["state"] in ("healthy", "failed_and_suspended"), 60, lambda: f"the old active copy is {here.copy(DATABASE)}")
        copy = here.copy(DATABASE)
        trial.check("it serves no more", copy["role"] == "passive", copy)
        if copy["state"] == "failed_and_suspended":
            trial.say(f"it had more than was shipped: {copy['cause']}")
            trial.check("a person is told what to type", f"ccr resume {DATABASE}@{here.name}" in copy["hint"], copy["hint"])
            trial.require("resume takes the other side", here.ccr("resume", f"{DATABASE}@{here.name}").returncode == 0)
            kept = cluster[here.name].log_directory(DATABASE) / "quarantine"
            until(lambda: any(kept.glob("*.log.*")), 20, "what it had alone is set aside")
            trial.check("and what it had alone is kept", any(kept.glob("*.log.*")))
        here.wait_state(DATABASE, "healthy", node=here.name, seconds=60)
        check_verify(trial, here, DATABASE)
