"""Seeds of several copies at once, over several streams, from other copies; sources are killed meanwhile

Three nodes. `ccr seed --all@gamma` makes both copies there; beta's is seeded from gamma, while the original is written; then made anew from
both, and gamma is killed in the middle: the pass goes on with what alpha gives, and no second one is opened. ccr verify says 0 each time.
"""

from cluster import Database
from cut import fill, passes
from oracle import check_verify
from trial import mib
from writers import Load

DATABASES = ("orders", "mail")
SLOW = "40MB/s"  # so that there is a middle


def play(trial):
    size_mib = 32 if trial.short else 512
    databases = [Database(name) for name in DATABASES]
    with trial.cluster(databases=databases, nodes=("alpha", "beta", "gamma"), tls=True) as cluster:
        cluster.start()
        alpha, beta, gamma = (cluster[name] for name in ("alpha", "beta", "gamma"))
        for name in DATABASES:
            fill(trial, cluster, size_mib, name)
        told = gamma.json("seed", "--all@gamma")
        states = {each["database"]: each["copy"]["state"] for each in told["copies"]}
        trial.check("ccr seed --all@gamma makes every copy of gamma", states == dict.fromkeys(DATABASES, "healthy"), states)
        for name in DATABASES:
            check_verify(trial, gamma, name)
        wrong = beta.ccr("seed", "orders@beta", "--from", "beta")
        trial.check("a copy is no source of itself: usage", wrong.returncode == 2 and "is where the copy is made" in wrong.stderr, wrong.stderr)
        wrong = beta.ccr("seed", "--all@gamma")
        trial.check("another node's copies are its own daemon's: 3, and where to say it", wrong.returncode == 3 and "--node gamma" in wrong.stderr, wrong.stderr)

        load = Load(alpha, "orders", rate=4_000_000)
        beta.ccr("seed", "orders@beta", "--from", "gamma", "--rate", SLOW, "--detach")
        beta.wait_copy(lambda copy: (copy["seed"]["done_bytes"] or 0) > size_mib * 2**18, "is seeded in part", "orders")
        seed = beta.copy("orders")["seed"]
        trial.check("status names the source", seed["source"] == "gamma" and seed["streams"] >= 1, seed)
        beta.wait_copy(lambda copy: copy["state"] == "healthy", "is seeded", "orders", seconds=120)
        trial.require("the source was written all the while", load.running)
        trial.check("a copy that was seeded from a copy is healthy, in one pass", len(passes(beta)) == 1, passes(beta))
        check_verify(trial, beta, "orders")

        beta.ccr("seed", "orders@beta", "--full", "--from", "alpha,gamma", "--streams", "4", "--rate", SLOW, "--detach")
        shared = beta.wait_copy(lambda copy: copy["seed"]["running"] and copy["seed"]["streams"] == 4, "is seeded over four streams", "orders")
        trial.check("two sources share the work over four streams", shared["seed"]["source"] == "alpha,gamma", shared["seed"])
        beta.wait_copy(lambda copy: copy["seed"]["running"] and (copy["seed"]["done_bytes"] or 0) > size_mib * 2**18, "is seeded in part", "orders")
        gamma.kill()
        beta.wait_copy(lambda copy: copy["state"] == "healthy", "is seeded", "orders", seconds=120)
        load.leave()
        lost = beta.log_path.read_text().count("seed_stream_lost")
        trial.check("killing one source cost its streams and no second pass", lost >= 1 and len(passes(beta)) == 2, f"{lost} lost, {passes(beta)}")
        beta.wait_settled("orders")
        check_verify(trial, beta, "orders")
        seed = beta.copy("orders")["seed"]
        trial.say(f"{mib(seed['total_bytes'])} seeded, {mib(seed['wire_bytes'])} on the wire")


def run(trial):
    trial.attempt("seeds over several streams and from several copies", play)
