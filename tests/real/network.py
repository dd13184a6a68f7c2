"""Where the nodes of a cluster live: all on loopback, or each in a network namespace of its own with a cable between.

Both give `address(node)`, `addresses(node)` (all, in order of preference), `prefix(node)` (what to put before a command so that it runs there), and `close()`, which takes away
whatever was made. Only the cable can be pulled (`down`, `up`), or lose what one end sends (`lose`, `find`); it needs root and joins exactly two nodes.
"""

import contextlib
import os
import random
import socket
import subprocess
from pathlib import Path

CABLE_PORT = 64327
PORT_MIN = 10_000  # those below are for services
NOBODY = "02:00:00:00:00:99"  # a link address that no end of a cable has
cables_made = 0


def free_ports(count):
    """Ports of loopback that nobody had a moment ago, and that no connection gets by itself while the daemon whose port it is does not run."""
    own_end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(PORT_MIN, own_end)
        with contextlib.closing(socket.socket()) as end, contextlib.suppress(OSError):
            end.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


class Loopback:
    def __init__(self, nodes):
        self._ports = dict(zip(nodes, free_ports(len(nodes))))

    def address(self, node):
        return f"127.0.0.1:{self._ports[node]}"

    def addresses(self, node):
        return [self.address(node)]

    def prefix(self, node):
        return []

    def close(self):
        pass


class Cable:
    """Two namespaces and a veth pair, with a token bucket at both ends; with `paths=2` a second pair, with IPv6."""

    def __init__(self, nodes, rate="1gbit", latency="20ms", paths=1):
        global cables_made
        cables_made += 1
        if os.geteuid() != 0:
            raise PermissionError("network namespaces need root")
        if len(nodes) != 2:
            raise ValueError("a cable has two ends")
        name = f"ccr-trial-{os.getpid()}-{cables_made}"
        self._spaces = {node: f"{name}-{node}" for node in nodes}
        self._links = {node: [f"ct{os.getpid()}{'ab'[place]}{cables_made}{path}" for path in range(paths)] for place, node in enumerate(nodes)}
        self._addresses = {node: [f"10.77.0.{place + 1}", f"fd78::{place + 1}"][:paths] for place, node in enumerate(nodes)}
        try:
            for node in nodes:
                run("ip", "netns", "add", self._spaces[node])
                run("ip", "-n", self._spaces[node], "link", "set", "lo", "up")
            for path in range(paths):
                self._lay(nodes, path, rate, latency)
        except BaseException:
            self.close()
            raise

    def _lay(self, nodes, path, rate, latency):
        first, second = nodes
        run("ip", "link", "add", self._links[first][path], "netns", self._spaces[first], "type", "veth",
            "peer", "name", self._links[second][path], "netns", self._spaces[second])
        for node in nodes:
            space, link, address = self._spaces[node], self._links[node][path], self._addresses[node][path]
            width = ["/64", "nodad"] if ":" in address else ["/24"]
            run("ip", "-n", space, "address", "add", address + width[0], "dev", link, *width[1:])
            run("ip", "-n", space, "link", "set", link, "up")
            run("tc", "-n", space, "qdisc", "add", "dev", link, "root", "tbf", "rate", rate, "burst", "256kb", "latency", latency)

    def address(self, node):
        return self.addresses(node)[0]

    def addresses(self, node):
        return [f"[{host}]:{CABLE_PORT}" if ":" in host else f"{host}:{CABLE_PORT}" for host in self._addresses[node]]

    def prefix(self, node):
        return ["ip", "netns", "exec", self._spaces[node]]

    def down(self, node):  # the first
        run("ip", "-n", self._spaces[node], "link", "set", self._links[node][0], "down")

    def up(self, node):
        run("ip", "-n", self._spaces[node], "link", "set", self._links[node][0], "up")

    def lose(self, node):
        """What this node sends is lost without a word to it, what it is sent arrives: its neighbour is said to be somebody who is not there."""
        run("ip", "-n", self._spaces[node], "neighbor", "replace", self._neighbour(node), "lladdr", NOBODY, "dev", self._links[node][0], "nud", "permanent")

    def find(self, node):
        """Ends lose()."""
        subprocess.run(["ip", "-n", self._spaces[node], "neighbor", "del", self._neighbour(node), "dev", self._links[node][0]],
                       stderr=subprocess.DEVNULL, check=False)  # a cable that went down forgot it already

    def _neighbour(self, node):
        return next(addresses[0] for name, addresses in self._addresses.items() if name != node)

    def close(self):
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL, check=False)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
