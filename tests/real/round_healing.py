"""How a round ends: the faults are taken away, and everything must become healthy; then it is judged.

Where FAULTS.md leaves a decision to a person the trial plays one: it types what the hint names, first the first command of it, and counts it.
"""

import re
import time
from collections import Counter

from cluster import REFUSED, until
from control import Refused, Unreachable
from oracle import check_verify, open_copy
from round_world import DATABASES, HEALTHY_SECONDS, PAGES, SQLITE

ACTS_MAX = 8  # of a person, in one round
AGAIN_SECONDS = 3  # a person looks again before typing the same
BACKLOG_BYTES_PER_SECOND = 20_000_000  # a slow estimate: a seed's pages count as backlog too
STATES_OF_A_PERSON = ("needs_seed", "failed_and_suspended", "dismounted", "suspended", "failed", "disconnected")


def first_command(copy):
    """The command that a copy's hint names, as words behind `ccr`; None where it names none that mends. For NODE: who has more, as the cause says."""
    more = re.search(r"@(\w+) has it to", copy["cause"])
    hint = copy["hint"].replace("NODE", more.group(1) if more else "NODE")
    found = re.search(r"`(ccr [^`]+)`", hint) or re.search(r"(ccr activate \S+ --on \w+(?: --dial force)?|ccr (?:resume|seed) \S+)", hint)
    words = found.group(1).rstrip(",;.").split()[1:] if found else []
    return words if words and words[0] in ("activate", "resume", "seed") and "NODE" not in words else None


class Healing:
    def __init__(self):
        self.seconds = []
        self.acts = Counter()  # of a person, by cause
        self.waits = False  # the last act was refused because a handover is under way: it ends by itself, and a person tries again
        self.judged = 0

    def end_faults(self, world):
        for name in sorted(world.frozen):
            world.thaw(name)
        world.mend_cable()
        for name in sorted(world.dead):
            world.start(name)
        for node in world.cluster.nodes.values():
            node.wait_serving()
        world.started.clear()

    def heal(self, world):
        self.end_faults(world)
        began = time.monotonic()
        self.nurse(world, began)
        outcomes = world.collect()
        self.nurse(world, time.monotonic())  # a move may have come into force only now
        took = time.monotonic() - began
        self.seconds.append(took)
        return took, [f"{' '.join(arguments)}: {code}" for arguments, code in outcomes]

    def nurse(self, world, began):
        """Everything healthy, and at one moment caught up; a person helps where that is needed."""
        acts, typed, targets = 0, {}, {}
        end = began + HEALTHY_SECONDS + sum(self.pages_bytes(world)) / BACKLOG_BYTES_PER_SECOND
        while True:
            world.refresh_roles()
            missing = [each for each in (self.unwell(world, database, targets) for database in DATABASES) if each]
            if not missing:
                break
            if time.monotonic() > end:
                raise AssertionError(f"not healthy within {HEALTHY_SECONDS} s: {missing}")
            if acts < ACTS_MAX and any([self.help(world, typed, database) for database in DATABASES]):
                acts += not self.waits
                end = max(end, time.monotonic() + HEALTHY_SECONDS)  # from a person's act on, the time counts again
            time.sleep(0.1)
        world.suspended.clear()
        if world.wants_load and not (world.load and world.load.running):
            world.start_load()

    def pages_bytes(self, world):
        for database in DATABASES:
            yield sum(node.database_path(database).stat().st_blocks * 512 for node in world.cluster.nodes.values() if node.database_path(database).exists())

    def unwell(self, world, database, targets):
        """What is not as it should be, or nothing; `targets`: the commits that copies must reach."""
        active, passive = world.active(database), world.passive(database)
        here, there = active.copy(database), passive.copy(database)
        if not here or not there:
            return f"{database}: no answer"
        if here["state"] != "mounted" or here["role"] != "active":
            return f"{database}@{active.name} is {here['state']}: {here['cause']}; {here['hint']}"
        if there["state"] != "healthy" or there["role"] != "passive":
            return f"{database}@{passive.name} is {there['state']}: {there['cause']}; {there['hint']}"
        target = targets.setdefault((database, world.roles[database]), here["commit"] or 0)  # a disk that others use follows no load that goes on
        if (there["replayed_commit"] or 0) < target:
            return f"{database}@{passive.name} has commit {there['replayed_commit']}, not yet {target}"
        if database == SQLITE and (not world.program.running(active) or world.program.running(passive)):
            return f"the application of {database} does not run on {active.name} alone"
        return None

    def help(self, world, typed, database):
        """What a person would type now, if anything. The first time something is seen it may mend by itself."""
        for node in (world.active(database), world.passive(database)):
            copy = node.copy(database)
            if not copy or copy["state"] not in STATES_OF_A_PERSON:
                continue
            subject = f"{database}@{node.name}"
            words = ["resume", subject] if copy["state"] == "suspended" and not copy["cause"] else first_command(copy)
            if not words and self.nobody_is_active(world, database):
                if (node.name, database) in world.gone_back:
                    continue
                words = ["activate", database, "--on", node.name]  # no hint says so
            if not words:
                continue
            seen, count = typed.get((subject, tuple(words)), (None, 0))
            if seen is None or time.monotonic() - seen < AGAIN_SECONDS:
                if seen is None:
                    first_look = time.monotonic() - AGAIN_SECONDS + 0.5
                    typed[subject, tuple(words)] = (first_look, 0)
                continue
            typed[subject, tuple(words)] = (time.monotonic(), count + 1)
            if database in world.suspended and copy["state"] == "suspended" and words[0] == "resume":
                self.acts["(suspended by the round, resumed)"] += count == 0
            else:
                self.acts[f"{copy['state']} {copy['cause'].split(':')[0][:60]}"] += 1
                world.trial.say(f"a person at {subject}, which is {copy['state']} ({copy['cause']}): ccr {' '.join(words)}")
            self.type(world, node, words)
            return True
        return False

    def nobody_is_active(self, world, database):
        """Each node takes the other one for the active one, and nothing tells a person what to type."""
        copies = [node.copy(database) or {} for node in world.cluster.nodes.values()]
        return all(copy.get("role") == "passive" and "is not the active copy" in copy.get("cause", "") for copy in copies)

    def type(self, world, node, words):
        if words[0] == "activate":
            node = world.cluster[words[words.index("--on") + 1]]
            done = world.activate(node, words[1], *(["--dial", "force", "--yes"] if "force" in words else []))
        elif words[0] == "seed":
            done = world.command(node, *words, "--detach", "--yes")
        else:
            done = world.command(node, *words)
        self.waits = done.returncode == REFUSED and "is under way" in done.stderr
        if done.returncode != 0:
            world.trial.say(f"ccr {' '.join(words)}: {done.returncode}: {done.stderr.strip()[:300]}")
        elif words[0] == "activate" and words[1] == PAGES:
            world.check_acknowledged(f"after ccr {' '.join(words)}")

    # --- the judgement ---

    def judge(self, world):
        """No acknowledged commit is missing, new ones are acknowledged, every page is equal, and SQLite finds its copy sound."""
        world.check_acknowledged("after healing")
        self.writes_again(world)
        for database in DATABASES:
            passive = world.passive(database)
            check_verify(world.trial, passive, database)
        self.look_inside(world)
        world.gone_back.clear()
        world.seeded.clear()
        self.judged += 1

    def writes_again(self, world):
        before = world.known_acknowledged()
        wanted = world.wants_load
        if not world.load or not world.load.running:
            until(world.start_load, 10, "a load begins")
        until(lambda: world.known_acknowledged() > before, 10, lambda: f"commits are acknowledged again; found {world.active(PAGES).copy(PAGES)}")
        active = world.active(SQLITE)
        rows = world.rows.check(world, active, "after healing")
        until(lambda: world.rows.check(world, active, "while it writes") > rows, 20, f"the application of {SQLITE} writes on {active.name}")
        if not wanted:
            world.wants_load = False
            world.end_load()

    def look_inside(self, world):
        node = world.passive(SQLITE)
        subject = f"{SQLITE}@{node.name}"
        world.trial.require("the copy is suspended for a look", world.command(node, "suspend", subject, "--comment", "a look inside").returncode == 0)
        node.wait_state(SQLITE, "suspended", 20)
        with open_copy(node.database_path(SQLITE)) as copy:
            sound = copy.execute("PRAGMA integrity_check").fetchall()
        world.trial.require(f"PRAGMA integrity_check of {subject} says ok", sound == [("ok",)], sound[:3])
        world.trial.require("and resumed", world.command(node, "resume", subject).returncode == 0)
        node.wait_state(SQLITE, "healthy", HEALTHY_SECONDS)


def standing(world):
    """What each reachable node says of its copies, for whoever reads of a failure."""
    lines = []
    for name in filter(world.reachable, world.cluster.names):
        for database in DATABASES:
            try:
                copy = world.cluster[name].copy(database) or {}
            except (Unreachable, Refused):
                copy = {}
            lines.append(f"{database}@{name}: {copy.get('role')} {copy.get('state')} commit {copy.get('commit')} replayed {copy.get('replayed_commit')}; "
                         f"{copy.get('cause')}; {copy.get('hint')}")
    return lines
