"""Two nodes and SQLite databases that ordinary programs use on alpha: what every sqlite trial begins and ends with.

    with SqlitePair(trial, ["plain", "vacuum"]) as pair:
        pair.originals["plain"].create()
        pair.begin()
        ...
        pair.prove()
"""

from pathlib import Path

from cluster import Cluster, Database, until
from sqlite_original import Original, differences, events_named, parse_events

SEED_SECONDS_MAX = 120
SETTLED_SECONDS_MAX = 120
MOUNTED_SECONDS_MAX = 30
CALM_LOOKS = 4


def program(trial):
    """tests/sqlite_app of the same build."""
    return Path(trial.ccr).resolve().parents[1] / "tests" / "sqlite_app"


class SqlitePair(Cluster):
    def __init__(self, trial, databases, **cluster):
        """`databases`: names, or a Database each where more is to be said."""
        made = [each if isinstance(each, Database) else Database(each, kind="sqlite") for each in databases]
        super().__init__(trial.ccr, databases=made, keep=trial.keeps, **cluster)
        self._trial = trial
        self._application = program(trial)
        self.originals = {}

    def __enter__(self):
        super().__enter__()
        self.originals = {name: Original(self["alpha"].database_path(name), self._application) for name in self.databases}
        return self

    @property
    def alpha(self):
        return self["alpha"]

    @property
    def beta(self):
        return self["beta"]

    def start_nodes(self):
        """Whether their databases can be served or not."""
        for node in (self.alpha, self.beta):
            node.start()
        for node in (self.alpha, self.beta):
            node.wait_serving()

    def begin(self):
        """Both nodes run, and beta has a copy of every database."""
        self.start_nodes()
        for name in self.databases:
            self.seed(name)
        for name in self.databases:
            self.settle(name)
        return self

    def seed(self, name):
        self.mounted(name)
        self.beta.wait_copy(lambda copy: copy["state"] == "needs_seed", "has met its active node", name)
        done = self.beta.ccr("seed", f"{name}@beta", seconds=SEED_SECONDS_MAX)
        assert done.returncode == 0, f"ccr seed {name}@beta: {done.returncode}: {done.stderr}"

    def mounted(self, name, seconds=MOUNTED_SECONDS_MAX):
        return self.alpha.wait_state(name, "mounted", seconds)

    def refused(self, name, words, seconds=MOUNTED_SECONDS_MAX):
        """The database is not served, the cause says why in these words, and there is a hint."""
        copy = self.alpha.wait_copy(lambda copy: copy["state"] == "dismounted" and words in copy["cause"], f"is refused: {words}", name,
                                    seconds=seconds)
        assert copy["hint"], f"{name} is refused without a hint: {copy['cause']}"
        return copy

    def captured(self, name, seconds=SETTLED_SECONDS_MAX):
        """Nothing of the WAL is left to capture, and it stays so for longer than a worker that listens needs to wake up."""
        seen = []

        def rests():
            copy = self.alpha.copy(name)
            calm = copy and copy["state"] == "mounted" and copy["source"]["uncaptured_bytes"] == 0
            seen.append(copy["commit"] if calm else None)
            return calm and len(seen) >= CALM_LOOKS and len(set(seen[-CALM_LOOKS:])) == 1

        until(rests, seconds, lambda: f"{name} is captured; commits seen {seen[-CALM_LOOKS:]}")

    def settle(self, name, seconds=SETTLED_SECONDS_MAX):
        self.captured(name, seconds)
        self.beta.wait_settled(name, seconds)

    def page_size(self, name):
        return self.alpha.ask("status", database=name, node="alpha")["databases"][0]["page_size"]

    def events(self, event, name, node="alpha"):
        done = self[node].ccr("events")
        assert done.returncode == 0, done.stderr
        return events_named(parse_events(done.stdout), event, name)

    def unbroken(self, name):
        """The capture never lost continuity. A worker that gets no processor for a whole filling of the WAL does, and then compares pages:
        the check, which runs on machines of any speed, says so and judges what comes out of it instead."""
        losses = self.losses(name)
        if self._trial.short and losses:
            self._trial.say(f"continuity of {name} was lost ({', '.join(losses)}) and found again by digests")
        self._trial.require(f"continuity of {name} was never lost", losses == [] or self._trial.short, losses)

    def losses(self, name):
        """Why the file's content had to win, once for each time since alpha's daemon started; its very first look is none."""
        return [each["reason"] for each in self.events("compare_started", name) if each["reason"] != "first_start"]

    def prove(self, *names, busy=0):
        """No program writes any more: every page is verified by ccr, then the copy is looked into with SQLite alone."""
        for name in names or self.databases:
            original = self.originals[name]
            self.settle(name)
            verified = self.beta.ccr("verify", f"{name}@beta")
            assert verified.returncode == 0, f"ccr verify {name}@beta: {verified.returncode}: {verified.stdout}{verified.stderr}"
            asleep = self.beta.ccr("suspend", f"{name}@beta", "--comment", "a look inside")
            assert asleep.returncode == 0, asleep.stderr
            self.beta.wait_state(name, "suspended")
            found = differences(original.path, str(self.beta.database_path(name)))
            assert not found, f"{name}: {'; '.join(found)}"
            assert original.busy == busy, f"{name}: programs met SQLITE_BUSY {original.busy} times, expected {busy}"
            awake = self.beta.ccr("resume", f"{name}@beta")
            assert awake.returncode == 0, awake.stderr
