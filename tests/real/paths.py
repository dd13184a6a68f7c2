"""Two cables between the nodes, IPv4 over the first and IPv6 over the second, TLS on both; the first is pulled while log ships

The copy goes on over the second within the missed heartbeats and a second (and what a busy machine takes), comes back to the first, which
the user prefers, and lacks nothing: no acknowledged commit, and ccr verify says 0.
"""

import time

from cluster import Database, Skipped, until
from network import Cable
from oracle import check_verify
from writers import Load

DATABASE = "orders"
BUSY_RATE = 4_000_000  # bytes a second
MISSED_SECONDS = 4 * 1.2 + 1
MACHINE_SECONDS = 4
BACK_SECONDS = 30


def two_cables(names):
    try:
        return Cable(names, paths=2)
    except OSError as error:
        raise Skipped(f"no network namespaces here: {error}") from error


def path_of(node):
    return ((node.copy(DATABASE) or {}).get("connection") or {}).get("path")


def run(trial):
    with trial.cluster(databases=[Database(DATABASE, "pages")], network=two_cables, tls=True) as cluster:
        cluster.start()
        cluster.seed()
        alpha, beta = cluster["alpha"], cluster["beta"]
        first, second = cluster.network.addresses("alpha")
        until(lambda: [path["state"] for path in beta.status()["paths"]] == ["up", "up"], 30, lambda: f"both paths are up: {beta.status()['paths']}")
        trial.check("log goes over the preferred path", path_of(beta) == first, path_of(beta))
        load = Load(alpha, DATABASE, rate=BUSY_RATE)
        for _ in range(trial.rounds(2, 10)):
            end = trial.random.choice(("alpha", "beta"))
            time.sleep(trial.random.uniform(0.5, 2))
            began = time.monotonic()
            cluster.network.down(end)
            beta.wait_copy(lambda copy: copy["state"] == "healthy" and path_of(beta) == second, "goes on over the second path", DATABASE)
            took = time.monotonic() - began
            trial.check(f"pulled at {end}: left within the missed heartbeats and a second", took <= MISSED_SECONDS + MACHINE_SECONDS, f"{took:.1f} s")
            trial.say(f"{took:.2f} s until the copy was healthy over the second path")
            until(lambda: beta.status()["paths"][0]["state"] == "down", 10, lambda: "the lost path is shown as down")
            trial.check("status says what is with the path", beta.status()["paths"][0]["cause"] != "")
            trial.check("status names it", f"paths to alpha: {first} down" in beta.ccr("status").stdout, beta.ccr("status").stdout)
            began = time.monotonic()
            cluster.network.up(end)
            beta.wait_copy(lambda copy: copy["state"] == "healthy" and path_of(beta) == first, "goes back to the first path", DATABASE,
                           seconds=BACK_SECONDS)
            trial.say(f"{time.monotonic() - began:.2f} s until it was back on the first")
        trial.require("the source was written all the while", load.running and load.acknowledged > 0)
        acknowledged = load.leave()
        beta.wait_settled(DATABASE)
        trial.check("every acknowledged commit is there", alpha.copy(DATABASE)["commit"] >= acknowledged)
        check_verify(trial, beta, DATABASE)
