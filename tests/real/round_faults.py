"""The operations of a round. Each is drawn only where it makes sense by the books, and answers whether it did something.

A node is chosen by what it is (active, passive), not by its name, so a round that is played again alone does the same.
"""

import time
from collections import Counter

from round_world import DATABASES, PAGES, SQLITE

FLAPS_MAX = 6
SERVING_SECONDS = 3  # R12, for a machine that has nothing else to do
MACHINE_SECONDS = 7  # and what a busy one may take on top
FORCE = ("--dial", "force", "--yes")
HOST_CHANCE = 0.4  # of a kill: the application ends with the daemon, as with a host


class Faults:
    """perform() does one operation. `tried` and `fired` count by name; `served` has the seconds from a start behind kill -9 to serving."""

    MORE = ("move", "move", "activate", "activate")  # drawn so much oftener
    NAMES = ("load_on", "load_off", "cut", "one_way", "flap", "mend", "kill", "restart", "freeze", "thaw", "suspend", "resume", "move", "activate",
             "seed", "verify", "go_back")

    def __init__(self):
        self.tried, self.fired = Counter(), Counter()
        self.served = []

    def perform(self, world, random, name=None):
        name = name or random.choice([name for name in self.NAMES + self.MORE if getattr(self, "may_" + name)(world)])
        self.tried[name] += 1
        done = getattr(self, name)(world, random)
        self.fired[name] += bool(done)
        return f"{name} {done}" if done else f"{name} (not now)"

    # --- the load ---

    def may_load_on(self, world):
        return not (world.load and world.load.running) and world.reachable(world.active(PAGES).name)

    def load_on(self, world, _random):
        return world.start_load() and world.active(PAGES).name

    def may_load_off(self, world):
        return world.load is not None

    def load_off(self, world, _random):
        world.wants_load = False
        world.end_load()
        return "orders"

    # --- the cable ---

    def may_cut(self, world):
        return not world.unplugged

    def cut(self, world, random):
        world.unplugged = random.choice(world.cluster.names)
        world.cluster.network.down(world.unplugged)
        return f"at {world.unplugged}"

    def may_one_way(self, world):
        return not world.unplugged and not world.lossy

    def one_way(self, world, random):
        node = random.choice((world.active(PAGES), world.passive(PAGES)))
        world.lossy.add(node.name)
        world.cluster.network.lose(node.name)
        return f"from {node.name}"

    may_flap = may_one_way

    def flap(self, world, random):
        end = random.choice(world.cluster.names)
        times = random.randint(2, FLAPS_MAX)
        for _ in range(times):
            world.cluster.network.down(end)
            time.sleep(random.uniform(0, 0.3))
            world.cluster.network.up(end)
            time.sleep(random.uniform(0, 0.3))
        return f"{times} times at {end}"

    def may_mend(self, world):
        return bool(world.unplugged or world.lossy)

    def mend(self, world, _random):
        world.mend_cable()
        return "the cable"

    # --- the daemons ---

    def may_kill(self, world):
        return not world.dead

    def kill(self, world, random):
        node = random.choice((world.active(PAGES), world.passive(PAGES)))
        if random.random() < HOST_CHANCE:
            world.lose_host(node.name)
            return f"the host of {node.name}"
        world.kill(node.name)
        return node.name

    may_restart = may_kill

    def restart(self, world, random):
        """kill -9, and the service manager starts it again."""
        node = random.choice((world.active(PAGES), world.passive(PAGES)))
        world.kill(node.name)
        world.start(node.name)
        if not world.frozen and not world.unplugged and not world.lossy and not world.gone_back:
            self.note_served(world, node.name)
        return node.name

    def note_served(self, world, name):
        took = world.serving_seconds(name)
        self.served.append(took)
        world.trial.require(f"{name} serves again within {SERVING_SECONDS} s of its start, and what a busy machine takes",
                            took <= SERVING_SECONDS + MACHINE_SECONDS, f"{took:.1f} s")

    def may_freeze(self, world):
        return not world.frozen and len(world.dead) < 2

    def freeze(self, world, random):
        name = random.choice([name for name in world.cluster.names if name not in world.dead])
        world.freeze(name)
        return name

    def may_thaw(self, world):
        return bool(world.frozen)

    def thaw(self, world, _random):
        name = next(iter(world.frozen))
        world.thaw(name)
        return name

    # --- a person's commands ---

    def may_suspend(self, world):
        return any(self.can_ask(world, database) for database in DATABASES)

    def can_ask(self, world, database):
        return database not in world.suspended and world.reachable(world.passive(database).name)

    def suspend(self, world, random):
        database = random.choice([database for database in DATABASES if self.can_ask(world, database)])
        node = world.passive(database)
        if world.command(node, "suspend", f"{database}@{node.name}", "--comment", "round").returncode != 0:
            return None
        world.suspended.add(database)
        return f"{database}@{node.name}"

    def may_resume(self, world):
        return any(world.reachable(world.passive(database).name) for database in world.suspended)

    def resume(self, world, random):
        database = random.choice(sorted(database for database in world.suspended if world.reachable(world.passive(database).name)))
        node = world.passive(database)
        if world.command(node, "resume", f"{database}@{node.name}").returncode != 0:
            return None
        world.suspended.discard(database)
        return f"{database}@{node.name}"

    def may_seed(self, world):
        return any(self.can_ask(world, database) for database in DATABASES)

    def seed(self, world, random):
        database = random.choice([database for database in DATABASES if self.can_ask(world, database)])
        node, full = world.passive(database), random.random() < 0.3
        done = world.command(node, "seed", f"{database}@{node.name}", "--detach", "--yes", *(["--full"] if full else []))
        world.seeded.add((node.name, database))
        return done.returncode == 0 and f"{'--full ' if full else ''}{database}@{node.name}"

    def may_verify(self, world):
        return any(world.reachable(world.passive(database).name) for database in DATABASES)

    def verify(self, world, random):
        """Under way while other things happen."""
        database = random.choice([database for database in DATABASES if world.reachable(world.passive(database).name)])
        node = world.passive(database)
        world.begin(node, "verify", f"{database}@{node.name}")
        return f"{database}@{node.name}"

    def may_move(self, world):
        return all(world.reachable(name) for name in world.cluster.names)

    def move(self, world, random):
        database = random.choice(DATABASES)
        to, asked = world.passive(database).name, random.choice(world.cluster.names)
        if random.random() < 0.3:  # other things happen meanwhile; who is active is asked later
            world.begin(world.cluster[asked], "move", database, "--to", to)
            return f"{database} to {to}, in the background"
        done = world.command(world.cluster[asked], "move", database, "--to", to)
        world.refresh_roles()
        if done.returncode != 0:
            return None
        world.trial.require(f"{database} is on {to} after its move", world.active(database).name == to, world.roles[database])
        if database == PAGES and not world.dead:
            world.check_acknowledged("after a move")
        return f"{database} to {to}"

    def may_activate(self, world):
        return any(self.can_activate(world, database) for database in DATABASES)

    def can_activate(self, world, database):
        # Behind a disk that went back the copy may lack what was acknowledged, and nobody alive knows.
        return world.active(database).name in world.dead and world.reachable(world.passive(database).name) and not world.gone_back

    def activate(self, world, random):
        database = random.choice([database for database in DATABASES if self.can_activate(world, database)])
        node = world.passive(database)
        if world.activate(node, database, *FORCE).returncode != 0:
            return None
        world.suspended.discard(database)
        world.trial.require(f"{database} is on {node.name} after its activation", world.active(database) is node, world.roles[database])
        if database == PAGES:
            world.check_acknowledged("after a forced activation")
        return f"{database} on {node.name}"

    # --- a disk that goes back ---

    def may_go_back(self, world):
        return bool(world.old) and not world.gone_back

    def go_back(self, world, random):
        name, database = random.choice(sorted(world.old))
        if database == SQLITE and (world.active(database).name == name or world.program.running(world.cluster[name])):
            return None  # the application has the file open: tools/trial sqlite-changes
        if any((node, database) in world.seeded for node in world.cluster.names if node != name):
            return None  # while it is seeded the other one is no copy: what this disk alone has would be lost
        if name not in world.dead:
            world.kill(name)
        world.put_back(name, database)
        world.start(name)
        return f"{database}@{name}"
