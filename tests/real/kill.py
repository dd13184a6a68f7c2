"""kill -9 of either daemon, or both, at seeded moments under load: nothing acknowledged is lost, all gets Healthy by itself

Moments: anywhere under load, right after a generation rolled, while a copy is seeded from nothing, while it is being suspended,
while it is verified, and in the first tenth of a second of a start, several times in a row. After each round the durable commit
number of the active copy is at least what was acknowledged before, and ccr verify says 0. Every tenth round both nodes rest, and
their files are looked at: the chain of both logs, the pages, and that nothing is left over.
"""

import threading
import time

from cluster import Database
from control import Refused, Unreachable
from oracle import check_files, check_load_pages, check_sqlite_copy, check_verify
from writers import Load, SqliteWriter

MOUNTED_SECONDS = 10  # stated: from start to serving, with a machine that has more to do
HEALTHY_SECONDS = 40  # stated: from start to healthy with empty queues, a whole seed included
REST_EVERY_ROUNDS = 10
PAGES_SAMPLED = 500
EARLY_SECONDS = 0.12  # a start takes about this long
MOMENTS = ("load", "roll", "seed", "suspend", "verify", "early")
DATABASE = "orders"
OPTIONS = {"generation_size": "256KiB"}  # some hundred rolls a round


class Rounds:
    """What the rounds have in common, for either kind."""

    moments_word = "moments"  # tests/reached.py counts the line as kills at random moments

    def __init__(self, trial, cluster):
        self.trial, self.cluster, self.random = trial, cluster, trial.random
        self.alpha, self.beta = cluster["alpha"], cluster["beta"]
        self.moments = {moment: 0 for moment in MOMENTS}
        self.mounted, self.healthy = [], []
        self.suspended = False  # beta said that it is

    def play(self, number):
        moment = MOMENTS[number % len(MOMENTS)] if number < len(MOMENTS) else self.random.choice(MOMENTS)
        victims = self.random.choice(((self.alpha,), (self.beta,), (self.alpha, self.beta)))
        self.moments[moment] += 1
        getattr(self, "reach_" + moment)()
        for victim in victims:
            victim.kill()
        if moment == "early":
            self.kill_starts(victims)
        self.restart(victims)
        return f"{moment}, {' and '.join(victim.name for victim in victims)}"

    # --- the moments ---

    def reach_load(self):
        time.sleep(self.random.uniform(0, 1.5))

    def reach_roll(self):
        """The generation has just changed, or will not within two seconds."""
        first = self.generation()
        end = time.monotonic() + 2
        while self.generation() == first and time.monotonic() < end:
            pass
        time.sleep(self.random.uniform(0, 0.004))

    def generation(self):
        return self.alpha.copy(DATABASE)["generated"]["generation"]

    def reach_seed(self):
        self.beta.ask("seed", database=DATABASE, node="beta", full=True, detach=True)
        time.sleep(self.random.uniform(0, 1.5))

    def reach_suspend(self):
        def suspend():
            try:
                self.beta.ask("suspend", database=DATABASE, node="beta", comment="trial")
                self.suspended = True
            except (Unreachable, Refused):
                pass  # killed before the answer: either outcome is right
        time.sleep(self.random.uniform(0, 0.3))
        self.behind(suspend)
        time.sleep(self.random.uniform(0, 0.08))

    def reach_verify(self):
        def verify():
            try:
                self.beta.ask("verify", database=DATABASE, node="beta")
            except (Unreachable, Refused):
                pass
        self.behind(verify)
        time.sleep(self.random.uniform(0, 0.5))

    def reach_early(self):
        time.sleep(self.random.uniform(0, 0.3))

    def behind(self, work):
        self.worker = threading.Thread(target=work, daemon=True)
        self.worker.start()

    def kill_starts(self, victims):
        for _ in range(self.random.randint(1, 4)):
            for victim in victims:
                victim.start()
            time.sleep(self.random.uniform(0, EARLY_SECONDS))
            for victim in victims:
                victim.kill()

    # --- and back ---

    def restart(self, victims):
        if getattr(self, "worker", None):
            self.worker.join()
            self.worker = None
        acknowledged = self.acknowledged(self.alpha in victims)
        began = time.monotonic()
        for victim in victims:
            victim.start()
        self.alpha.wait_state(DATABASE, "mounted", MOUNTED_SECONDS)
        self.mounted.append(time.monotonic() - began)
        commit = self.alpha.copy(DATABASE)["commit"]
        self.trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
        self.write_again()
        self.leave_suspension()
        self.beta.wait_state(DATABASE, "healthy", HEALTHY_SECONDS)
        self.healthy.append(time.monotonic() - began)
        check_verify(self.trial, self.beta, DATABASE)

    def leave_suspension(self):
        """A suspension that was answered is there after any kill; one that was not may be there."""
        self.beta.wait_serving()
        known = self.beta.wait_opened(DATABASE, MOUNTED_SECONDS)
        if self.suspended:
            self.trial.require("an answered suspension survives", known["state"] == "suspended", known["state"])
        if known["state"] == "suspended":
            self.beta.ask("resume", database=DATABASE, node="beta")
        self.suspended = False

    def say_times(self):
        moments = ", ".join(f"{moment} {count}" for moment, count in self.moments.items())
        self.trial.say(f"{self.moments_word}: {moments}")
        for what, times, limit in (("mounted", self.mounted, MOUNTED_SECONDS), ("healthy", self.healthy, HEALTHY_SECONDS)):
            times.sort()
            self.trial.say(f"from start to {what}: median {times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s, "
                           f"stated {limit} s")


class PageRounds(Rounds):
    """A page store under `ccr load`."""

    def __init__(self, trial, cluster, load=None):
        super().__init__(trial, cluster)
        self.load = load or Load(self.alpha)

    def acknowledged(self, alpha_killed):
        if not alpha_killed:
            return self.load.acknowledged
        acknowledged = self.load.leave()
        self.load = None
        return acknowledged

    def write_again(self):
        if self.load is None:
            self.load = Load(self.alpha)

    def rest(self):
        commit = self.load.leave()
        self.beta.wait_settled(DATABASE, HEALTHY_SECONDS)
        last = self.alpha.copy(DATABASE)["commit"]
        self.trial.require("the load's last commit is there", last >= commit, f"{last} < {commit}")
        self.trial.require("beta has replayed it", self.beta.copy(DATABASE)["replayed_commit"] == last)
        check_verify(self.trial, self.beta, DATABASE)
        for node in (self.beta, self.alpha):
            self.trial.require(f"{node.name} ends with 0", node.end() == 0)
        check_files(self.trial, self.cluster)
        sampled = [check_load_pages(self.trial, node, DATABASE, last, PAGES_SAMPLED) for node in (self.alpha, self.beta)]
        self.trial.check(f"at rest at commit {last}: logs, files, and {sum(sampled)} pages of a sample", min(sampled) > 0)
        self.cluster.start()
        self.load = None
        self.write_again()


class SqliteRounds(Rounds):
    """An SQLite database that a program goes on writing, whatever becomes of the daemons."""

    def __init__(self, trial, cluster, writer):
        super().__init__(trial, cluster)
        self.writer = writer

    def acknowledged(self, alpha_killed):
        return 0  # a COMMIT of SQLite does not wait for ccr; what is missing shows in the dumps

    def write_again(self):
        self.trial.require("the program goes on", self.writer.running)

    def rest(self):
        pass  # the program would have to stop

    def finish(self):
        said = self.writer.end()
        self.trial.check(f"the program met no lock of ccr in {said['transactions']} transactions", said["busy"] == 0, said["busy"])
        self.beta.wait_settled(DATABASE, HEALTHY_SECONDS)
        check_verify(self.trial, self.beta, DATABASE)
        self.beta.ask("suspend", database=DATABASE, node="beta", comment="trial: a look inside")
        self.beta.wait_state(DATABASE, "suspended", 10)
        check_sqlite_copy(self.trial, self.alpha, self.beta, DATABASE)
        self.trial.check("the copy is sound, and both dumps are the same", True)
        for node in (self.beta, self.alpha):
            self.trial.require(f"{node.name} ends with 0", node.end() == 0)
        check_files(self.trial, self.cluster)


def play_rounds(trial, rounds, count):
    for number in range(count):
        what = rounds.play(number)
        trial.say(f"round {number + 1}: {what}: healthy in {rounds.healthy[-1]:.2f} s")
        if (number + 1) % REST_EVERY_ROUNDS == 0 or number + 1 == count:
            rounds.rest()
    trial.check(f"{count} rounds: both came back by themselves, nothing acknowledged was lost, verify said 0 each time", True)
    rounds.say_times()


def pages(trial, count):
    with trial.cluster(databases=[Database(DATABASE, "pages", OPTIONS)]) as cluster:
        cluster.start().seed()
        play_rounds(trial, PageRounds(trial, cluster), count)


def sqlite(trial, count):
    with trial.cluster(databases=[Database(DATABASE, "sqlite")]) as cluster:
        writer = SqliteWriter(cluster, cluster["alpha"].database_path(DATABASE), initial_mib=5 if trial.short else 60)
        cluster.start()
        cluster["beta"].ask("seed", database=DATABASE, node="beta")
        cluster["beta"].wait_state(DATABASE, "healthy", HEALTHY_SECONDS)
        rounds = SqliteRounds(trial, cluster, writer)
        play_rounds(trial, rounds, count)
        rounds.finish()


def run(trial):
    count = trial.rounds(short=2, long=50)
    trial.part(f"A page store, {count} rounds", pages, count)
    count = trial.rounds(short=1, long=20)
    trial.part(f"An SQLite database with a live program, {count} rounds", sqlite, count)
