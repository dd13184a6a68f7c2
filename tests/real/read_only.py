"""File systems that turn read-only under living daemons: the log, the pages or the state of either copy, in load, in a seed, in a move

Each place of one database lies on a file system of its own (ext4 on a loop device). When it turns read-only, the active copy serves no more, a
passive one fails, and both say which file and why; what was acknowledged is there when a person has mended the disk, and the copies are equal again
by themselves. A database beside it notices nothing, and status and check answer. A directory that may not be written (chattr +i) is the same.
"""

import contextlib
import subprocess
import threading
import time

from cluster import Database, Skipped
from control import Refused, Unreachable
from cut import fill
from either_active import roles, wait_well
from loop_disk import LoopDisk
from oracle import check_all_there, check_files, check_verify
from outages import beside
from writers import Load

DATABASE, OTHER = "orders", "mail"
OPTIONS = {"generation_size": "256KiB", "log_budget": "64MiB"}
PLACES = ("log", "pages", "state")
RATE = 4_000_000
SECONDS = 30
MOVE_SECONDS = 1.5
ANSWER_SECONDS = 5
SEED_MIB = 16


def path_of(node, place):
    return {"log": node.log_directory(DATABASE), "pages": node.directory / "pages", "state": node.state_dir / DATABASE}[place]


@contextlib.contextmanager
def cluster_on_disks(trial, *where):
    """`where`: NODE, PLACE pairs with a file system of their own."""
    databases = [Database(DATABASE, options=OPTIONS, file=f"pages/{DATABASE}.db"), Database(OTHER)]
    with trial.cluster(databases=databases) as cluster:
        for node in cluster.nodes.values():
            path_of(node, "pages").mkdir(mode=0o700)
        disks = {}
        for name, place in where:
            disks[name, place] = cluster.keep(LoopDisk(cluster.directory / f"{name}-{place}.image"))
            disks[name, place].mount(path_of(cluster[name], place))
        yield cluster, disks


def broken(trial, node, place, state):
    """It says that it works no more, and why: at first the sync that failed perhaps, then what may not be written."""
    def named(copy):
        return copy["state"] in (state, "failed_and_suspended") and "EROFS" in copy["cause"] and str(path_of(node, place)) in copy["cause"]

    copy = node.wait_copy(named, f"is {state}, with the file and EROFS", DATABASE, seconds=SECONDS)
    trial.require("with a hint", "read-only" in copy["hint"], copy["hint"])
    return copy


def others_well(trial, cluster, changes):
    for node in cluster.nodes.values():
        now = sum(f"state_changed {OTHER}@" in line for line in node.log_path.read_text(errors="replace").splitlines() if f" {OTHER}@{node.name} " in line)
        trial.require(f"{OTHER}@{node.name} noticed nothing", now == changes.setdefault(node.name, now), node.copy(OTHER))
    states = [node.copy(OTHER)["state"] for node in cluster.nodes.values()]
    trial.require(f"{OTHER} is as it was", states == ["mounted", "healthy"], states)


def commands_answer(trial, node):
    """Exit codes: status as always, check with failed ones."""
    began = time.monotonic()
    codes = [node.ccr("status").returncode, node.ccr("check", "--json").returncode, node.ccr("events").returncode]
    trial.require("status, check and events answer at once", codes == [0, 11, 0] and time.monotonic() - began < ANSWER_SECONDS, (codes, time.monotonic() - began))


def mend(cluster, node, *disks):
    """As a person does it: the daemon has to let go of its files first."""
    assert node.end() == 0, f"{node.name} ends with 0"
    for disk in disks:
        disk.mend()
    node.start().wait_serving()


def under_load(trial, name):
    """One place after the other of this node's copy."""
    with cluster_on_disks(trial, *[(name, place) for place in PLACES]) as (cluster, disks):
        alpha, beta, victim = cluster["alpha"], cluster["beta"], cluster[name]
        cluster.start().seed()
        for place in PLACES:
            load, changes = Load(alpha, rate=RATE), {}
            time.sleep(trial.random.uniform(0.2, 0.6))
            others_well(trial, cluster, changes)
            disks[name, place].turn_read_only()
            copy = broken(trial, victim, place, "dismounted" if victim is alpha else "failed")
            if victim is beta:
                before = load.acknowledged
                time.sleep(0.3)
                trial.require("alpha goes on", load.running and load.acknowledged > before, load.acknowledged)
            else:
                refused = alpha.ccr("load", DATABASE, "--seconds", "1", "--rate", "1MB/s")
                trial.require("alpha takes no commit", refused.returncode not in (0, 10), refused)
            others_well(trial, cluster, changes)
            commands_answer(trial, victim)
            acknowledged = load.leave()
            mend(cluster, victim, disks[name, place])
            check_all_there(trial, cluster, (DATABASE, OTHER), acknowledged, SECONDS)
            trial.check(f"{name}'s {place}: {copy['state']}, {copy['cause'].replace(str(cluster.directory), '')}; mended, nothing is missing", True)
        for node in (beta, alpha):
            node.end()
        check_files(trial, cluster)


def active_under_load(trial):
    under_load(trial, "alpha")


def passive_under_load(trial):
    under_load(trial, "beta")


def in_a_seed(trial):
    """Of the target each place, then the source's log."""
    where = [("beta", place) for place in PLACES] + [("alpha", "log")]
    with cluster_on_disks(trial, *where) as (cluster, disks):
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        fill(trial, cluster, SEED_MIB)
        for name, place in trial.random.sample(where, 2) if trial.short else where:
            beta.wait_settled(DATABASE, SECONDS)
            beta.ask("seed", database=DATABASE, node="beta", full=True, rate_bytes_per_second=SEED_MIB * 2**18, detach=True)
            beta.wait_copy(lambda copy: copy["seed"]["running"] and (copy["seed"]["done_bytes"] or 0) > 2**20, "is seeded in part", DATABASE)
            load = Load(alpha, rate=RATE // 8)
            disks[name, place].turn_read_only()
            copy = broken(trial, cluster[name], place, "dismounted" if name == "alpha" else "failed")
            acknowledged = load.leave()
            mend(cluster, cluster[name], disks[name, place])
            alpha.wait_state(DATABASE, "mounted", SECONDS)
            beta.ccr("seed", f"{DATABASE}@beta", "--rate", "unlimited", "--detach")  # where it goes on by itself it does so faster
            beta.wait_settled(DATABASE, SECONDS)
            commit = alpha.copy(DATABASE)["commit"]
            trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
            check_verify(trial, beta, DATABASE)
            trial.check(f"in a seed, {name}'s {place}: {copy['cause'].replace(str(cluster.directory), '')}; mended, the copy is made", True)


def in_a_move(trial):
    """Whatever becomes of the move, one node serves afterwards, with all that was acknowledged."""
    where = [(name, place) for name in ("alpha", "beta") for place in ("log", "state")]
    with cluster_on_disks(trial, *where) as (cluster, disks):
        cluster.start().seed()
        active = cluster["alpha"]
        for name, place in trial.random.sample(where, 2) if trial.short else where * trial.rounds(1, 5):
            target = cluster["beta" if active.name == "alpha" else "alpha"]
            load = Load(active, rate=RATE)
            time.sleep(0.3)
            moved = {}
            worker = threading.Thread(target=lambda: moved.update(done=active.ccr("move", DATABASE, "--to", target.name)), daemon=True)  # noqa: B023
            worker.start()
            time.sleep(trial.random.uniform(0, 0.15))
            disks[name, place].turn_read_only()
            worker.join(MOVE_SECONDS)  # it may wait until the target serves, which cannot be before it is mended
            acknowledged = load.leave()
            now = roles(cluster, DATABASE)
            trial.require("not two are active", list(now.values()).count("active") < 2, now)
            mend(cluster, cluster[name], disks[name, place])
            active = resumed_well(trial, cluster, acknowledged)
            worker.join(SECONDS)
            trial.require("the move ended", not worker.is_alive())
            trial.check(f"in a move to {target.name}, {name}'s {place}: exit code {moved['done'].returncode}, {active.name} serves, nothing is missing", True)


def resumed_well(trial, cluster, acknowledged):
    """A copy that waits for a person is resumed by one."""
    for node in cluster.nodes.values():
        with contextlib.suppress(Unreachable, Refused):
            if (node.copy(DATABASE) or {}).get("state") == "failed_and_suspended":
                trial.say(f"{node.name} waits for a person: {node.copy(DATABASE)['cause']}")
                node.ask("resume", database=DATABASE, node=node.name)
    return wait_well(trial, cluster, DATABASE, acknowledged, SECONDS)


def immutable(trial):
    """A directory that nobody may make a file in, for root too."""
    with trial.cluster(databases=[Database(DATABASE, options=OPTIONS)]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        for node, state in ((beta, "failed"), (alpha, "dismounted")):
            with unwritable(node.log_directory(DATABASE)):
                load = Load(alpha, rate=RATE)
                copy = node.wait_copy(lambda copy: copy["state"] == state and str(node.log_directory(DATABASE)) in copy["cause"] and  # noqa: B023
                                      any(word in copy["cause"] for word in ("EPERM", "EACCES")), f"is {state}, and says what it may not", DATABASE)  # noqa: B023
                acknowledged = load.leave()
            alpha.wait_state(DATABASE, "mounted", SECONDS)
            beta.wait_settled(DATABASE, SECONDS)
            commit = alpha.copy(DATABASE)["commit"]
            trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
            check_verify(trial, beta, DATABASE)
            trial.check(f"{node.name}: {copy['cause'].replace(str(cluster.directory), '')}; where it may again, it goes on by itself", True)


@contextlib.contextmanager
def unwritable(directory):
    done = subprocess.run(["chattr", "+i", str(directory)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"no immutable directory here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(directory)], check=True)


def run(trial):
    beside(trial, (active_under_load, passive_under_load, in_a_seed, in_a_move, immutable))
