"""Power cuts and kill -9 at chosen disk operations, on disks that keep only what was synced: nothing acknowledged is lost, both come back by themselves

Both nodes live on disks of their own that lie (tests/lying_disk). A daemon is killed at its Nth operation of the disk, or its Nth of one kind: a kill
alone leaves all that was written; a power cut leaves of what was not synced what a drawn style leaves. So it goes under load, while log goes, while
a copy is seeded, suspended and resumed, and in starts, several in a row, each one operation further than the one before. The active copy's durable
commit is never below what was acknowledged; after each round both copies are proven equal on both disks, page for page. At the end of a part the
nodes rest, and their files are looked at. Then an active node's life is recorded from its start, and opened at many moments of it, as a cut there may leave its
disk, by a daemon that must serve all that was acknowledged until then.
"""

import contextlib
import itertools
import os
import signal
import time

from cluster import Database, Late
from control import Refused, Unreachable
from kill import DATABASE, HEALTHY_SECONDS, MOUNTED_SECONDS, OPTIONS, PageRounds
from lying_disk import LyingDisk, program_beside
from oracle import check_load_pages, check_verify
from writers import Load

LOOK_AGAIN_SECONDS = 0.002
REACHED_SECONDS = 0.3  # for an operation to come; a node at rest has few
KILLS_A_ROUND = 40
CUTS_A_ROUND = 8
STATES_A_ROUND, STATES_A_ROUND_LONG = 8, 100
STARTS_A_BLOW = 8
OPERATIONS_OF_WORK = 300
OPERATIONS_OF_SEED = 80
OPERATIONS_OF_COMMAND = 12
OPERATIONS_OF_START_MAX = 200
RECORDED_SECONDS = 2
PAGES_SAMPLED = 200
LOAD_BYTES_PER_SECOND = 4 * 2**20
SEED_MAX = 2**31
ACTIONS = (("any", 1), ("write", 2), ("sync", 4), ("open", 40), ("rename", 40), ("sync_directory", 40), ("remove", 100))  # and how rare they are
MOMENTS = ("load", "start", "seed", "suspend", "resume")


class Counts:
    """Of one part: what was tried, and what had held when it ended."""

    def __init__(self):
        self.kills = self.cuts = self.opened = self.held = 0

    def say(self, trial):
        trial.say(f"power: {self.kills} kills at an operation, {self.cuts} cuts, {self.opened} recorded cuts opened, {self.held} held")


class Blows(PageRounds):
    """Kills or cuts of either daemon, each at an operation of its disk, and what must hold behind them."""

    moments_word = "blows"

    def __init__(self, trial, cluster, disks, counts, power):
        super().__init__(trial, cluster, load_of(cluster["alpha"]))
        self.disks, self.counts, self.power = disks, counts, power
        self.moments = {moment: 0 for moment in MOMENTS}
        self.first = list(itertools.product(MOMENTS, (self.alpha, self.beta)))  # each once before chance has its way
        self.walked = {name: 0 for name in cluster.names}  # the operation of a start at which the last one was struck

    def play_round(self, blows):
        """So many blows, and then all must be well."""
        before = self.struck
        while self.struck < before + blows:
            moment, victim = self.first.pop() if self.first else (self.random.choice(MOMENTS), self.random.choice((self.alpha, self.beta)))
            self.strike(victim, moment)
        self.prove()
        self.counts.held += self.struck - before

    @property
    def struck(self):
        return self.counts.kills + self.counts.cuts

    # --- blows ---

    def strike(self, victim, moment):
        self.moments[moment] += 1
        if moment == "start":
            self.strike_starts(victim)
        else:
            operations, begin = getattr(self, "reach_" + moment)()
            action, share = self.random.choice(ACTIONS)
            self.arm(victim, self.random.randint(1, max(1, operations // share)), action)
            begin()
            self.fell(victim)
        self.raise_up(victim)

    def strike_starts(self, victim):
        """Several starts in a row, each one operation further than the one before; from the beginning again where that never comes."""
        self.fell_now(victim)
        for _ in range(self.random.randint(1, STARTS_A_BLOW)):
            operation = self.walked[victim.name] = self.walked[victim.name] % OPERATIONS_OF_START_MAX + 1
            self.disks[victim.name].tell("mount")
            victim.start(first=lambda operation=operation: self.arm(victim, operation, "any", os.getpid()))
            if not self.fell(victim):
                self.walked[victim.name] = 0

    def arm(self, victim, operation, action, pid=None):
        self.disks[victim.name].tell(f"cut_at {action} {operation} {pid or victim.pid} {self.style()} {self.random.randrange(SEED_MAX)}")

    def style(self):
        return "any" if self.power else "process"

    def fell(self, victim):
        """It is dead; True where that was at its operation, False where it had so little to do that it was struck at rest."""
        disk = self.disks[victim.name]
        end = time.monotonic() + REACHED_SECONDS
        while not disk.off:
            if time.monotonic() >= end or not victim.running:
                return self.fell_now(victim)
            time.sleep(LOOK_AGAIN_SECONDS)
        code = victim.wait_exit(MOUNTED_SECONDS)
        self.trial.require(f"{victim.name} died at its operation, and not before", code == -signal.SIGKILL, code)
        self.counts.kills += not self.power
        self.counts.cuts += self.power
        return True

    def fell_now(self, victim):
        disk = self.disks[victim.name]
        disk.tell("calm")
        self.trial.require(f"{victim.name} runs until it is struck", victim.running or disk.off, victim.last_lines(3))
        victim.kill()
        if not disk.off:
            disk.tell(f"cut {self.style()} {self.random.randrange(SEED_MAX)}")
        self.counts.cuts += self.power
        return False

    def raise_up(self, victim):
        acknowledged = self.acknowledged(victim is self.alpha)
        self.disks[victim.name].tell("mount")
        victim.start()
        if victim is self.alpha:
            began = time.monotonic()
            self.alpha.wait_state(DATABASE, "mounted", MOUNTED_SECONDS)
            self.mounted.append(time.monotonic() - began)
            commit = self.alpha.copy(DATABASE)["commit"]
            self.trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
            self.write_again()
        else:
            self.know_beta()

    def write_again(self):
        if self.load is None:
            self.load = load_of(self.alpha)

    def know_beta(self):
        """A suspension that was answered is there after any blow."""
        self.join()
        self.beta.wait_serving()
        known = self.beta.wait_opened(DATABASE, MOUNTED_SECONDS)
        if self.suspended:
            self.trial.require("an answered suspension survives", known["state"] == "suspended", known["state"])

    def prove(self):
        began = time.monotonic()
        self.join()
        self.leave_suspension()
        self.beta.wait_state(DATABASE, "healthy", HEALTHY_SECONDS)
        self.healthy.append(time.monotonic() - began)
        check_verify(self.trial, self.beta, DATABASE)

    # --- the moments: how many operations to reckon with, and what makes them ---

    def reach_load(self):
        return OPERATIONS_OF_WORK, lambda: None

    def reach_seed(self):
        self.suspended = False  # a seed ends a suspension
        return OPERATIONS_OF_SEED, lambda: self.behind(lambda: self.command("seed", full=True, detach=True))

    def reach_suspend(self):
        def suspend():
            self.suspended = self.command("suspend", comment="trial") or self.suspended
        return OPERATIONS_OF_COMMAND, lambda: self.behind(suspend)

    def reach_resume(self):
        def resume():
            self.suspended = False  # from here on either is right
            self.command("resume")
        return OPERATIONS_OF_COMMAND, lambda: self.behind(resume)

    def command(self, word, **arguments):
        """True when it was answered with yes."""
        try:
            self.beta.ask(word, database=DATABASE, node="beta", **arguments)
            return True
        except (Unreachable, Refused):
            return False

    def behind(self, work):
        self.join()
        super().behind(work)

    def join(self):
        if getattr(self, "worker", None):
            self.worker.join()
            self.worker = None


def load_of(node):
    """Slow enough that a whole seed is short, and log goes all the same."""
    return Load(node, rate=LOAD_BYTES_PER_SECOND)


@contextlib.contextmanager
def lying_cluster(trial):
    with trial.cluster(databases=[Database(DATABASE, "pages", OPTIONS)]) as cluster:
        program = program_beside(trial.ccr)
        disks = {name: cluster.keep(LyingDisk(program, cluster[name].directory)) for name in cluster.names}
        cluster.start().seed()
        yield cluster, disks


def blows(trial, rounds, power):
    counts = Counts()
    with lying_cluster(trial) as (cluster, disks):
        try:
            story = Blows(trial, cluster, disks, counts, power)
            for _ in range(rounds):
                story.play_round(CUTS_A_ROUND if power else KILLS_A_ROUND)
            story.rest()
            what = "power cuts" if power else "kills at an operation"
            trial.check(f"{rounds} rounds of {what}: nothing acknowledged was lost, verify said 0 each time", counts.held > 0)
            story.say_times()
        finally:
            counts.say(trial)


# --- a recording, opened at many moments ---


def record(trial, cluster, disk):
    """An active node's life from its start, under load, beside its copy: its log is sent, and goes. How many changes; what was acknowledged, and when."""
    alpha = cluster["alpha"]
    alpha.end()
    disk.tell("record")
    alpha.start()
    alpha.wait_state(DATABASE, "mounted", MOUNTED_SECONDS)
    load = load_of(alpha)
    end, noted = time.monotonic() + RECORDED_SECONDS, 0
    while time.monotonic() < end:
        if load.acknowledged > noted:
            noted = load.acknowledged
            disk.tell(f"note {noted}")
        time.sleep(LOOK_AGAIN_SECONDS)
    alpha.kill()
    load.leave()
    trial.require("the recorded load wrote", noted > 0)
    return disk.facts()["recorded"], disk.notes()


def open_state(trial, alpha, disk, moment, notes):
    acknowledged = max((number for at, number in notes if at <= moment), default=0)
    seed = trial.random.randrange(SEED_MAX)
    disk.tell(f"open {moment} any {seed}")
    alpha.start()
    try:
        alpha.wait_state(DATABASE, "mounted", MOUNTED_SECONDS)
    except (Late, AssertionError) as failure:
        raise AssertionError(f"moment {moment}, seed {seed}: {failure}") from failure
    commit = alpha.copy(DATABASE)["commit"]
    trial.require(f"moment {moment}, seed {seed}: no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
    trial.require(f"moment {moment}, seed {seed}: the daemon ends with 0", alpha.end() == 0)
    log = alpha.ccr("log", "verify", str(alpha.log_directory(DATABASE)))
    trial.require(f"moment {moment}, seed {seed}: the log holds", log.returncode == 0, log.stderr)
    check_load_pages(trial, alpha, DATABASE, commit, PAGES_SAMPLED)


def recorded(trial, states):
    counts = Counts()
    with lying_cluster(trial) as (cluster, disks):
        alpha, disk = cluster["alpha"], disks["alpha"]
        try:
            moments, notes = record(trial, cluster, disk)
            cluster["beta"].end()
            for _ in range(states):
                counts.opened += 1
                open_state(trial, alpha, disk, trial.random.randint(0, moments), notes)
                counts.held += 1
            trial.check(f"{counts.held} of {moments} moments of a recording: each served all that was acknowledged, its log and pages held",
                        counts.held > 0)
        finally:
            counts.say(trial)


def run(trial):
    rounds = trial.rounds(short=6, long=30)
    trial.part(f"kill -9 at an operation of the disk, {rounds * KILLS_A_ROUND} times", blows, rounds, False)
    trial.part(f"Power cuts, {rounds * CUTS_A_ROUND} times", blows, rounds, True)
    states = rounds * (STATES_A_ROUND if trial.short else STATES_A_ROUND_LONG)
    trial.part(f"A recording, {states} power cuts of it", recorded, states)
