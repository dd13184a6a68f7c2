"""ccr serve as a service manager and a person meet it: readiness, SIGTERM, SIGHUP, a second daemon, a taken port, and log show

READY=1 comes only when the node can be asked, STOPPING=1 at SIGTERM; it ends fast and with 0, also while it ships, seeds or catches
up; a second daemon on the same directories is refused and harms nothing; SIGHUP says what a restart would change. ccr check says whether all is well.
"""

import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing

from cluster import Database, until
from control import ask
from oracle import check_verify
from trial import mib
from writers import Load, SqliteWriter

END_SECONDS_MAX = 3
NOTIFY_SECONDS = 10


class Notifications:
    """The datagram socket of a service manager."""

    def __init__(self, directory):
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(NOTIFY_SECONDS)

    def next(self):
        return self._socket.recv(4096).decode()

    def none(self):
        """Nothing has come."""
        self._socket.setblocking(False)
        try:
            return self._socket.recv(4096).decode()
        except BlockingIOError:
            return None
        finally:
            self._socket.settimeout(NOTIFY_SECONDS)

    def close(self):
        self._socket.close()


def end_fast(trial, node, what):
    began = time.monotonic()
    code = node.end()
    seconds = time.monotonic() - began
    trial.check(f"SIGTERM {what}: {node.name} ends with 0 in {seconds:.2f} s", code == 0 and seconds < END_SECONDS_MAX,
                f"{code} in {seconds:.2f} s")


def notify(trial):
    with trial.cluster() as cluster, closing(Notifications(cluster.directory)) as manager:
        alpha = cluster["alpha"]
        alpha.start({"NOTIFY_SOCKET": str(manager.path)})
        trial.check("READY=1 comes", manager.next() == "READY=1")
        trial.check("at that moment the control socket answers", ask(alpha.socket, "status")["node"] == "alpha")
        host, port = cluster.network.address("alpha").split(":")
        socket.create_connection((host, int(port)), 1).close()
        trial.check("and the port is open", True)
        alpha.wait_state("orders", "mounted")
        alpha.process.send_signal(signal.SIGHUP)
        trial.check("SIGHUP: RELOADING=1 with a time", manager.next().startswith("RELOADING=1\nMONOTONIC_USEC="))
        trial.check("and READY=1 again", manager.next() == "READY=1")
        began = time.monotonic()
        alpha.process.send_signal(signal.SIGTERM)
        trial.check("SIGTERM: STOPPING=1", manager.next() == "STOPPING=1")
        code = alpha.wait_exit(END_SECONDS_MAX)
        trial.check(f"exit code 0 after {time.monotonic() - began:.2f} s", code == 0, code)


def not_ready(trial):
    with trial.cluster() as cluster, closing(Notifications(cluster.directory)) as manager, socket.socket() as taken:
        alpha = cluster["alpha"]
        host, port = cluster.network.address("alpha").split(":")
        taken.bind((host, int(port)))
        taken.listen()
        alpha.start({"NOTIFY_SOCKET": str(manager.path)})
        code = alpha.wait_exit(10)
        words = "\n".join(alpha.last_lines())
        trial.check("a taken port: it ends with 4 and names the address", code == 4 and f"{host}:{port}" in words, f"{code}: {words}")
        trial.check("with a hint", "hint:" in words, words)
        told = manager.none()
        trial.check("and never said READY=1", told is None, told)


def end_at_work(trial):
    with trial.cluster(databases=[Database("orders", "pages")]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start()
        fill = Load(alpha, pattern="seq", pages=256)
        until(lambda: fill.bytes > 60 * 2**20, 60, "60 MiB are written")
        fill.leave()
        load = Load(alpha)
        beta.ask("seed", database="orders", node="beta", detach=True)
        beta.wait_state("orders", "seeding")
        end_fast(trial, beta, "while it is seeded")
        beta.start().wait_serving()
        beta.wait_state("orders", "healthy", 60)
        end_fast(trial, beta, "while log comes")
        end_fast(trial, alpha, "under load")
        load.leave()
        cluster.start()
        beta.wait_settled("orders", 60)
    with trial.cluster(databases=[Database("orders", "sqlite")]) as cluster:
        writer = SqliteWriter(cluster, cluster["alpha"].database_path("orders"), 20)
        cluster.start()
        end_fast(trial, cluster["alpha"], "with a live SQLite program")
        trial.check("the program goes on", writer.running)


def second(trial):
    with trial.cluster() as cluster:
        cluster.start().seed()
        alpha = cluster["alpha"]
        before = alpha.status()["databases"][0]["signature"]
        done = alpha.ccr("serve", seconds=20)
        trial.check("a second daemon on the same state_dir is refused with 4, naming the process",
                    done.returncode == 4 and str(alpha.pid) in done.stderr, f"{done.returncode}: {done.stderr}")
        trial.check("with a hint", "hint:" in done.stderr, done.stderr)
        trial.check("the first goes on", alpha.status()["databases"][0]["signature"] == before)
        for words, made in (("a state_dir of its own", lambda state: None),
                            ("a copy of the first one's state_dir", lambda state: shutil.copytree(
                                alpha.state_dir, state, ignore=shutil.ignore_patterns("control.sock")))):
            done = serve_elsewhere(cluster, made)
            said = done.stderr.splitlines()[-2:]
            trial.check(f"one with {words} is refused with 4: {said[0]}",
                        done.returncode == 4 and "in use by another process" in done.stderr and "hint:" in done.stderr, done)
        load = Load(alpha, seconds=1)
        load.wait(10)
        cluster["beta"].wait_settled()
        trial.check("the first still ships", True)


def serve_elsewhere(cluster, make_state):
    """alpha once more, with another state_dir and address, but the same database and log: a copied configuration."""
    alpha = cluster["alpha"]
    other = cluster.directory / "other"
    shutil.rmtree(other, ignore_errors=True)
    other.mkdir()
    make_state(other / "state")
    host, port = cluster.network.address("alpha").split(":")
    text = alpha.config_path.read_text().replace(f"{cluster.directory}/{{node}}/state", f"{other}/state")
    config = cluster.directory / "other.toml"
    config.write_text(text.replace(f"{host}:{port}", f"127.0.0.2:{port}"))
    return subprocess.run([str(cluster.ccr), "--config", str(config), "--node", "alpha", "serve"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=20, check=False)


def reload(trial):
    with trial.cluster() as cluster:
        cluster.start()
        alpha = cluster["alpha"]
        good = alpha.config_path.read_text()
        for words, text, expected in (("a changed file", good.replace("[transport]", '[transport]\nseed_rate = "10MB/s"'), "config_read"),
                                      ("a broken file", good.replace("copies", "copiess"), "config_refused"),
                                      ("the same file", good, "changes=none")):
            alpha.config_path.write_text(text)
            alpha.process.send_signal(signal.SIGHUP)
            line = until(lambda: [line for line in alpha.last_lines() if expected in line], 5, f"{expected} is in the log")[-1]
            trial.check(f"SIGHUP with {words}: {line[line.index(expected):][:110]}", True)
        trial.check("it still serves", alpha.copy()["state"] == "mounted")


def log_show(trial):
    with trial.cluster(databases=[Database("orders", "pages", {"generation_size": "256KiB"})]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        beta.ask("suspend", database="orders", node="beta", comment="so that log stays")
        Load(alpha, rate=8_000_000, seconds=1).wait(20)
        sealed = sorted(path for path in alpha.log_directory("orders").glob("0*.log"))
        trial.check(f"{len(sealed)} sealed generations are there", len(sealed) >= 4, sealed)
        for path in (sealed[0], sealed[-1]):
            shown = alpha.json("log", "show", str(path))
            trial.check(f"log show {path.name} --json: {shown.get('generation')}, sealed, with records",
                        shown["sealed"] is True and shown["generation"] == int(path.stem, 16) and len(shown["records"]) > 0, shown)
            text = alpha.ccr("log", "show", str(path))
            trial.require("and as text", text.returncode == 0 and "sealed" in text.stdout, text)
        open_one = alpha.ccr("log", "show", str(alpha.log_directory("orders") / "current.log"))
        trial.check("log show of the open one", open_one.returncode == 0 and "open" in open_one.stdout, open_one)
        chain = alpha.json("log", "verify", str(alpha.log_directory("orders")))
        trial.say(f"log verify: {len(chain['generations'])} generations, {mib(sum(each['bytes'] for each in chain['generations']))}")
        damaged = cluster.directory / sealed[1].name
        content = bytearray(sealed[1].read_bytes())
        content[9000] ^= 1
        damaged.write_bytes(content)
        done = alpha.ccr("log", "show", str(damaged))
        trial.check("log show of a damaged one: 5, and it says where", done.returncode == 5 and done.stderr != "", done)
        trial.say(done.stderr.strip())


def not_well(node, code):
    """The verdict of each check that is not ok, by its name; of a command that ends with `code`."""
    return {check["check"]: check["verdict"] for check in node.json("check", code=code)["checks"] if check["verdict"] != "ok"}


def health(trial):
    with trial.cluster(databases=[Database("orders", "pages")], tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        trial.check("without a daemon: 3", not_well(alpha, 3) == {"service": "failed"})
        cluster.start().seed()
        Load(alpha, rate=2_000_000, seconds=1).wait(20)
        beta.wait_settled()
        asked = until(lambda: all(peer["clock_ahead_seconds"] is not None for node in (alpha, beta) for peer in node.status()["peers"]), 30,
                      "the nodes told each other of themselves")
        for node in (alpha, beta):
            trial.check(f"{node.name}, before a verification: 10", asked and not_well(node, 10) == {"disk_verified": "warning"},
                        node.ccr("check").stdout)
        check_verify(trial, beta, "orders")
        until(lambda: alpha.copy(node="beta")["disk_verified_at"] is not None, 10, "alpha knows of the verification")
        for node in (alpha, beta):
            done = node.ccr("check")
            trial.check(f"{node.name}, after it: 0, {done.stdout.strip()}", done.returncode == 0 and "all ok" in done.stdout, done)
        beta.ask("suspend", database="orders", node="beta", comment="disk swap")
        until(lambda: alpha.copy(node="beta")["state"] == "suspended", 10, "alpha knows that beta is suspended")
        for node in (alpha, beta):
            trial.check(f"{node.name}, with a suspended copy: 10", not_well(node, 10) == {"state": "warning"}, node.ccr("check").stdout)
        beta.ask("resume", database="orders", node="beta")
        beta.wait_settled()
        beta.kill()
        until(lambda: alpha.copy(node="beta")["state"] == "disconnected", 10, "alpha misses beta")
        trial.check("with a node that was killed: 11", not_well(alpha, 11).get("state") == "failed", alpha.ccr("check").stdout)
        trial.say(alpha.ccr("check").stdout.strip())
        text = alpha.config_path.read_text()
        other = cluster.directory / "other.toml"
        other.write_text(text.replace('kind = "pages"', 'kind = "pages"\ngeneration_size = "2MiB"'))
        trial.require("the configuration was changed", other.read_text() != text, text)
        beta.config_path = other
        beta.start().wait_serving()
        until(lambda: alpha.status()["peers"][0]["configuration_equal"] is False, 40, "alpha hears that beta's configuration is another one")
        trial.check("with another configuration there: 11", not_well(alpha, 11).get("configuration") == "failed", alpha.ccr("check").stdout)


def run(trial):
    trial.part("Readiness, SIGHUP and the end, as systemd hears them", notify)
    trial.part("A taken port", not_ready)
    trial.part("A second daemon", second)
    trial.part("SIGHUP", reload)
    trial.part("ccr log show", log_show)
    trial.part("ccr check", health)
    if not trial.short:
        trial.part("SIGTERM at work", end_at_work)
