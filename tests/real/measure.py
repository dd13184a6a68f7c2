"""Measurements between two daemons over loopback: bench link, log, ship and seed, tune, their page, and what is refused

Figures of a busy machine say little, so what is held is that they agree with each other: bytes with rates, shares with limits, both sides.
"""

import json
import os
from pathlib import Path

from cluster import until

SECONDS = 3


def close_to(found, expected, part):
    return abs(found - expected) <= part * expected


def link(trial, cluster):
    alpha = cluster["alpha"]
    result = alpha.json("bench", "link", "--peer", "beta", "--seconds", str(SECONDS))
    trial.check("bench link says what it is", (result["kind"], result["node"], result["peer"]) == ("bench_link", "alpha", "beta"), result["kind"])
    trial.check(f"it took about {SECONDS} s", SECONDS - 1 < result["seconds"] < SECONDS + 3, result["seconds"])
    runs = result["runs"]
    trial.check("one, two and four streams in both directions", [(run["from"], run["streams"]) for run in runs] ==
                [(node, streams) for streams in (1, 2, 4) for node in ("alpha", "beta")], runs)
    for run in runs:
        trial.require("a stream carries something", run["bytes_per_second"] > 1_000_000, run)
        trial.require("what arrived fits its rate", close_to(run["bytes"] / run["seconds"], run["bytes_per_second"], 0.6), run)
        trial.require("both sides tell their processor time", run["processors_here"] > 0 and run["processors_there"] > 0, run)
        trial.require("the kernel tells of each connection", run["congestion"] and all(each["window_granted"] > 0 for each in run["connections"]), run)
    trial.check("rates, bytes, processors and connections of each agree", True)
    round_trip = result["percentiles"][0]
    trial.check("a round trip has percentiles in order", 0 < round_trip["least"] <= round_trip["p50"] <= round_trip["p99"] <= round_trip["most"], round_trip)
    trial.check("the best run is the limit", max(run["bytes_per_second"] for run in runs if run["from"] == "alpha") == result["limits"][0]["bytes_per_second"],
                result["limits"])
    trial.say(result["verdict"]["text"])
    held = alpha.json("bench", "link", "--peer", "beta", "--seconds", "1", "--streams", "1", "--window", "64KiB", "--congestion", "reno")
    facts = held["runs"][1]["connections"][0]  # beta sends: the window is alpha's
    trial.check("a window of its own", facts["window_asked"] == 65536, facts)
    trial.check("and a congestion control, on both sides", [run["congestion"] for run in held["runs"]] == ["reno", "reno"], held["runs"])
    trial.check("and no more of a window is granted", facts["window_granted"] <= 65536, facts)
    text = alpha.ccr("bench", "link", "--peer", "beta", "--seconds", "1", "--streams", "1")
    trial.check("as text it is a table", text.returncode == 0 and "DIRECTION" in text.stdout and "alpha to beta" in text.stdout, text.stdout + text.stderr)


def log(trial, cluster):
    result = cluster["alpha"].json("bench", "log", "--peer", "beta", "--seconds", "2")
    rows = result["rows"]
    trial.check("bench log: four sizes on both nodes", [(row["node"], row["block_bytes"]) for row in rows] ==
                [(node, size) for size in (4096, 65536, 2**20, 4 * 2**20) for node in ("alpha", "beta")], rows)
    trial.check("writes, bytes and rates agree", all(row["bytes"] == row["writes"] * row["block_bytes"] and row["bytes_per_second"] > 0 for row in rows), rows)
    trial.check("it is the log's directory", result["directory"] == str(cluster["alpha"].log_directory("orders")), result["directory"])
    left = [path for name in ("alpha", "beta") for path in cluster[name].directory.rglob("probe*")]
    trial.check("nothing is left on either disk", not left, left)
    trial.say(result["verdict"]["text"])


def ship(trial, cluster):
    alpha = cluster["alpha"]
    refused = alpha.ccr("bench", "ship", "--peer", "beta")
    trial.check("a copy that is not there: 4", refused.returncode == 4 and "needs_seed" in refused.stderr, (refused.returncode, refused.stderr))
    alpha.ask("load", database="orders", seconds=0.5, rate_bytes_per_second=1_000_000)
    cluster.seed()
    until(lambda: alpha.copy("orders", "beta")["state"] == "healthy", 20, "alpha knows that beta is healthy")
    result = alpha.json("bench", "ship", "--peer", "beta", "--seconds", "6", "--clients", "8")
    one, many = result["one_client"], result["many_clients"]
    trial.check("every commit became durable on beta", one["unfinished"] == 0 and many["unfinished"] == 0, result["many_clients"])
    trial.check("log is more than pages, and what crossed no more than log", many["page_bytes"] < many["log_bytes"] and 0 < many["wire_bytes"] < many["log_bytes"] * 1.05, many)
    latency = {line["name"]: line for line in result["percentiles"]}
    there, here = latency["one client, durable there"], latency["one client, durable here"]
    trial.check("a commit is durable here before it is there", 0 < here["p50"] <= there["p50"], latency)
    trial.check("the slower limit and a share of it are named", result["verdict"]["slower_limit"] and 0 < result["verdict"]["share"] < 2, result["verdict"])
    rates = [row["log_bytes_per_second"] for row in result["per_second"]]
    trial.check("a table second by second", len(rates) >= 2 and any(rates), rates)  # of a busy disk a second may have nothing
    trial.say(result["verdict"]["text"])
    cluster["beta"].wait_settled("orders")
    page = cluster.directory / "ship.html"
    (cluster.directory / "ship.json").write_text(json.dumps(result))
    made = alpha.ccr("report", str(cluster.directory / "ship.json"), str(cluster.directory / "ship.json"), "--html", str(page))
    trial.check("report makes a page of it", made.returncode == 0 and page.stat().st_size > 50_000, made.stderr)
    bad = alpha.ccr("report", str(alpha.config_path), "--html", str(page))
    trial.check("and not of something else: 2", bad.returncode == 2 and "no JSON" in bad.stderr, (bad.returncode, bad.stderr))


def seed(trial, cluster):
    alpha = cluster["alpha"]
    before = {node: cluster[node].copy("orders")["state"] for node in ("alpha", "beta")}
    result = alpha.json("bench", "seed", "--peer", "beta", "--bytes", "16MiB", "--databases", "2", "--seconds", "3")
    together = result["together"]
    trial.check("bench seed: two databases came whole, with the roots that they left with", [(each["bytes"], each["root_equal"]) for each in result["databases"]]
                == [(16 * 2**20, True)] * 2 and together["bytes"] == 32 * 2**20, result["databases"])
    trial.check("random pages do not shrink on the wire", together["bytes"] < together["wire_bytes"] < together["bytes"] * 1.1, together)
    trial.check("both sides tell their processor time", together["processors_here"] > 0 and together["processors_there"] > 0, together)
    trial.check("the slower limit and a share of it are named", result["verdict"]["slower_limit"] and 0 < result["verdict"]["share"] < 2, result["verdict"])
    told = sum(row["page_bytes_per_second"] * row["seconds"] for row in result["per_second"])
    trial.check("what arrived is told second by second, all of it", abs(told - together["bytes"]) < 2**20, (told, result["per_second"]))
    left = [path for name in ("alpha", "beta") for path in cluster[name].directory.rglob("*.tmp")]
    held = [link for name in ("alpha", "beta") for link in Path(f"/proc/{cluster[name].pid}/fd").iterdir() if ".tmp" in os.readlink(link)]
    trial.check("nothing is left on either disk, with or without a name", not left and not held, (left, held))
    after = {node: cluster[node].copy("orders")["state"] for node in ("alpha", "beta")}
    trial.check("no database was touched", after == before, after)
    text = alpha.ccr("bench", "seed", "--peer", "beta", "--seconds", "1", "--bytes", "1MiB")
    trial.check("as text it is a table", text.returncode == 0 and "DATABASE" in text.stdout and "together" in text.stdout, text.stdout + text.stderr)
    trial.say(result["verdict"]["text"])


def tune(trial, cluster):
    result = cluster["alpha"].json("tune", "--peer", "beta", "--seconds", "5")
    names = [run["name"] for run in result["runs"] if run["from"] == "alpha"]
    trial.check("tune: before first, after last, cubic between", names[0] == "before" and names[-1] == "after" and "cubic" in names, names)
    for advice in result["advice"]:
        trial.require("after is a share of the most", 0 < advice["after_bytes_per_second"] <= advice["limit_bytes_per_second"], advice)
    trial.check("advice for both directions, and what this host allows", len(result["advice"]) == 2 and result["tuning"]["settings"], result["advice"])
    trial.check("the interface is told", result["tuning"]["interface"]["interface"] == "lo" and result["tuning"]["interface"]["mtu"] > 1500, result["tuning"]["interface"])
    trial.say(result["verdict"]["text"])


def refused(trial, cluster):
    alpha = cluster["alpha"]
    for arguments, code, words in (
            (("link", "--peer", "bta"), 2, "did you mean 'beta'?"),
            (("link", "--peer", "alpha"), 2, "the peer is another one"),
            (("link", "--peer", "beta", "--seconds", "61"), 2, "a measurement takes 1 to 60 s"),
            (("link", "--peer", "beta", "--streams", "9"), 2, "expected 1 to 8 streams")):
        done = alpha.ccr("bench", *arguments)
        trial.check(f"bench {' '.join(arguments)}: {code}, {words}", done.returncode == code and words in done.stderr, (done.returncode, done.stderr))
    cluster["beta"].kill()
    done = alpha.ccr("bench", "link", "--peer", "beta")
    trial.check("a peer that does not run: 3", done.returncode == 3, (done.returncode, done.stderr))


def run(trial):
    with trial.cluster() as cluster:
        cluster.start()
        trial.part("the link", link, cluster)
        trial.part("the disks", log, cluster)
        trial.part("the whole pipe, and its page", ship, cluster)
        trial.part("seeding", seed, cluster)
        trial.part("tuning", tune, cluster)
        trial.part("what is refused", refused, cluster)
