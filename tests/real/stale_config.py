"""One node is started with the configuration of before: other copies, no such database, another order, generation size or address

Roles and what was acknowledged are durable beside the copies, not in the file, so an old file can take connections away, but nothing else: never two nodes
serve, no commit is missing, nothing that contradicts the other node's file is begun, both `ccr check` say that the files differ, and with the right file
everything is well by itself, or by the seed that a copy asks for, where its log was let go of meanwhile. A node that had moved its role away and forgot its
copy serves nothing when the old file comes back.
"""

import time

from cluster import Database, until
from either_active import serving
from membership import own_files
from oracle import check_verify
from outages import beside
from writers import Load

DATABASE, OTHER = "orders", "mail"
OPTIONS = {"generation_size": "256KiB"}
RATE = 2_000_000
SECONDS = 30
STALE_SECONDS = 1.2
CHECK_FAILED = 11
REFUSED = (2, 4)  # of a command that the file or a rule says no to


def without_copy(text):
    return text.replace('copies = ["alpha", "beta"]', 'copies = ["alpha"]', 1)


def without_database(text):
    return text[:text.index(f"[databases.{DATABASE}]")] + text[text.index(f"[databases.{OTHER}]"):]


def other_order(text):
    return text.replace('copies = ["alpha", "beta"]', 'copies = ["beta", "alpha"]')


def other_generations(text):
    return text.replace(OPTIONS["generation_size"], "512KiB")


def other_address(text):
    first = text.index('addresses = ["') + len('addresses = ["')
    return text[:first] + "127.0.0.1:9" + text[text.index('"', first):]


CHANGES = ((without_copy, True), (without_database, True), (other_order, False), (other_generations, False), (other_address, False))  # parts them for sure


def restart(node, text):
    assert node.end() == 0, f"{node.name} ends with 0"
    node.config_path.write_text(text)
    node.start().wait_serving()


def one_at_most(trial, cluster, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = serving(cluster, DATABASE)
        trial.require("not two serve", len(now) < 2, now)
        time.sleep(0.02)


def both_say_so(trial, cluster):
    def differ():
        return all(peer["configuration_equal"] is False for node in cluster.nodes.values() for peer in node.status()["peers"])
    until(differ, SECONDS, lambda: f"both say that their files differ: {[node.status()['peers'] for node in cluster.nodes.values()]}")
    for node in cluster.nodes.values():
        done = node.ccr("check")
        trial.require(f"ccr check on {node.name} says so", done.returncode == CHECK_FAILED and "not the same as here" in done.stdout, done.stdout)


def contradicted(trial, cluster, stale):
    """What one file says and the other denies is not begun."""
    alpha, beta = cluster["alpha"], cluster["beta"]
    move = alpha.ccr("move", DATABASE, "--to", "beta")
    trial.require("a move is refused", move.returncode in REFUSED and move.stderr != "", move)
    take = beta.ccr("activate", DATABASE, "--on", "beta", "--dial", "best")
    trial.require("an activation is refused", take.returncode in REFUSED and take.stderr != "", take)
    before = beta.log_path.read_text(errors="replace").count("seed_pass_opened orders@beta")
    beta.ccr("seed", f"{DATABASE}@beta", "--detach")  # refused, or it waits for alpha and says so
    time.sleep(0.3)
    trial.require("no seed begins", beta.log_path.read_text(errors="replace").count("seed_pass_opened orders@beta") == before)
    if stale is alpha:
        copy = beta.copy(DATABASE)
        trial.require("the copy says what its active node's file says", "by the configuration of alpha" in copy["cause"] and "ccr add" in copy["hint"], copy)


def well(trial, cluster, acknowledged):
    alpha, beta = cluster["alpha"], cluster["beta"]
    alpha.wait_state(DATABASE, "mounted", SECONDS)
    commit = alpha.copy(DATABASE)["commit"]
    trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
    copy = beta.wait_copy(lambda copy: copy["state"] in ("healthy", "needs_seed", "failed_and_suspended") or "ccr seed" in copy["hint"], "is well or asks for a seed",
                          DATABASE, seconds=SECONDS)
    asked = copy["state"] != "healthy"
    if asked:
        trial.require("a seed is named", "ccr seed" in copy["hint"], copy)
        beta.ask("seed", database=DATABASE, node="beta")
    for database in (DATABASE, OTHER):
        beta.wait_settled(database, SECONDS)
    check_verify(trial, beta, DATABASE)
    for node in cluster.nodes.values():
        until(lambda: all(peer["configuration_equal"] for peer in node.status()["peers"]), SECONDS, "the files are the same")  # noqa: B023
    return "by the seed that it asked for" if asked else "by itself"


def other_files(trial):
    with trial.cluster(databases=[Database(DATABASE, options=OPTIONS), Database(OTHER)]) as cluster:
        own_files(cluster)
        cluster.start().seed()
        for change, parts in CHANGES:
            for name in (trial.random.choice(("beta", "alpha")),) if trial.short and change is not without_copy else ("beta", "alpha"):
                stale = cluster[name]
                right = stale.config_path.read_text()
                trial.require("it is another file", change(right) != right)
                load = Load(cluster["alpha"], rate=RATE, seconds=60)
                time.sleep(0.2)
                restart(stale, change(right))
                one_at_most(trial, cluster, STALE_SECONDS)
                if change is not other_address:
                    both_say_so(trial, cluster)
                if parts:
                    contradicted(trial, cluster, stale)
                acknowledged = load.leave()
                restart(stale, right)
                how = well(trial, cluster, acknowledged)
                trial.check(f"{name} with {change.__name__.replace('_', ' ')}: nothing served twice, nothing lost; with the right file well {how}", True)


def role_moved_away(trial):
    """Alpha handed its role over and forgot its copy; then it starts with the file of before."""
    with trial.cluster(databases=[Database(DATABASE, options=OPTIONS), Database(OTHER)]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        own_files(cluster)
        cluster.start().seed()
        old = alpha.config_path.read_text()
        Load(alpha, rate=RATE, seconds=0.5).wait(SECONDS)
        alpha.json("move", DATABASE, "--to", "beta")
        beta.wait_state(DATABASE, "mounted", SECONDS)
        for node in (alpha, beta):
            node.json("forget", f"{DATABASE}@alpha", "--yes")
        load = Load(beta, rate=RATE, seconds=60)
        restart(alpha, old)
        one_at_most(trial, cluster, 2 * STALE_SECONDS)
        copy = alpha.copy(DATABASE)
        trial.check(f"alpha knows that it is not active: {copy['state']}: {copy['cause']}", copy["role"] == "passive" and "by the configuration of beta" in copy["cause"]
                    and serving(cluster, DATABASE) == ["beta"], copy)
        both_say_so(trial, cluster)
        take = alpha.ccr("activate", DATABASE, "--on", "alpha", "--dial", "best")
        trial.require("and is not made active", take.returncode in REFUSED, take)
        trial.require("beta was written all the time", load.running)
        acknowledged = load.leave()
        trial.check("beta has all that it acknowledged", beta.copy(DATABASE)["commit"] >= acknowledged)
        beta.json("add", f"{DATABASE}@alpha")
        commit = beta.copy(DATABASE)["commit"]
        alpha.wait_copy(lambda copy: copy["state"] in ("healthy", "needs_seed"), "is a copy again", DATABASE, seconds=SECONDS)
        alpha.ask("seed", database=DATABASE, node="alpha")
        alpha.wait_copy(lambda copy: copy["state"] == "healthy" and (copy["replayed_commit"] or 0) >= commit, f"has commit {commit}", DATABASE, seconds=SECONDS)
        check_verify(trial, alpha, DATABASE)
        trial.check("the copy is added again: it is equal", True)


def run(trial):
    beside(trial, (other_files, role_moved_away))
