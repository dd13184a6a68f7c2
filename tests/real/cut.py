"""A seed whose connections are cut again and again, or whose nodes are killed: it goes on where it was, while the source is written

A proxy before the source resets or hangs all its connections at random bytes, and counts what really passed. Over each stream at most 8
extents come at once: so each cut and each kill may cost these and one more of each stream, each kill of the target a batch more that was
written and not durable, and no more; and it stays one pass. In namespaces the cable itself is pulled. At the end ccr verify says 0.
"""

import re
import time

from cluster import Database, Skipped, until
from network import Cable
from oracle import check_verify
from proxy import Proxy
from trial import mib
from writers import Load

EXTENT_BYTES = 2**20
RESENT_EXTENTS_MAX = 8 + 1  # of each stream: in flight, and one more
BATCH_BYTES = 16 * 2**20  # written and perhaps not durable when the target is killed
OVERHEAD = 0.01  # digests, headers
BUSY_RATE = 4_000_000  # bytes a second that the source is written meanwhile
DONE_SECONDS = 240
DATABASE = "orders"


def fill(trial, cluster, size_mib, database=DATABASE):
    """A page store of this size, each page an image of a load."""
    load = Load(cluster["alpha"], database, pattern="seq", pages=256)
    while load.bytes < size_mib * 2**20:
        time.sleep(0.05)
        trial.require("the database is being filled", load.running)
    load.leave()
    cluster["beta"].wait_opened(database)


def passes(node):
    """The positions from which passes were opened, from the node's log."""
    return re.findall(r"seed_pass_opened from=(\S+)", node.log_path.read_text())


def seed_of(node):
    copy = node.copy(DATABASE)
    return copy["seed"] if copy else None


def wait_seeded(trial, cluster, load):
    beta = cluster["beta"]
    beta.wait_copy(lambda copy: copy["state"] == "healthy", "is seeded", DATABASE, seconds=DONE_SECONDS)
    seed = seed_of(beta)
    trial.require("the source was written all the while", load.running and load.acknowledged > 0)
    load.leave()
    beta.wait_settled(DATABASE)
    check_verify(trial, beta, DATABASE)
    return seed


def filled_bytes(path, page_size=4096):
    """Of the pages that are not zeros, which do not cross."""
    zeros, filled = bytes(page_size), 0
    with open(path, "rb") as file:
        while page := file.read(page_size):
            filled += len(page) if page != zeros else 0
    return filled


def judge(trial, cluster, seed, sent_bytes, cuts, streams=1, slack_bytes=0):
    """`sent_bytes`: what the source sent for seeds, however it was counted."""
    total = seed["total_bytes"]
    filled = filled_bytes(cluster["beta"].database_path(DATABASE))
    again = max(0, sent_bytes - filled)
    allowed = cuts * streams * RESENT_EXTENTS_MAX * EXTENT_BYTES + slack_bytes + int(total * OVERHEAD)
    trial.say(f"{mib(total)}, {mib(filled)} are not zeros: extents sent {seed['extents_sent']}, equal {seed['extents_equal']}, "
              f"wire_bytes {mib(seed['wire_bytes'])}; passed for seeds {mib(sent_bytes)}")
    trial.say(f"sent again: {mib(again)} for {cuts} cuts and kills, {mib(again / max(cuts, 1))} each; allowed {mib(allowed)}")
    trial.check("no more was sent again than what was in flight and one extent each time", again <= allowed, mib(again))
    trial.check("it was one pass all the time", len(set(passes(cluster["beta"]))) == 1, passes(cluster["beta"]))


def faults(trial, size_mib, streams, cuts, hangs, kills):
    """One seed behind a proxy: all connections cut `cuts` times, `hangs` of them by hanging, and each node killed `kills` times."""
    transport = {"compression": "none", "streams": str(streams)}  # a byte is a byte
    with trial.cluster(databases=[Database(DATABASE, "pages")], transport=transport) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        proxy = cluster.keep(Proxy(cluster.network.address("alpha")))
        beta.config_path = cluster.write_config({"alpha": proxy.address}, cluster.directory / "beta.toml")
        cluster.start()
        fill(trial, cluster, size_mib)
        load = Load(alpha, DATABASE, rate=BUSY_RATE)
        total = size_mib * 2**20
        hanging = set(trial.random.sample(range(cuts), hangs))
        marks = sorted(trial.random.sample(range(1, total), cuts))
        proxy.cut_at([(mark, "hang" if place in hanging else "reset") for place, mark in enumerate(marks)])
        began = time.monotonic()
        beta.ask("seed", database=DATABASE, node="beta", detach=True)
        victims = [alpha, beta] * kills
        for mark, victim in zip(sorted(trial.random.sample(range(total // 50, total * 9 // 10), len(victims))), victims):
            until(lambda: proxy.seed_bytes >= mark, DONE_SECONDS, lambda: f"{mib(mark)} passed, {mib(proxy.seed_bytes)} did")
            victim.kill()
            trial.say(f"kill -9 {victim.name} at {mib(proxy.seed_bytes)} passed")
            victim.start()
            if victim is alpha:
                load = write_on(trial, alpha, load)
            beta.wait_copy(lambda copy: copy["state"] in ("seeding", "resynchronizing", "healthy"), "goes on", DATABASE)
        seed = wait_seeded(trial, cluster, load)
        trial.say(f"healthy after {time.monotonic() - began:.1f} s")
        trial.check(f"all {cuts} cuts struck", len(proxy.cuts) == cuts, len(proxy.cuts))
        judge(trial, cluster, seed, proxy.seed_bytes, cuts + len(victims), streams, kills * BATCH_BYTES)


def write_on(trial, alpha, load):
    """After alpha was killed and started."""
    acknowledged = load.leave()
    alpha.wait_state(DATABASE, "mounted")
    commit = alpha.copy(DATABASE)["commit"]
    trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
    return Load(alpha, DATABASE, rate=BUSY_RATE)


def slow_cable(names):
    try:
        return Cable(names, rate="400mbit")
    except OSError as error:
        raise Skipped(f"no network namespaces here: {error}") from error


def cable(trial, size_mib, pulls):
    with trial.cluster(databases=[Database(DATABASE, "pages")], network=slow_cable) as cluster:
        cluster.start()
        fill(trial, cluster, size_mib)
        load = Load(cluster["alpha"], DATABASE, rate=BUSY_RATE)
        cluster["beta"].ask("seed", database=DATABASE, node="beta", detach=True)
        total = size_mib * 2**20
        for mark in sorted(trial.random.sample(range(total // 50, total * 9 // 10), pulls)):
            until(lambda: seed_of(cluster["beta"])["done_bytes"] >= mark, DONE_SECONDS, lambda: f"{mib(mark)} are done")
            end = trial.random.choice(("alpha", "beta"))
            seconds = trial.random.choice((0.5, 3, 8))
            began = time.monotonic()
            cluster.network.down(end)
            time.sleep(seconds)
            cluster.network.up(end)
            done = seed_of(cluster["beta"])["done_bytes"]
            cluster["beta"].wait_copy(lambda copy: copy["seed"]["done_bytes"] > done or copy["state"] == "healthy", "goes on",
                                      DATABASE, seconds=90)
            trial.say(f"the cable was out at {end} for {seconds} s; pages came again {time.monotonic() - began - seconds:.1f} s after")
        seed = wait_seeded(trial, cluster, load)
        judge(trial, cluster, seed, seed["wire_bytes"], pulls)


def run(trial):
    size = 32 if trial.short else 400
    cuts = trial.rounds(short=3, long=20)
    hangs = 0 if trial.short else 2
    kills = 1 if trial.short else 5
    trial.part(f"{mib(size * 2**20)} over one stream, cut {cuts} times, {hangs} of them by hanging", faults, size, 1, cuts, hangs, 0)
    trial.part(f"Over four streams, cut {cuts} times, and kill -9 of each node {kills} times", faults, size, 4, cuts, hangs, kills)
    if not trial.short:
        trial.part("Over one stream, kill -9 of each node", faults, size, 1, 0, 0, 4)
        trial.part("The cable pulled", cable, size, 4)
