"""A cluster of real ccr daemons in a directory of its own, for trials under faults.

    with Cluster(ccr, databases=[Database("orders", kind="pages")]) as cluster:
        cluster.start().seed()
        cluster["alpha"].kill()
        cluster["alpha"].start()
        cluster["beta"].wait_settled("orders", seconds=20)

The first node is the active one, the others have passive copies. Everything that a cluster makes (directory, daemons, namespaces)
is gone when the `with` ends, also by an exception or a signal; daemons end even when this program is killed. When it ends by an
exception, the last lines of each daemon's log are printed. Daemons are only ever signalled by their pid.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from control import Conversation, Refused, Unreachable, ask
from network import Loopback

LOG_LINES_SHOWN = 20
LOOK_AGAIN_SECONDS = 0.05
REFUSED = 4  # exit code of a command that a safety rule says no to
COMMAND_SECONDS = 300  # the longest a ccr command may take before it counts as hung
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Skipped(Exception):
    """This machine cannot try it; says why."""


class Late(AssertionError):
    """Something did not come in time; says what was there instead."""


@dataclass
class Database:
    name: str = "orders"
    kind: str = "pages"
    options: dict = field(default_factory=dict)  # further keys of its table, such as {"generation_size": "256KiB"}
    copies: tuple = ()  # nodes; all of the cluster when empty
    file: str = ""  # below a node's directory; NAME.db when empty

    @property
    def file_name(self):
        return self.file or f"{self.name}.db"


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)  # strings, integers and lists are written alike


def until(condition, seconds, what):
    """The first true value of condition(), or Late with its last value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Late(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(LOOK_AGAIN_SECONDS)


class Node:
    """One daemon, and what a person at that node can do."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.directory = cluster.directory / name
        self.log_path = cluster.directory / f"{name}.log"
        self.config_path = cluster.directory / "ccr.toml"  # a trial may give a node a file of its own
        self.process = None
        self.directory.mkdir()

    # --- files ---

    @property
    def state_dir(self):
        return self.directory / "state"

    @property
    def socket(self):
        return self.state_dir / "control.sock"

    def database_path(self, database):
        """The file of pages of this node's copy."""
        path = self.directory / self.cluster.databases[database].file_name
        if self.cluster.databases[database].kind != "sqlite":
            return path
        copy = path.with_name(path.name + ".copy")
        passive = self.name != self.cluster.copies_of(database)[0]
        here, other = (copy, path) if passive else (path, copy)
        return other if other.exists() and not here.exists() else here  # it moved

    def log_directory(self, database):
        return self.directory / f"{database}-log"

    def last_lines(self, count=LOG_LINES_SHOWN):
        if not self.log_path.exists():
            return []
        return self.log_path.read_text(errors="replace").splitlines()[-count:]

    # --- the daemon ---

    def command(self, *arguments):
        place = self.cluster.network.prefix(self.name)
        return [*place, str(self.cluster.ccr), "--config", str(self.config_path), "--node", self.name, *arguments]

    def start(self, environment=None, first=None):
        """`first` is done by the process that becomes the daemon, with that process's number."""
        assert self.process is None, f"{self.name} runs already"

        def begin():
            end_with_parent()
            if first:
                first()

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("serve"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})}, preexec_fn=begin)
        return self

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """kill -9; the process is gone when this returns."""
        return self.end(signal.SIGKILL)

    def end(self, number=signal.SIGTERM, seconds=20):
        """Its exit code, negative for a signal; None when it did not run."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Late(f"{self.name} did not end within {seconds} s of signal {number}") from None

    def wait_exit(self, seconds):
        """The exit code of a daemon that ends by itself."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Late(f"{self.name} still runs after {seconds} s") from None
        self.process = None
        return code

    def wait_serving(self, seconds=20):
        """Its control socket answers."""
        def answers():
            assert self.running, f"{self.name} ended: {self.last_lines(3)}"
            with contextlib.suppress(Unreachable):
                return self.status()
        return until(answers, seconds, f"{self.name} answers on its control socket")

    # --- what it says ---

    def ask(self, command, **arguments):
        return ask(self.socket, command, **arguments)

    def talk(self, command, **arguments):
        return Conversation(self.socket, command, **arguments)

    def status(self):
        return self.ask("status")

    def copy(self, database="orders", node=None):
        """A copy as this node knows it: an element of status's `copies`; None while the daemon does not answer."""
        try:
            document = self.ask("status", database=database, node=node or self.name)
        except (Unreachable, Refused):
            return None
        copies = document["databases"][0]["copies"]
        return copies[0] if copies else None

    def wait_copy(self, condition, what, database="orders", node=None, seconds=30):
        """The copy once condition(copy) holds."""
        seen = {}

        def holds():
            seen["copy"] = self.copy(database, node)
            return seen["copy"] if seen["copy"] and condition(seen["copy"]) else None

        def found():
            copy = seen["copy"] or {}
            words = {key: copy.get(key) for key in ("state", "cause", "comment", "hint", "copy_queue", "replay_queue")}
            return f"{database}@{node or self.name} {what}, as {self.name} knows it; found {words}"

        return until(holds, seconds, found)

    def wait_state(self, database, state, seconds=30, node=None):
        return self.wait_copy(lambda copy: copy["state"] == state, f"is {state}", database, node, seconds)

    def wait_opened(self, database="orders", seconds=30):
        """This passive copy has looked at its files."""
        return self.wait_copy(lambda copy: copy["state"] != "initializing", "has looked at its files", database, seconds=seconds)

    def wait_settled(self, database="orders", seconds=30):
        """This passive copy is healthy and has all that the active one has now; nobody writes, or it is a moment's view."""
        active = self.cluster[self.cluster.copies_of(database)[0]]
        source = active.wait_copy(lambda copy: copy["state"] == "mounted" and copy["source"]["uncaptured_bytes"] == 0,
                                  "is mounted and has captured all", database, seconds=seconds)

        def settled(copy):
            queues = (copy["copy_queue"], copy["replay_queue"])
            return (copy["state"] == "healthy" and copy["replayed_commit"] >= source["commit"]
                    and all(queue and queue["bytes"] == 0 for queue in queues))

        return self.wait_copy(settled, f"is healthy and has commit {source['commit']}", database, seconds=seconds)

    def ccr(self, *arguments, seconds=COMMAND_SECONDS):
        """Runs ccr as somebody at this node types it: exit code, stdout, stderr."""
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=seconds, check=False)

    def json(self, *arguments, code=0):
        """The JSON that a command prints, whose exit code must be `code`."""
        done = self.ccr(*arguments, "--json")
        assert done.returncode == code, f"ccr {' '.join(arguments)}: exit code {done.returncode}, expected {code}: {done.stderr}"
        return json.loads(done.stdout)

    def events(self, *target):
        """Those that `ccr events` prints, in order."""
        return [json.loads(line) for line in self.ccr("events", *target).stdout.splitlines()]

    # --- what it takes ---

    def usage(self):
        """Bytes of memory now and at most, threads, descriptors."""
        fields = {}
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            fields[key] = value.split()
        return {"rss": int(fields["VmRSS"][0]) * 1024, "peak": int(fields["VmHWM"][0]) * 1024,
                "threads": int(fields["Threads"][0]), "descriptors": len(os.listdir(f"/proc/{self.pid}/fd"))}


class Cluster:
    def __init__(self, ccr, databases=(), nodes=("alpha", "beta"), network=Loopback, top=None, transport=None, tls=False, keep=False):
        """`network` makes the place where nodes live; `top` and `transport` are further keys of the configuration. `tls`: each node
        has a certificate of the cluster's own authority; without it TLS is off.

        `keep`: the directory stays when the `with` ends by an exception.
        """
        self.ccr = Path(ccr).resolve()
        self.databases = {database.name: database for database in (databases or [Database()])}
        self.names = tuple(nodes)
        self._make_network = network
        self._top = top or {}
        self._transport = transport or {}
        self.tls = tls
        self.denied, self.pins = [], {}  # serial numbers; fingerprints of keys by node: as write_config() says them
        self._keep = keep
        self._stack = contextlib.ExitStack()
        self.directory = None
        self.network = None
        self.nodes = {}

    def __enter__(self):
        try:
            self.directory = Path(tempfile.mkdtemp(prefix="ccr-trial-"))
            self._stack.callback(self._remove_directory)
            self.network = self._make_network(self.names)
            self._stack.callback(self.network.close)
            self.nodes = {name: Node(self, name) for name in self.names}
            self._stack.callback(self._end_all)
            self.write_config()
            if self.tls:
                self.make_certificates()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception) and not isinstance(error, Skipped):
            self.show_logs()
            if self._keep:
                print(f"   kept: {self.directory}", file=sys.stderr)
                self.directory = None
        with shielded_from_signals():
            self._stack.close()
        return False

    def __getitem__(self, name):
        return self.nodes[name]

    def keep(self, context):
        """Enters a context manager that ends with the cluster, before its daemons and its directory do."""
        return self._stack.enter_context(context)

    def copies_of(self, database):
        return self.databases[database].copies or self.names

    def write_config(self, addresses=None, path=None):
        """Writes the configuration, to its usual place or another; `addresses` overrides where a node is found."""
        lines = ['cluster = "trial"', f'state_dir = "{self.directory}/{{node}}/state"']
        lines += [f"{key} = {toml(value)}" for key, value in self._top.items()]
        for name in self.names:
            found_at = [addresses[name]] if name in (addresses or {}) else self.network.addresses(name)
            lines += [f"[nodes.{name}]", f"addresses = {toml(found_at)}"]
            lines += [f"pins = {toml(self.pins[name])}"] if name in self.pins else []
        lines += ["[tls]"]
        if self.tls:
            lines += [f"{key} = {toml(str(self.certificates / file))}" for key, file in
                      (("ca", "ca.pem"), ("cert", "{node}.pem"), ("key", "{node}.key"))]
            lines += [f"denied = {toml(self.denied)}"] if self.denied else []
        else:
            lines += ['mode = "off"']
        lines += ["[transport]"]
        lines += [f"{key} = {toml(value)}" for key, value in self._transport.items()]
        for name, database in self.databases.items():
            lines += [f"[databases.{name}]", f"kind = {toml(database.kind)}",
                      f"path = {toml(f'{self.directory}/{{node}}/{database.file_name}')}", f'logs = "{self.directory}/{{node}}/{name}-log"',
                      f"copies = {toml(list(self.copies_of(name)))}"]
            lines += [f"{key} = {toml(value)}" for key, value in database.options.items()]
        path = path or self.directory / "ccr.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    @property
    def certificates(self):
        return self.directory / "tls"

    def cert(self, *arguments):
        """What a `ccr cert` command says, as JSON."""
        command = [str(self.ccr), "--config", str(self.directory / "ccr.toml"), "cert", *arguments, "--json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def certificate(self, name):
        """What is in a node's certificate."""
        return self.cert("show", str(self.certificates / f"{name}.pem"))["certificates"][0]

    def make_certificates(self):
        self.cert("ca", "--out", str(self.certificates))
        for name in self.names:
            self.cert("issue", name, "--out", str(self.certificates))

    def start(self, *names):
        """Starts nodes (all when none is named) and waits until what is active serves, and what is passive knows what it is."""
        names = names or self.names
        for name in names:
            self[name].start()
        for name in names:
            self[name].wait_serving()
            for database in self.databases:
                copies = self.copies_of(database)
                if copies[0] == name:
                    self[name].wait_state(database, "mounted")
                elif name in copies:
                    self[name].wait_opened(database)
        return self

    def seed(self, seconds=60):
        """Makes every passive copy, one after the other, until each has nothing left to do."""
        for database in self.databases:
            for name in self.copies_of(database)[1:]:
                self[name].ask("seed", database=database, node=name)
                self[name].wait_settled(database, seconds)
        return self

    def show_logs(self):
        for node in self.nodes.values():
            standing = "runs" if node.running else "does not run" if node.process is None else f"ended with {node.process.returncode}"
            print(f"\n-- {node.name} {standing}; its last lines", file=sys.stderr)
            for line in node.last_lines():
                print("   " + line, file=sys.stderr)

    def _remove_directory(self):
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _end_all(self):
        for node in self.nodes.values():
            node.kill()


def end_with_parent():
    """In a child, before exec: the kernel kills it when this program is gone. A terminal's Ctrl-C is ours to handle."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.setpgid(0, 0)


@contextlib.contextmanager
def shielded_from_signals():
    """A second Ctrl-C does not cut the cleaning short."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
