"""Files of the log and the state that somebody moves away, deletes or edits under living daemons, under load

On the active node: a sealed generation that the copy still needs, the open one, its state, the table of digests. It serves no more where it cannot know
its log, also not an older one; with the file back it goes on by itself, and nothing acknowledged is missing. On the passive node: what it received, the
generation that comes in, its state, its table. The active node goes on; the copy heals by itself, or by the seed that its hint names. What is damaged is
never handed on, and no move goes to a copy whose log has a hole.
"""

import contextlib
import json
import os
import time

from cluster import REFUSED, Database, until
from oracle import check_all_there, check_files
from outages import beside
from writers import Load

DATABASE = "orders"
OPTIONS = {"generation_size": "256KiB", "log_budget": "256MiB"}
RATE = 3_000_000
SECONDS = 30
LOOKS_SECONDS = 1.5  # a second try to mount lies in it
DIFFERS = 5
CHECK_FAILED = 11


def sealed(node):
    return sorted(path for path in node.log_directory(DATABASE).glob("*.log") if len(path.stem) == 16)


def state_files(node):
    return [node.state_dir / DATABASE / f"state.{slot}" for slot in (0, 1)]


def renamed(path, place):
    """Not where it is not there: between the two names of a roll nothing is current.log."""
    with contextlib.suppress(FileNotFoundError):
        path.rename(place)
        return True
    return False


@contextlib.contextmanager
def moved_away(node, *paths):
    """They come back at the end; what was made in their place goes."""
    aside = [(path, node.directory / f"{path.name}.aside") for path in paths]
    for path, place in aside:
        until(lambda: renamed(path, place), SECONDS, f"{path} is there")
    try:
        yield
    finally:
        for path, place in aside:
            place.rename(path)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x40]))


def well(trial, cluster, acknowledged, seconds=SECONDS):
    check_all_there(trial, cluster, (DATABASE,), acknowledged, seconds)


def stays_dismounted(trial, node, words):
    """It says why, and serves nothing, however often it tries."""
    copy = node.wait_copy(lambda copy: copy["state"] == "dismounted" and words in copy["cause"], f"is dismounted: {words}", DATABASE, seconds=SECONDS)
    end = time.monotonic() + LOOKS_SECONDS
    while time.monotonic() < end:
        now = node.copy(DATABASE)
        trial.require("it serves nothing meanwhile", now["state"] == "dismounted", now)
        time.sleep(0.02)
    copy = node.copy(DATABASE)
    trial.require("with a hint", copy["hint"] != "", copy)
    trial.require("ccr check fails, status answers", node.ccr("check").returncode == CHECK_FAILED and node.ccr("status").returncode == 0)
    return copy["cause"].replace(str(node.directory), "")


def suspended_behind(trial, cluster):
    """Log that beta needs and does not have; it is suspended."""
    alpha, beta = cluster["alpha"], cluster["beta"]
    beta.ask("suspend", database=DATABASE, node="beta", comment="so that log stays")
    first = alpha.copy(DATABASE)["generated"]["generation"]
    until(lambda: alpha.copy(DATABASE)["generated"]["generation"] >= first + 4, SECONDS, "log is generated")
    shown = json.loads(alpha.ccr("status", DATABASE, "--json").stdout)
    active = next(copy for copy in shown["databases"][0]["copies"] if copy["role"] == "active")
    forecast = active.get("log_forecast") or {}
    trial.require("status says how long that may go on", forecast.get("holders") == ["beta"] and forecast["bytes_per_second"] > 0
                  and 0 < forecast["seconds"] <= (active["log_budget_bytes"] - active["log_bytes"]) / forecast["bytes_per_second"], forecast)
    return sealed(alpha)[-2]


# --- the active node ----------------------------------------------------------------------------------------------------------


def active_sealed(trial, cluster, load):
    """A sealed generation that is not shipped yet."""
    alpha = cluster["alpha"]
    path = suspended_behind(trial, cluster)
    with moved_away(alpha, path):
        verified = alpha.ccr("log", "verify", str(alpha.log_directory(DATABASE)))
        trial.require("ccr log verify sees the gap", verified.returncode == DIFFERS, verified)
        return is_not_sent(trial, cluster, path, f"generation {int(path.stem, 16):x} is not in"), load.leave()


def active_edited(trial, cluster, load):
    """A byte of it is another."""
    path = suspended_behind(trial, cluster)
    at = path.stat().st_size // 2
    flip(path, at)
    cause = is_not_sent(trial, cluster, path, path.name)
    acknowledged = load.leave()
    flip(path, at)
    return cause, acknowledged


def is_not_sent(trial, cluster, path, words):
    """The copy is resumed, and gets all that lies before the file, and nothing of it or behind it; the event names it. Alpha goes on where its own replay is past it."""
    alpha, beta = cluster["alpha"], cluster["beta"]
    beta.ask("resume", database=DATABASE, node="beta")
    # Where alpha has not replayed it either it said so when the file went.
    lines = until(lambda: [line for line in alpha.log_path.read_text(errors="replace").splitlines() if "cause=" in line and words in line],
                  SECONDS, f"alpha says that {words}")
    end = time.monotonic() + LOOKS_SECONDS
    while time.monotonic() < end:
        replayed = (beta.copy(DATABASE) or {}).get("replayed") or {"generation": 0}
        trial.require("nothing of it is replayed", replayed["generation"] <= int(path.stem, 16), replayed)
        time.sleep(0.02)
    trial.require("ccr check fails, status answers", alpha.ccr("check").returncode == CHECK_FAILED and alpha.ccr("status").returncode == 0)
    return lines[0].split("cause=")[-1].replace(str(alpha.directory), "")


def active_open(trial, cluster, load):
    """The open generation, while its state knows of no commit behind its beginning; with nobody there who has more."""
    alpha, beta = cluster["alpha"], cluster["beta"]
    beta.end()
    with moved_away(alpha, alpha.log_directory(DATABASE) / "current.log"):
        until(lambda: not load.running, SECONDS, "the load ends")
        cause = stays_dismounted(trial, alpha, "durable")
        acknowledged = load.leave()
    beta.start().wait_serving()
    return cause, acknowledged


def goes_on(trial, load):
    before = load.acknowledged
    until(lambda: load.acknowledged > before, SECONDS, "alpha goes on")
    trial.require("alpha goes on", load.running)


def written_again(trial, node, load):
    for path in state_files(node):
        os.unlink(path)
    goes_on(trial, load)
    until(lambda: any(path.exists() for path in state_files(node)), SECONDS, "its state is written again")


def active_state(trial, cluster, load):
    written_again(trial, cluster["alpha"], load)
    return "state files: written again", load.leave()


def active_digests(trial, cluster, load):
    alpha = cluster["alpha"]
    (alpha.state_dir / DATABASE / "digests").unlink()
    alpha.wait_copy(lambda copy: copy["state"] == "dismounted" or not load.running, "notices", DATABASE)
    return "it was made again from the pages", load.leave()


def sealed_log_of_the_active_node(trial):
    play(trial, (active_sealed, active_edited))


def files_of_the_active_node(trial):
    play(trial, (active_open, active_state, active_digests))


# --- the passive node ---------------------------------------------------------------------------------------------------------


def asks_for_a_seed(trial, cluster, load):
    beta = cluster["beta"]
    copy = beta.wait_copy(lambda copy: copy["state"] == "failed_and_suspended", "waits for a person", DATABASE, seconds=SECONDS)
    trial.require("it names the seed", copy["hint"] == f"ccr seed {DATABASE}@beta" and any(word in copy["cause"] for word in ("is not in", "was durable")), copy)
    goes_on(trial, load)
    move = cluster["alpha"].ccr("move", DATABASE, "--to", "beta")
    trial.require("no move goes there", move.returncode == REFUSED, move)
    trial.require("nor an activation", beta.ccr("activate", DATABASE, "--on", "beta", "--dial", "lossless").returncode == REFUSED)
    trial.require("ccr check fails, status answers", beta.ccr("check").returncode == CHECK_FAILED and beta.ccr("status").returncode == 0)
    trial.require("the seed mends it", beta.ccr("seed", f"{DATABASE}@beta").returncode == 0)
    return copy["cause"].replace(str(beta.directory), "")


def taken_from(trial, cluster, load, files):
    """What `files` finds, until the copy misses it: a generation that is sealed, or let go of, while they are looked for is among none of them."""
    beta = cluster["beta"]

    def missed():
        for path in files():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        return beta.copy(DATABASE)["state"] == "failed_and_suspended"

    until(missed, SECONDS, lambda: f"beta misses them: {beta.copy(DATABASE)}")
    return asks_for_a_seed(trial, cluster, load), load.leave()


def passive_received(trial, cluster, load):
    """All that it received and has not let go of, the open one too: what is replayed next is among them."""
    beta = cluster["beta"]
    until(lambda: sealed(beta), SECONDS, "beta has generations")
    return taken_from(trial, cluster, load, lambda: [*beta.log_directory(DATABASE).glob("incoming/*"), *sealed(beta)])


def passive_incoming(trial, cluster, load):
    """Under a name that lasts: the generation that comes in."""
    beta = cluster["beta"]
    return taken_from(trial, cluster, load, lambda: beta.log_directory(DATABASE).glob("incoming/*"))


def passive_state(trial, cluster, load):
    written_again(trial, cluster["beta"], load)
    return "state files: written again", load.leave()


def passive_digests(trial, cluster, load):
    digests = cluster["beta"].state_dir / DATABASE / "digests"
    digests.unlink()
    goes_on(trial, load)
    until(digests.exists, SECONDS, "its table is made again")
    return "digests: made again", load.leave()


def files_of_the_passive_node(trial):
    play(trial, (passive_received, passive_incoming, passive_state, passive_digests))


def play(trial, stories):
    with trial.cluster(databases=[Database(DATABASE, options=OPTIONS)]) as cluster:
        cluster.start().seed()
        for number, story in enumerate(stories * trial.rounds(1, 5)):
            if number > 0:  # a daemon that failed often waits long until it tries again
                for node in cluster.nodes.values():
                    node.end()
                cluster.start()
            load = Load(cluster["alpha"], rate=RATE)
            time.sleep(trial.random.uniform(0.3, 0.8))
            cause, acknowledged = story(trial, cluster, load)
            well(trial, cluster, acknowledged)
            trial.check(f"{story.__name__.replace('_', ' ')}: {cause[:160]}; then everything is well, and nothing is missing", True)
        for node in (cluster["beta"], cluster["alpha"]):
            node.end()
        check_files(trial, cluster)


def run(trial):
    beside(trial, (sealed_log_of_the_active_node, files_of_the_active_node, files_of_the_passive_node))
