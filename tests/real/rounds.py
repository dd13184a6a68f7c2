"""Rounds of random faults and operations on two nodes and a cable; each must heal, lose nothing acknowledged, and verify with 0

A page store whose commits wait for the other copy (`commit = "durable"`), under `ccr load`; an SQLite database with its application, which on_demote ends
and on_promote starts. A round draws from its seed: load on and off, the cable cut, deaf in one direction, flapping; kill -9 of a daemon or of all on its host,
a restart, SIGSTOP; suspend, resume, seed, verify; `ccr move` and, while the active node is dead, `ccr activate --dial force` of either; an older copy of a
node's directories put back. Then the faults end: all must be healthy within 60 s (and the time for what is to be copied) by itself, or by the command
that a hint names where it is a person's to decide; no commit that was answered may be missing, and no row that the application committed but what a forced
activation said; the application runs on the active node alone; ccr verify says 0 for both; PRAGMA integrity_check of both SQLite files says ok.
Every round prints its seed: `--seed S --rounds 1` plays it alone. At the end of each cluster's rounds both nodes rest, and their files and the two SQLite contents are looked at.
The long form first measures a cut of 30 s and kill -9 to serving (R12).
"""

import random
import time

from cluster import Database, Skipped
from network import Cable
from oracle import check_files, check_load_pages, check_sqlite_copy
from round_faults import MACHINE_SECONDS, SERVING_SECONDS, Faults
from round_healing import Healing, standing
from round_program import Program
from round_world import DATABASES, PAGES, SQLITE, World
from trial import FAILURES

ROUNDS_A_CLUSTER = 12
OPERATIONS = (2, 7)  # of a round
PAUSE_SECONDS_MAX = 2.5
OLD_CHANCE = 0.3  # a round keeps an old copy of something to put back
PUT_BACK_CHANCE = 0.8  # where the operations did not
SHORT_SECONDS = 40  # no further round is begun then
CUT_SECONDS, CUT_HEALTHY_SECONDS = 30, 6
PAGES_SAMPLED = 300
LOAD_CLIENTS = 16  # a page's number may be that of a transaction whose neighbours were not made


def cable(names):
    try:
        return Cable(names)
    except OSError as error:
        raise Skipped(f"no network namespaces here: {error}") from error


class Played:
    """What all rounds did."""

    def __init__(self):
        self.faults, self.healing = Faults(), Healing()
        self.rounds = self.failed = 0
        self.slowest = (0.0, None)


def play_round(trial, world, played, seed):
    chance = random.Random(seed)
    trial.say(f"round {played.rounds + 1}, seed {seed}: {PAGES} on {world.active(PAGES).name}")
    story = []
    try:
        if chance.random() < OLD_CHANCE:
            name, database = chance.choice((world.active(PAGES).name, world.passive(PAGES).name)), chance.choice(DATABASES)
            world.keep_old(name, database)
            story.append(f"keeps {database}@{name}")
            if world.wants_load:
                world.start_load()
        for _ in range(chance.randint(*OPERATIONS)):
            story.append(played.faults.perform(world, chance))
            time.sleep(chance.uniform(0, PAUSE_SECONDS_MAX))
        if world.old and not world.gone_back and chance.random() < PUT_BACK_CHANCE:
            story.append(played.faults.perform(world, chance, "go_back"))
        took, outcomes = played.healing.heal(world)
        played.healing.judge(world)
    except FAILURES:
        trial.say(f"round {played.rounds + 1}, seed {seed}, failed after: {'; '.join(story)}")
        for line in standing(world):
            trial.say(line)
        raise
    finally:
        played.rounds += 1
    world.old.clear()
    played.slowest = max(played.slowest, (took, seed))
    trial.say(f"  {'; '.join(story + outcomes)}: healthy in {took:.1f} s")


def rest(trial, world):
    """Nobody writes: the two SQLite contents are the same, and the files of both nodes at rest are right."""
    world.end_load()
    world.program.end(world.active(SQLITE))
    cluster = world.cluster
    for database in DATABASES:
        source = world.active(database).wait_copy(lambda copy: copy["state"] == "mounted" and copy["source"]["uncaptured_bytes"] == 0,
                                                  "has captured all", database)
        world.passive(database).wait_copy(lambda copy, commit=source["commit"]: copy["state"] == "healthy" and copy["replayed_commit"] >= commit,
                                          "is caught up", database)
    node = world.passive(SQLITE)
    world.command(node, "suspend", f"{SQLITE}@{node.name}", "--comment", "a look inside")
    node.wait_state(SQLITE, "suspended", 20)
    check_sqlite_copy(trial, world.active(SQLITE), node, SQLITE)
    last = world.active(PAGES).copy(PAGES)["commit"]
    for each in cluster.nodes.values():
        trial.require(f"{each.name} ends with 0", each.end() == 0)
    check_files(trial, cluster)
    for each in cluster.nodes.values():
        check_load_pages(trial, each, PAGES, last + LOAD_CLIENTS, PAGES_SAMPLED)
    trial.say(f"at rest: commit {last} of {PAGES}; both SQLite contents are the same; forced activations lost {world.rows.lost} rows, as they said")


def measure_cuts(trial, world, _played):
    """R12: a cut of 30 s, pulled at either end or deaf in either direction."""
    network = world.cluster.network
    world.start_load()
    for what, begin, end in (("pulled at the passive node", network.down, network.up), ("pulled at the active node", network.down, network.up),
                             ("deaf from the active node", network.lose, network.find), ("deaf from the passive node", network.lose, network.find)):
        name = (world.active if "active" in what else world.passive)(PAGES).name
        begin(name)
        time.sleep(CUT_SECONDS)
        end(name)
        began = time.monotonic()
        for database in DATABASES:
            world.passive(database).wait_state(database, "healthy", 60)
        took = time.monotonic() - began
        trial.check(f"{what} for {CUT_SECONDS} s: healthy {took:.1f} s after", took <= CUT_HEALTHY_SECONDS + MACHINE_SECONDS, f"{took:.1f} s")
    world.check_acknowledged("after the cuts")


def measure_kills(trial, world, played):
    served = played.faults.served
    for node in (world.active(PAGES), world.passive(PAGES)) * 5:
        world.kill(node.name)
        world.start(node.name)
        played.faults.note_served(world, node.name)
        for database in DATABASES:
            world.passive(database).wait_state(database, "healthy", 60)
    trial.say(f"kill -9 to serving: {', '.join(f'{took:.2f}' for took in sorted(served))} s, stated {SERVING_SECONDS} s")


def cluster_of_rounds(trial, play, *arguments):
    databases = [Database(PAGES, "pages", {"generation_size": "256KiB", "commit": "durable"}), Database(SQLITE, "sqlite")]
    with trial.cluster(databases=databases, network=cable, tls=True) as cluster:
        program = cluster.keep(Program(cluster, SQLITE))
        cluster.databases[SQLITE].options = program.options
        cluster.write_config()
        program.make(cluster["alpha"])
        program.boot(cluster["alpha"])
        cluster.start()
        for database in DATABASES:
            cluster["beta"].ask("seed", database=database, node="beta")
            cluster["beta"].wait_state(database, "healthy", 60)
        play(trial, World(trial, cluster, program), *arguments)


def measures(trial, world, played):
    measure_cuts(trial, world, played)
    measure_kills(trial, world, played)


def some_rounds(trial, world, played, count, until_seconds):
    world.start_load()
    for _ in range(count):
        if time.monotonic() > until_seconds:
            break
        play_round(trial, world, played, trial.seed + played.rounds)
    rest(trial, world)


def table(trial, played):
    faults, healing = played.faults, played.healing
    trial.chapter("what the rounds did")
    trial.say(f"{'operation':<12} {'tried':>6} {'fired':>6}")
    for name in Faults.NAMES:
        trial.say(f"{name:<12} {faults.tried[name]:>6} {faults.fired[name]:>6}")
    for cause, count in sorted(healing.acts.items()):
        trial.say(f"a person, {count} times: {cause}")
    for what, times in (("healing", healing.seconds), ("kill -9 to serving", faults.served)):
        if times:
            times.sort()
            trial.say(f"{what}: median {times[len(times) // 2]:.2f} s, worst {times[-1]:.2f} s, {len(times)} times")
    if played.slowest[1] is not None:
        trial.say(f"the slowest healing was that of seed {played.slowest[1]}")
    trial.say(f"counts: rounds {played.rounds}, healed {healing.judged}, operations {sum(faults.tried.values())}, fired {sum(faults.fired.values())}")


def run(trial):
    played = Played()
    count = trial.rounds(short=4, long=100)
    end = time.monotonic() + (SHORT_SECONDS if trial.short else float("inf"))
    if not trial.short and not trial.rounds_asked:
        trial.part("a cut of 30 s, and kill -9", cluster_of_rounds, measures, played)
    try:
        while played.rounds < count and time.monotonic() < end:
            before = (trial.skips, played.rounds)
            some = min(ROUNDS_A_CLUSTER, count - played.rounds)
            trial.part(f"rounds {played.rounds + 1} to {played.rounds + some}", cluster_of_rounds, some_rounds, played, some, end)
            if (trial.skips, played.rounds) != (before[0], before[1]) and trial.skips > before[0] or played.rounds == before[1]:
                break  # this machine cannot, or the cluster does not even begin
    finally:
        if played.rounds:
            table(trial, played)
