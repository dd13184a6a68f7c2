"""Whom a running node believes: certificates made on request, denied, pinned and renewed, without a restart.

A serial number that is denied cuts its open connections too, and both ends say why; taken out again, the copy is healthy by itself. A
key that is not the pinned one is refused, a renewed certificate with the pinned key is not.
"""

import signal

from cluster import until
from writers import Load

REFUSED_SECONDS = 20
HEALED_SECONDS = 40


def reload(node, expected):
    """SIGHUP; the event that says it was read."""
    before = len(node.log_path.read_text(errors="replace").splitlines())
    node.process.send_signal(signal.SIGHUP)

    def read():
        lines = node.log_path.read_text(errors="replace").splitlines()[before:]
        return [line for line in lines if expected in line]

    return until(read, 10, f"{expected} is in {node.name}'s log")[-1]


def said(node, *words):
    """A line of the node's log with all these words."""
    def found():
        return [line for line in node.log_path.read_text(errors="replace").splitlines() if all(word in line for word in words)]
    return until(found, REFUSED_SECONDS, f"{node.name}'s log has {words}")[-1]


def asked_for(trial):
    """beta's key is made on beta, and only its request travels."""
    with trial.cluster(tls=True) as cluster:
        for end in (".pem", ".key"):
            (cluster.certificates / f"beta{end}").unlink()
        there = cluster["beta"].directory / "tls"
        asked = cluster.cert("request", "beta", "--out", str(there))
        issued = cluster.cert("issue", "beta", "--request", str(there / "beta.csr"), "--out", str(cluster.certificates))
        trial.check("the certificate is of the key that was asked for", issued["certificate"]["key_sha256"] == asked["key_sha256"], issued)
        trial.check("and no key of beta lies with the authority", not (cluster.certificates / "beta.key").exists())
        (there / "beta.key").rename(cluster.certificates / "beta.key")
        cluster.start().seed()
        trial.check("beta is healthy with it", cluster["beta"].copy()["state"] == "healthy")


def denied(trial):
    with trial.cluster(tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        serial = cluster.certificate("beta")["serial"]
        cluster.denied = [serial]
        cluster.write_config()
        line = reload(alpha, "config_read")
        trial.check(f"what is denied is in force at once: {line[line.index('config_read'):]}", "tls.denied" in line and "restart=no" in line, line)
        Load(alpha, rate=200_000, seconds=1).wait(20)
        beta.wait_copy(lambda copy: copy["state"] != "healthy", "is cut off", seconds=REFUSED_SECONDS)
        trial.check("alpha says whose number it was", serial in said(alpha, "which [tls] denied has"))
        trial.say(said(beta, "revoked")[:160])
        trial.check("beta hears that it is revoked", True)
        checked = beta.ccr("config", "check")
        trial.check("ccr config check on beta says so too", checked.returncode == 2 and "is in [tls] denied" in checked.stderr, checked)
        cluster.denied = []
        cluster.write_config()
        reload(alpha, "config_read")
        beta.wait_settled(seconds=HEALED_SECONDS)
        trial.check("taken out again, the copy is healthy by itself", True)


def pinned(trial):
    with trial.cluster(tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        keys = {name: cluster.certificate(name)["key_sha256"] for name in cluster.names}
        cluster.pins = {"beta": [keys["beta"].upper()]}
        cluster.write_config()
        cluster.start().seed()
        trial.check("the pinned key is believed", beta.copy()["state"] == "healthy")
        before = cluster.certificate("beta")["serial"]
        cluster.cert("renew", "beta", "--out", str(cluster.certificates))
        trial.require("the renewed one has another number", cluster.certificate("beta")["serial"] != before)
        reload(beta, "certificate_read")
        beta.end()
        beta.start().wait_serving()
        beta.wait_settled(seconds=HEALED_SECONDS)
        trial.check("and so is a renewed certificate with that key", True)
        cluster.pins = {"beta": [keys["alpha"]]}
        cluster.write_config()
        line = reload(alpha, "config_read")
        trial.check(f"another pin is in force at once: {line[line.index('config_read'):]}", "nodes.beta.pins" in line and "restart=no" in line, line)
        Load(alpha, rate=200_000, seconds=1).wait(20)
        line = said(alpha, "has the key", keys["beta"], keys["alpha"])
        trial.check(f"alpha says both fingerprints: {line[line.index('has the key'):][:90]}", True)
        cluster.pins = {"beta": [keys["alpha"], keys["beta"]]}
        cluster.write_config()
        reload(alpha, "config_read")
        beta.wait_settled(seconds=HEALED_SECONDS)
        trial.check("with two pins either key will do", True)


def run(trial):
    trial.part("A certificate on request", asked_for)
    trial.part("A certificate is denied", denied)
    trial.part("A key is pinned", pinned)
