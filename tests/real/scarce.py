"""Daemons that run out of descriptors, then out of memory, under load and in a seed: nothing spins, nothing acknowledged is lost

RLIMIT_NOFILE is lowered below what a living daemon has open. What it cannot open it says and tries again; commands and connections wait or are refused; it
takes next to no processor. With the limit raised everything is healthy by itself. RLIMIT_DATA lowered likewise: it goes on with the memory it has, or it
ends with a line that says so, and its next start serves all that was acknowledged.
"""

import contextlib
import os
import resource
import signal
import socket
import time

from cluster import Database, until
from control import Refused, Unreachable
from cut import fill
from oracle import check_all_there
from outages import beside
from writers import Load

DATABASE, OTHER = "orders", "mail"
OPTIONS = {"generation_size": "256KiB"}
RATE = 2_000_000
SHORT_SECONDS = 2
CORE_SHARE_MAX = 0.5
CLIENTS = 8  # that knock at each door meanwhile
HEAL_SECONDS = 40
SEED_MIB = 16
NO_MEMORY = "ccr: out of memory"
NEITHER_IS_ASKED = 1.0  # seconds that a client waits for an answer


def processor_seconds(node):
    with open(f"/proc/{node.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def lowered(node, which, value):
    """A limit of a living process; as it was at the end, where the process is still there."""
    before = resource.prlimit(node.pid, which, (value, resource.prlimit(node.pid, which)[1]))
    try:
        yield
    finally:
        if node.running:
            resource.prlimit(node.pid, which, before)


def knock(node, network):
    """Clients of both doors, who are not answered, or refused."""
    host, port = network.address(node.name).split(":")
    doors = []
    for _ in range(CLIENTS):
        for family, place in ((socket.AF_UNIX, str(node.socket)), (socket.AF_INET, (host, int(port)))):
            client = socket.socket(family)
            client.settimeout(NEITHER_IS_ASKED)
            doors.append(client)
            with contextlib.suppress(OSError):
                client.connect(place)
                client.sendall(b'{"command":"status"}\n')
    return doors


def is_answered(client):
    with contextlib.suppress(OSError):
        return bool(client.recv(1))
    return False


def short_of_descriptors(trial, cluster, node):
    """For a while nothing can be opened there."""
    with lowered(node, resource.RLIMIT_NOFILE, 0):
        began, used = time.monotonic(), processor_seconds(node)
        time.sleep(SHORT_SECONDS / 2)
        doors = knock(node, cluster.network)
        trial.require("a command is not answered while there is no descriptor for it", not is_answered(doors[0]))
        if not trial.short:
            code = node.ccr("status").returncode
            trial.require("ccr status says that the daemon does not answer", code in (3, 6), code)
        time.sleep(SHORT_SECONDS / 2)
        share = (processor_seconds(node) - used) / (time.monotonic() - began)
        for client in doors:
            client.close()
    trial.require(f"{node.name} does not spin", share < CORE_SHARE_MAX, share)
    trial.say(f"{node.name} without descriptors took {share:.1%} of a core")


def all_well(trial, cluster, acknowledged):
    check_all_there(trial, cluster, (DATABASE, OTHER), acknowledged, HEAL_SECONDS)


def two_databases(trial):
    return trial.cluster(databases=[Database(DATABASE, options=OPTIONS), Database(OTHER)])


def descriptors_under_load(trial):
    with two_databases(trial) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        for node in (alpha, beta) * trial.rounds(1, 5):
            load = Load(alpha, rate=RATE, looks=False)
            time.sleep(trial.random.uniform(0.3, 0.8))
            open_before = node.usage()["descriptors"]
            short_of_descriptors(trial, cluster, node)
            began = time.monotonic()
            acknowledged = load.leave()
            all_well(trial, cluster, acknowledged)
            trial.check(f"descriptors of {node.name} under load: {cause_of(node)}; everything is well {time.monotonic() - began:.1f} s later", True)
            until(lambda: node.usage()["descriptors"] <= open_before + 4, HEAL_SECONDS, "no descriptor is left behind")  # noqa: B023
        changes = [line for node in (alpha, beta) for line in node.log_path.read_text().splitlines() if f" {OTHER}@{node.name} state_changed" in line and "EMFILE" in line]
        trial.check("a database at rest needed none", not changes, changes)


def cause_of(node):
    """What it said that it could not open, last; or that it had all it needed."""
    said = [line for line in node.log_path.read_text(errors="replace").splitlines() if "EMFILE" in line]
    return said[-1].split("cause=")[-1].replace(str(node.directory), "") if said else "what was open was enough"


def descriptors_in_a_seed(trial):
    with two_databases(trial) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        fill(trial, cluster, SEED_MIB)
        for node in (alpha, beta) * trial.rounds(1, 5):
            beta.wait_settled(DATABASE, HEAL_SECONDS)
            beta.ask("seed", database=DATABASE, node="beta", full=True, rate_bytes_per_second=SEED_MIB * 2**18, detach=True)
            beta.wait_copy(lambda copy: copy["seed"]["running"] and (copy["seed"]["done_bytes"] or 0) > 2**20, "is seeded in part", DATABASE)
            load = Load(alpha, rate=RATE // 4, looks=False)
            short_of_descriptors(trial, cluster, node)
            acknowledged = load.leave()
            node.wait_serving()
            beta.ccr("seed", f"{DATABASE}@beta", "--rate", "unlimited", "--detach")  # the rest of it faster
            all_well(trial, cluster, acknowledged)
            trial.check(f"descriptors of {node.name} in a seed: the copy is made by itself", True)


# --- memory -------------------------------------------------------------------------------------------------------------------


def memory(trial):
    """Less than it has already; then it is asked for what takes memory."""
    with two_databases(trial) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        ended = 0
        for node in (alpha, beta) * trial.rounds(1, 5):
            load = Load(alpha, rate=RATE, looks=False)
            time.sleep(trial.random.uniform(0.3, 0.8))
            with lowered(node, resource.RLIMIT_DATA, 2**20):
                with contextlib.suppress(Unreachable, Refused, OSError):
                    beta.ask("seed", database=DATABASE, node="beta", full=True, detach=True)
                with contextlib.suppress(Unreachable, Refused, OSError):
                    alpha.ask("load", database=DATABASE, seconds=1, rate_bytes_per_second=0, pattern="seq", transaction_pages=4096)
                time.sleep(0.5)
                acknowledged = load.leave()
                over = not node.running
            if over:
                code = node.wait_exit(1)
                trial.require(f"{node.name} ended without memory, and says so", code == -signal.SIGABRT and NO_MEMORY in "\n".join(node.last_lines(3)),
                              (code, node.last_lines(3)))
                node.start().wait_serving()
                ended += 1
            all_well(trial, cluster, acknowledged)
            trial.check(f"{node.name} without more memory {'ended' if over else 'went on with what it had'}: nothing acknowledged is missing", True)
        trial.check(f"{ended} ended", ended > 0)


def run(trial):
    beside(trial, (descriptors_under_load, descriptors_in_a_seed, memory))
