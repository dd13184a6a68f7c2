"""What the rounds play with: two nodes on a cable, a page store under load, an SQLite database with its application, and what was done to them.

`World` keeps the books: who is dead, frozen, cut off; what `ccr load` said was acknowledged; which commands still run. It asks a frozen node
nothing, since nobody would answer.
"""

import json
import shutil
import signal
import subprocess
import time

from cluster import COMMAND_SECONDS, end_with_parent, until
from control import Refused, Unreachable
from round_program import Rows
from writers import Load

PAGES, SQLITE = "orders", "notes"
DATABASES = (PAGES, SQLITE)
LOAD_BYTES_PER_SECOND = 600_000
HEALTHY_SECONDS = 60  # promise P6, and R12 is stricter about a cut
KNOWN_CODES = (0, 1, 3, 4, 6, 10)  # 10: all pages of a suspended copy are sound, and its root was proven earlier
BACKGROUND_SECONDS = 150  # a verification reads 256 MiB on both nodes, and then waits up to a minute for a root


class World:
    def __init__(self, trial, cluster, program):
        self.trial, self.cluster, self.program = trial, cluster, program
        self.rows = Rows(trial, program)
        self.dead, self.frozen, self.lossy = set(), set(), set()
        self.lost = set()  # of the dead: with their hosts
        self.unplugged = None  # the end at which the cable is down
        self.old = {}  # (node, database): a directory with what the node had of it, at rest
        self.gone_back = set()  # (node, database) of this round
        self.seeded = set()  # (node, database): asked for in this round
        self.suspended = set()  # databases
        self.wants_load = False
        self.load = None
        self.acknowledged = 0
        self.background = []
        self.started = {}  # node: when its daemon was started after a kill
        self.roles = dict.fromkeys(DATABASES, (0, cluster.names[0]))

    # --- who is what ---

    def reachable(self, name):
        return name not in self.dead and name not in self.frozen

    def refresh_roles(self):
        """Who is active, as the highest epoch says that any node knows."""
        for name in filter(self.reachable, self.cluster.names):
            try:
                told = self.cluster[name].status()["databases"]
            except (Unreachable, Refused):
                continue
            for database in told:
                self.roles[database["name"]] = max(self.roles[database["name"]], (database["epoch"] or 0, database["active"]))

    def active(self, database):
        return self.cluster[self.roles[database][1]]

    def passive(self, database):
        return next(node for node in self.cluster.nodes.values() if node.name != self.roles[database][1])

    # --- the load ---

    def start_load(self):
        node = self.active(PAGES)
        self.end_load()
        self.wants_load = True
        if not self.reachable(node.name):
            return False
        try:
            self.load = Load(node, PAGES, rate=LOAD_BYTES_PER_SECOND, looks=False)
        except (Unreachable, TypeError, KeyError):  # no answer, or nothing is known of commits yet
            return False
        return True

    def end_load(self):
        if self.load:
            self.acknowledged = max(self.acknowledged, self.load.leave())
        self.load = None

    def known_acknowledged(self):
        return max(self.acknowledged, self.load.acknowledged if self.load else 0)

    def check_acknowledged(self, when):
        """Who is active has every commit that was answered: `commit = "durable"` answers none that only one node has."""
        known = self.known_acknowledged()
        copy = self.active(PAGES).wait_state(PAGES, "mounted", 20, node=self.active(PAGES).name)
        self.trial.require(f"{when}: no acknowledged commit is missing", copy["commit"] >= known, f"{copy['commit']} < {known}")

    # --- commands that take as long as they take ---

    def begin(self, node, *arguments):
        self.background.append((arguments, subprocess.Popen(node.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                            stderr=subprocess.STDOUT, text=True, preexec_fn=end_with_parent)))

    def collect(self):
        """All of them have ended; whatever they say is a right answer under faults, but silence and a crash are none."""
        outcomes = []
        for arguments, process in self.background:
            try:
                said = process.communicate(timeout=BACKGROUND_SECONDS)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"ccr {' '.join(arguments)} still ran {BACKGROUND_SECONDS} s after the faults ended") from None
            self.trial.require(f"ccr {' '.join(arguments)} ends with a known code", process.returncode in KNOWN_CODES, f"{process.returncode}: {said}")
            outcomes.append((arguments, process.returncode))
        self.background = []
        return outcomes

    def activate(self, node, database, *options):
        """ccr activate DATABASE --on that node, and what it says goes to the books."""
        done = self.command(node, "activate", database, "--on", node.name, *options, "--json")
        if done.returncode == 0:
            if database == SQLITE:
                self.rows.activated(json.loads(done.stdout))
            self.refresh_roles()
        return done

    def command(self, node, *arguments):
        done = node.ccr(*arguments, seconds=min(COMMAND_SECONDS, 2 * BACKGROUND_SECONDS))
        self.trial.require(f"ccr {' '.join(arguments)} ends with a known code", done.returncode in KNOWN_CODES, f"{done.returncode}: {done.stderr}")
        return done

    # --- the daemons ---

    def kill(self, name):
        self.thaw(name)
        self.cluster[name].kill()
        self.dead.add(name)

    def lose_host(self, name):
        """kill -9 of the daemon and of the application."""
        self.kill(name)
        self.program.lose(self.cluster[name])
        self.lost.add(name)

    def start(self, name):
        self.dead.discard(name)
        if name in self.lost:
            self.program.boot(self.cluster[name])
            self.lost.discard(name)
        self.started[name] = time.monotonic()
        self.cluster[name].start()

    def freeze(self, name):
        self.cluster[name].process.send_signal(signal.SIGSTOP)
        self.frozen.add(name)

    def thaw(self, name):
        if name in self.frozen:
            self.cluster[name].process.send_signal(signal.SIGCONT)
            self.frozen.discard(name)

    def serving_seconds(self, name):
        """From the start of a daemon until its socket answers and what is active there serves."""
        node = self.cluster[name]
        node.wait_serving()

        def serves():
            self.refresh_roles()  # a move in the background may end meanwhile
            return all((node.copy(database) or {}).get("state") == "mounted" for database in DATABASES if self.active(database) is node)

        until(serves, HEALTHY_SECONDS, f"what is active on {name} serves")
        return time.monotonic() - self.started.pop(name)

    # --- the cable ---

    def mend_cable(self):
        if self.unplugged:
            self.cluster.network.up(self.unplugged)
        for name in self.lossy:
            self.cluster.network.find(name)
        self.unplugged = None
        self.lossy.clear()

    # --- old directories ---

    def keep_old(self, name, database):
        """What a backup of this node's disk would have: taken while its daemon is down."""
        node = self.cluster[name]
        kept = self.cluster.directory / f"old-{name}-{database}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        assert node.end() == 0, f"{name} does not end with 0"
        programs = database == SQLITE and self.program.running(node)
        if programs:
            self.program.end(node)
        for place in places(node, database):
            if place.exists():
                subprocess.run(["cp", "-a", "--sparse=always", str(place), str(kept)], check=True)
        if programs:
            self.program.boot(node)
        self.old[name, database] = kept
        self.started[name] = time.monotonic()
        node.start()
        self.serving_seconds(name)

    def put_back(self, name, database):
        """The daemon is dead."""
        node, kept = self.cluster[name], self.old.pop((name, database))
        for place in places(node, database):
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
            old = kept / place.name
            if old.exists():
                old.rename(place)
        shutil.rmtree(kept)
        self.gone_back.add((name, database))
        self.roles[database] = (0, self.roles[database][1])  # an epoch that only this node knew of is nobody's now


def places(node, database):
    """Everything that a node has of a database: pages, log, state."""
    pages = [node.directory / f"{database}.db{end}" for end in ("", ".copy", "-wal", "-shm")]
    return [*pages, node.log_directory(database), node.state_dir / database]
