"""Wrong directories, foreign histories, full disks, garbage on the port, flipped bytes, mistyped commands

Each: a clear error with a hint in status or on stderr, nothing written to what is not ours, nothing lost; and once the cause is
mended the copy gets healthy by itself (or by the command the hint names) and ccr verify says 0. Full disks need root (tmpfs).
"""

import shutil
import time
from contextlib import closing

from cluster import Database, until
from control import Refused
from garbage import Flood, babble, send_samples, trickle
from oracle import check_files, check_verify, open_copy
from small_disk import SmallDisk
from writers import Load, SqliteWriter

DATABASE = "orders"
BROKEN = ("failed", "failed_and_suspended", "dismounted")
HEAL_SECONDS = 60


def wait_broken(trial, node, words, seconds=30):
    """This node's copy does not work; its cause has `words`, and there is a hint."""
    copy = node.wait_copy(lambda copy: copy["state"] in BROKEN, "says that it cannot work", DATABASE, seconds=seconds)
    trial.say(f"{node.name} says {copy['state']}: {copy['cause']} (hint: {copy['hint']})")
    trial.check(f"{node.name} says why, and what to do", words in copy["cause"] and copy["hint"] != "", copy)
    return copy


def heal(trial, cluster, seed=False):
    beta = cluster["beta"]
    cluster["alpha"].wait_state(DATABASE, "mounted", HEAL_SECONDS)
    beta.wait_opened(DATABASE)
    if seed:
        beta.ask("seed", database=DATABASE, node="beta")
    beta.wait_settled(DATABASE, HEAL_SECONDS)
    check_verify(trial, beta, DATABASE)


def seeded(cluster, seconds=1):
    """Alpha has commits, beta a copy."""
    cluster.start().seed()
    load = Load(cluster["alpha"], rate=4_000_000, seconds=seconds)
    load.wait(60)
    cluster["beta"].wait_settled(DATABASE)
    return load.acknowledged


def content(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def finished(directory):
    """Without what a stopped start left half done, which the next one takes away, and files that are ready for log to come, of which a stop may leave none."""
    return {name: bytes_ for name, bytes_ in content(directory).items() if not (name.endswith(".tmp") or name.startswith("spare."))}


def swap(first, second):
    aside = first.with_name(first.name + ".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


# --- directories --------------------------------------------------------------------------------------------------------------


def swapped_logs(trial):
    with trial.cluster() as cluster:
        acknowledged = seeded(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        logs = [node.log_directory(DATABASE) for node in (alpha, beta)]
        for node in (alpha, beta):
            node.end()
        swap(*logs)
        before = [content(directory) for directory in logs]
        for node in (alpha, beta):
            node.start().wait_serving()
            wait_broken(trial, node, "")
        for node in (alpha, beta):
            node.end()
        trial.check("neither wrote a byte into the other's log", [content(directory) for directory in logs] == before)
        swap(*logs)
        cluster.start()
        heal(trial, cluster)
        trial.check("put right, nothing is lost", alpha.copy(DATABASE)["commit"] >= acknowledged)


def swapped_databases(trial):
    with trial.cluster(databases=[Database("orders"), Database("mail")]) as cluster:
        cluster.start().seed()
        beta = cluster["beta"]
        for name in ("orders", "mail"):
            Load(cluster["alpha"], name, rate=4_000_000, seconds=1).wait(30)
            beta.wait_settled(name)
        beta.end()
        swap(beta.log_directory("orders"), beta.log_directory("mail"))
        beta.start().wait_serving()
        for name in ("orders", "mail"):
            copy = beta.wait_copy(lambda copy: copy["state"] in BROKEN, "is refused", name)
            trial.check(f"{name} finds the log of the other: {copy['cause'][:120]}", copy["hint"] != "", copy)
        beta.end()
        swap(beta.log_directory("orders"), beta.log_directory("mail"))
        beta.start().wait_serving()
        for name in ("orders", "mail"):
            beta.wait_settled(name)
            check_verify(trial, beta, name)
        trial.check("put right, both are healthy and equal", True)


def swapped_pages(trial):
    """The page files of two databases are exchanged on the passive node: nothing marks them, their content has to tell."""
    with trial.cluster(databases=[Database("orders"), Database("mail")]) as cluster:
        cluster.start().seed()
        beta = cluster["beta"]
        for name in ("orders", "mail"):
            Load(cluster["alpha"], name, rate=4_000_000, seconds=1).wait(30)
            beta.wait_settled(name)
        beta.end()
        swap(beta.database_path("orders"), beta.database_path("mail"))
        beta.start().wait_serving()
        for name in ("orders", "mail"):
            beta.wait_opened(name)
            done = beta.ccr("verify", f"{name}@beta", "--json")
            trial.check(f"verify of {name} does not say 0 ({done.returncode})", done.returncode in (4, 5), done)
            beta.ask("seed", database=name, node="beta")
            beta.wait_settled(name, HEAL_SECONDS)
            check_verify(trial, beta, name)
        trial.check("a seed makes both right", True)


def emptied(trial):
    """An empty mount: a directory is there, with nothing in it."""
    with trial.cluster() as cluster:
        acknowledged = seeded(cluster)
        for name in ("beta", "alpha"):
            node = cluster[name]
            for directory in (node.log_directory(DATABASE), node.state_dir / DATABASE):
                node.end()
                aside = directory.with_name(directory.name + ".aside")
                directory.rename(aside)
                directory.mkdir(mode=0o700)
                node.start().wait_serving()
                wait_broken(trial, node, str(directory))
                node.end()
                trial.check(f"nothing was written into the empty {directory.name}", content(directory) == {}, list(content(directory)))
                shutil.rmtree(directory)
                aside.rename(directory)
                node.start().wait_serving()
                heal(trial, cluster)
        trial.check("put right, nothing is lost", cluster["alpha"].copy(DATABASE)["commit"] >= acknowledged)


def lost_pages(trial):
    """The page file is gone while the daemon is down."""
    with trial.cluster() as cluster:
        acknowledged = seeded(cluster)
        beta, alpha = cluster["beta"], cluster["alpha"]
        beta.end()
        beta.database_path(DATABASE).unlink()
        beta.start().wait_serving()
        copy = beta.wait_state(DATABASE, "failed")
        trial.say(f"beta without its page file: {copy['state']}: {copy['cause']} (hint: {copy['hint']})")
        done = beta.ccr("verify", f"{DATABASE}@beta", "--json")
        trial.check(f"beta does not pass for equal ({done.returncode})", done.returncode != 0, done)
        heal(trial, cluster, seed=True)
        alpha.end()
        path = alpha.database_path(DATABASE)
        path.rename(path.with_name("aside"))
        alpha.start().wait_serving()
        wait_broken(trial, alpha, str(path))
        alpha.end()
        path.unlink(missing_ok=True)
        path.with_name("aside").rename(path)
        alpha.start().wait_serving()
        heal(trial, cluster)
        trial.check("put right, nothing is lost", alpha.copy(DATABASE)["commit"] >= acknowledged)


def foreign_history(trial):
    """Beta comes back to another alpha: the same names, another signature."""
    with trial.cluster() as cluster:
        seeded(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        old = alpha.copy(DATABASE)["root"]
        for node in (beta, alpha):
            node.end()
        kept = finished(beta.log_directory(DATABASE))
        shutil.rmtree(alpha.directory)
        alpha.directory.mkdir()
        alpha.start().wait_serving()
        alpha.wait_state(DATABASE, "mounted")
        Load(alpha, rate=4_000_000, seconds=1).wait(30)
        beta.start().wait_serving()
        copy = beta.wait_copy(lambda copy: copy["state"] in ("failed_and_suspended", "needs_seed", "failed"), "is no copy of this", DATABASE)
        trial.say(f"beta says {copy['state']}: {copy['cause']} (hint: {copy['hint']})")
        trial.check("beta says that the history is another, and names the command", "ccr seed" in copy["hint"], copy)
        beta.end()
        now = finished(beta.log_directory(DATABASE))
        trial.check("its own log is untouched", now == kept, sorted(set(now) ^ set(kept)))
        beta.start().wait_serving()
        heal(trial, cluster, seed=True)
        trial.check("a seed makes it a copy of the new one", alpha.copy(DATABASE)["root"] not in (None, old))


# --- full disks ---------------------------------------------------------------------------------------------------------------


def full_log_of_active(trial):
    with trial.cluster(databases=[Database(DATABASE, options={"log_budget": "64MiB"})]) as cluster:
        disk = cluster.keep(SmallDisk(16))
        alpha, beta = cluster["alpha"], cluster["beta"]
        disk.move_to(alpha.log_directory(DATABASE))
        acknowledged = seeded(cluster)
        beta.ask("suspend", database=DATABASE, node="beta", comment="so that log stays")
        load = Load(alpha, seconds=30)
        copy = wait_broken(trial, alpha, "No space", seconds=30)
        acknowledged = max(acknowledged, load.leave())
        trial.say(f"acknowledged until then: {acknowledged}")
        trial.require("nothing is said that is not so", copy["state"] != "mounted")
        disk.resize(128)
        alpha.wait_state(DATABASE, "mounted", HEAL_SECONDS)
        trial.check("with room it mounts by itself; nothing acknowledged is lost", alpha.copy(DATABASE)["commit"] >= acknowledged,
                    alpha.copy(DATABASE)["commit"])
        beta.ask("resume", database=DATABASE, node="beta")
        heal(trial, cluster)
        for node in (beta, alpha):
            node.end()
        check_files(trial, cluster)


def full_passive(trial, which):
    """`which`: the passive copy's "log" or its "pages"."""
    with trial.cluster() as cluster:
        disk = cluster.keep(SmallDisk(10))
        alpha, beta = cluster["alpha"], cluster["beta"]
        if which == "log":
            disk.move_to(beta.log_directory(DATABASE))
        else:
            disk.move_to(beta.directory / "pages")
            text = (cluster.directory / "ccr.toml").read_text().replace(f"{{node}}/{DATABASE}.db", f"{{node}}/pages/{DATABASE}.db")
            beta.config_path = cluster.directory / "beta.toml"
            beta.config_path.write_text(text)
        cluster.start().seed()
        if which == "log":
            beta.ask("suspend", database=DATABASE, node="beta", comment="so that log piles up")
            Load(alpha, rate=20_000_000, seconds=1.5).wait(30)
            disk.fill()
            beta.ask("resume", database=DATABASE, node="beta")
        load = Load(alpha, pattern="seq", rate=10_000_000)
        copy = wait_broken(trial, beta, "No space")
        before = load.acknowledged
        until(lambda: load.acknowledged > before, HEAL_SECONDS, "alpha goes on meanwhile")
        trial.check("alpha goes on meanwhile", load.running and load.acknowledged > before, load.acknowledged)
        trial.require("it is tried again, not given up", copy["state"] == "failed", copy)
        disk.resize(400)
        load.leave()
        heal(trial, cluster)
        trial.check("with room it becomes healthy by itself", True)


# --- content ------------------------------------------------------------------------------------------------------------------


def flipped_byte(trial):
    with trial.cluster(databases=[Database(DATABASE, "sqlite")]) as cluster:
        writer = SqliteWriter(cluster, cluster["alpha"].database_path(DATABASE), 20)
        cluster.start()
        alpha, beta = cluster["alpha"], cluster["beta"]
        beta.ask("seed", database=DATABASE, node="beta")
        beta.wait_state(DATABASE, "healthy", HEAL_SECONDS)
        writer.end()
        beta.wait_settled(DATABASE)

        def flip(page):
            with open(beta.database_path(DATABASE), "r+b") as file:
                file.seek((page - 1) * 4096 + 100)
                byte = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([byte[0] ^ 0x10]))
            return page

        page = flip(trial.random.randint(1000, 2000))
        found = beta.json("verify", f"{DATABASE}@beta", code=5)
        trial.check(f"ccr verify: 5, with page {page}, which it repaired", found["copy"]["differing_pages"] == [page] == found["repaired_pages"]
                    and not found["equal"], found)
        page = flip(trial.random.randint(2000, 3000))
        text = beta.ccr("verify", f"{DATABASE}@beta")
        trial.say("; ".join(line.strip() for line in (text.stdout + text.stderr).splitlines() if line.strip()))
        trial.check("as text with the page and a hint", text.returncode == 5 and str(page) in text.stdout + text.stderr
                    and "repaired from another copy" in text.stdout and "hint: look at this disk" in text.stdout + text.stderr, text)
        flip(trial.random.randint(3000, 4000))
        beta.ask("seed", database=DATABASE, node="beta", reread=True)
        beta.wait_settled(DATABASE, HEAL_SECONDS)
        seed = beta.copy(DATABASE)["seed"]
        trial.check(f"ccr seed --reread repairs by difference: {seed['extents_sent']} extents sent, {seed['extents_equal']} equal, "
                    f"{seed['wire_bytes']} bytes", seed["extents_sent"] == 1 and seed["wire_bytes"] < 2**20, seed)
        check_verify(trial, beta, DATABASE)
        beta.ask("suspend", database=DATABASE, node="beta", comment="trial: a look inside")
        beta.wait_state(DATABASE, "suspended", 10)
        with open_copy(beta.database_path(DATABASE)) as copy, closing(copy.execute("PRAGMA integrity_check")) as rows:
            trial.check("SQLite finds the copy sound", rows.fetchall() == [("ok",)])
        trial.require("alpha never noticed", alpha.copy(DATABASE)["state"] == "mounted")


# --- the port -----------------------------------------------------------------------------------------------------------------


def garbage(trial):
    with trial.cluster() as cluster:
        seeded(cluster)
        alpha, beta = cluster["alpha"], cluster["beta"]
        load = Load(alpha, rate=4_000_000)
        before = alpha.usage()
        quiet = shipped(beta, 4)
        host, port = cluster.network.address("alpha").split(":")
        place = (host, int(port))
        trial.check("refused without harm: " + ", ".join(send_samples(trial.random, place)), alpha.running)
        with Flood(place, 200, trial.random, kinds=(babble,)):
            with trickle(place, 40):
                busy = shipped(beta, 4)
                copy = beta.copy(DATABASE)
                trial.check(f"shipping goes on during a flood: {busy / quiet:.0%} of the commits without one",
                            busy >= 0.8 * quiet and copy["state"] == "healthy", f"{busy} of {quiet}, {copy['state']}")
                usage = alpha.usage()
                trial.say(f"alpha during it: {usage['descriptors']} descriptors ({before['descriptors']} before), "
                          f"{usage['rss'] / 1e6:.1f} MB ({before['rss'] / 1e6:.1f})")
                trial.check("the limit of greetings holds", usage["descriptors"] <= before["descriptors"] + 40, usage)
                beta.kill()
                began = time.monotonic()
                beta.start().wait_serving()
                beta.wait_state(DATABASE, "healthy", HEAL_SECONDS)
                trial.check(f"beta comes in again during the flood, {time.monotonic() - began:.1f} s after its start", True)
        load.leave()
        heal(trial, cluster)
        until(lambda: alpha.usage()["descriptors"] <= before["descriptors"] + 2, HEAL_SECONDS, "no descriptor is left behind")
        after = alpha.usage()
        trial.check(f"no descriptor is left behind ({after['descriptors']})", after["descriptors"] <= before["descriptors"] + 2, after)


def shipped(beta, seconds):
    """Commits replayed on beta in this time."""
    first = beta.copy(DATABASE)["replayed_commit"]
    time.sleep(seconds)
    return beta.copy(DATABASE)["replayed_commit"] - first


# --- words --------------------------------------------------------------------------------------------------------------------


def configuration(trial):
    with trial.cluster() as cluster:
        good = cluster["alpha"].config_path.read_text()
        for words, text, place in (("an unknown key", good.replace('kind = "pages"', 'knid = "pages"'), ":11:1: "),
                                   ("a wrong type", good.replace('"pages"', "7"), ":11:8: "),
                                   ("no TOML", good.replace('kind = "pages"', 'kind = "pages'), ":11:"),
                                   ("an unknown table", good + "\n[transprot]\n", ":16:"),
                                   ("a path twice", good.replace("orders-log", "orders.db"), ":13:")):
            cluster["alpha"].config_path.write_text(text)
            for command in (("config", "check"), ("serve",)):
                done = cluster["alpha"].ccr(*command)
                trial.check(f"{words}, ccr {' '.join(command)}: {done.stderr.splitlines()[0].split('/')[-1]}",
                            done.returncode == 2 and "ccr.toml" + place in done.stderr, done)
        trial.check("and nothing was made", not cluster["alpha"].state_dir.exists())


def commands(trial):
    with trial.cluster() as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        def expect(node, code, *words):
            answers(trial, node, code, *words)

        expect(alpha, 3, "status")  # the daemon is down: from the state files, and said so
        expect(alpha, 3, "seed", "orders@beta")
        cluster.start()
        expect(alpha, 0, "--help")
        expect(alpha, 0, "seed", "--help")
        expect(alpha, 0, "version", "--json")
        expect(alpha, 2)
        expect(alpha, 2, "stauts")
        expect(alpha, 2, "status", "--jsno")
        expect(alpha, 2, "log", "shwo")
        expect(alpha, 2, "seed")
        expect(beta, 2, "seed", "ordesr@beta")
        expect(beta, 2, "suspend", "orders@gamma")
        expect(alpha, 3, "seed", "orders@beta")  # commanded at beta
        expect(alpha, 4, "suspend", "orders@alpha")  # the active copy
        expect(beta, 4, "verify", "orders@beta")  # not seeded
        expect(beta, 2, "wait", "orders@beta", "--for", "helthy")
        expect(beta, 2, "wait", "orders@beta", "--timeout", "soon")
        expect(beta, 6, "wait", "orders@beta", "--timeout", "300ms")
        expect(alpha, 2, "load", "orders", "--rate", "fast")
        expect(beta, 3, "load", "orders", "--rate", "1MB/s")
        expect(alpha, 2, "log", "show", "/nowhere")
        expect(alpha, 2, "log", "verify", "/nowhere")
        expect(beta, 0, "seed", "orders@beta", "--dry-run")
        expect(beta, 0, "seed", "orders@beta")
        expect(beta, 0, "wait", "orders@beta")
        expect(beta, 0, "suspend", "orders@beta", "--comment", "twice")
        expect(beta, 0, "suspend", "orders@beta", "--comment", "twice")
        expect(beta, 0, "resume", "orders@beta")
        expect(beta, 0, "resume", "orders@beta")
        try:
            beta.ask("no_such_command")
            trial.check("the control socket refuses what it does not know", False)
        except Refused as refused:
            trial.check(f"the control socket refuses what it does not know: {refused.kind}", refused.kind == "usage")


def answers(trial, node, code, *words):
    done = node.ccr(*words, seconds=30)
    said = (done.stderr or done.stdout).strip().splitlines()
    trial.check(f"{code:>3}  ccr {' '.join(words)}: {said[0][:100] if said else ''}", done.returncode == code, done)
    trial.require("an error says something", code in (0, 10) or bool(said), done)


PARTS = (
    ("The logs of alpha and beta exchanged", swapped_logs, ()),
    ("The logs of two databases exchanged", swapped_databases, ()),
    ("The page files of two databases exchanged", swapped_pages, ()),
    ("Empty mounts", emptied, ()),
    ("A lost page file", lost_pages, ()),
    ("Another history", foreign_history, ()),
    ("The active copy's log directory is full", full_log_of_active, ()),
    ("The passive copy's log directory is full", full_passive, ("log",)),
    ("The passive copy's page file cannot grow", full_passive, ("pages",)),
    ("A flipped byte in an SQLite copy", flipped_byte, ()),
    ("Garbage on the port", garbage, ()),
    ("A wrong configuration", configuration, ()),
    ("Wrong commands", commands, ()),
)
SHORT = (swapped_logs, emptied, flipped_byte, configuration, commands)


def run(trial):
    for words, play, arguments in PARTS:
        if not trial.short or play in SHORT:
            trial.part(words, play, *arguments)
