"""Forty SQLite databases on two nodes, all written at once by ordinary programs; and two passive copies of one database

All get healthy and are verified while and after the programs write; the copies are sound and equal by SQLite's own dump. Prints what
the daemons take: memory, threads, descriptors. --rounds N: N databases.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster import Database, end_with_parent
from oracle import check_files, check_sqlite_copy, check_verify
from writers import Load, SqliteWriter

SMALL_WRITER = Path(__file__).resolve().parent / "small_writer.py"
DATABASES_EACH = 8  # of one program
HEALTHY_SECONDS = 120
WRITING_SECONDS = 5


class Programs:
    """Processes that write all databases; ended with the cluster."""

    def __init__(self, paths):
        self._processes = [
            subprocess.Popen([sys.executable, "-B", str(SMALL_WRITER), *map(str, paths[first:first + DATABASES_EACH])],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
            for first in range(0, len(paths), DATABASES_EACH)]
        for process in self._processes:
            assert process.stdout.readline() == "ready\n", "a writer did not begin"

    def end(self):
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        return [json.loads(process.communicate(timeout=30)[0]) for process in self._processes]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
            process.wait()


def say_usage(trial, cluster, when):
    for node in cluster.nodes.values():
        usage = node.usage()
        trial.say(f"{when}: {node.name} {usage['rss'] / 1e6:.1f} MB (peak {usage['peak'] / 1e6:.1f}), {usage['threads']} threads, "
                  f"{usage['descriptors']} descriptors")


def databases(trial, count):
    names = [f"db{number:02}" for number in range(count)]
    with trial.cluster(databases=[Database(name, "sqlite", {"generation_size": "256KiB"}) for name in names]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        programs = cluster.keep(Programs([alpha.database_path(name) for name in names]))
        began = time.monotonic()
        cluster.start()
        trial.say(f"all mounted after {time.monotonic() - began:.1f} s")
        say_usage(trial, cluster, "mounted")
        began = time.monotonic()
        for name in names:
            beta.ask("seed", database=name, node="beta", detach=True)
        for name in names:
            beta.wait_state(name, "healthy", HEALTHY_SECONDS)
        trial.check(f"{count} copies are healthy, {time.monotonic() - began:.1f} s after their seeds were asked for", True)
        time.sleep(WRITING_SECONDS)
        say_usage(trial, cluster, "shipping")
        for node in (alpha, beta):
            refused = node.log_path.read_text().count("connections a second of")
            trial.check(f"{node.name} takes none of the other's connections for a flood", refused == 0, refused)
        behind = max(alpha.copy(name, "beta")["lag_seconds"] or 0 for name in names)
        trial.say(f"largest lag while all are written: {behind:.3f} s")
        for name in names:
            check_verify(trial, beta, name)
        trial.check(f"{count} copies are equal while they are written", True)
        said = programs.end()
        trial.check(f"no program met a lock in {sum(each['transactions'] for each in said)} transactions",
                    sum(each["busy"] for each in said) == 0, said)
        for name in names:
            beta.wait_settled(name, HEALTHY_SECONDS)
            check_verify(trial, beta, name)
            beta.ask("suspend", database=name, node="beta", comment="trial: a look inside")
        for name in names:
            beta.wait_state(name, "suspended", 10)
            check_sqlite_copy(trial, alpha, beta, name)
        trial.check(f"{count} copies are sound, and their dumps are the same as the originals'", True)
        say_usage(trial, cluster, "at rest")
        for node in (beta, alpha):
            began = time.monotonic()
            trial.require(f"{node.name} ends with 0", node.end() == 0)
            trial.say(f"{node.name} ended {time.monotonic() - began:.2f} s after SIGTERM")
        check_files(trial, cluster)


def two_passive(trial, kind):
    with trial.cluster(databases=[Database("orders", kind)], nodes=("alpha", "beta", "gamma")) as cluster:
        alpha, beta, gamma = cluster.nodes.values()
        writer = SqliteWriter(cluster, alpha.database_path("orders"), 10) if kind == "sqlite" else None
        cluster.start()
        load = Load(alpha, rate=4_000_000) if kind == "pages" else None
        for node in (beta, gamma):
            node.ask("seed", database="orders", node=node.name)
            node.wait_state("orders", "healthy", HEALTHY_SECONDS)
            check_verify(trial, node, "orders")
        trial.check("both copies are healthy and equal while the database is written", True)
        beta.kill()
        gamma.ask("suspend", database="orders", node="gamma", comment="trial")
        time.sleep(1)
        beta.start()
        beta.wait_serving()
        gamma.ask("resume", database="orders", node="gamma")
        for node in (beta, gamma):
            node.wait_state("orders", "healthy", HEALTHY_SECONDS)
        if writer:
            writer.end()
        else:
            load.leave()
        for node in (beta, gamma):
            node.wait_settled("orders", HEALTHY_SECONDS)
            check_verify(trial, node, "orders")
        roots = {node.copy("orders")["root"] for node in (alpha, beta, gamma)}
        trial.check("one killed, one suspended for a while: all three have the same root", len(roots) == 1, roots)
        for node in (gamma, beta, alpha):
            trial.require(f"{node.name} ends with 0", node.end() == 0)
        check_files(trial, cluster)


def run(trial):
    count = trial.rounds(short=4, long=40)
    trial.part(f"{count} SQLite databases at once", databases, count)
    if not trial.short:
        trial.part("Two passive copies of a page store", two_passive, "pages")
        trial.part("Two passive copies of an SQLite database", two_passive, "sqlite")
