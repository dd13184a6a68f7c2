"""Where the nodes of a cluster live: all on loopback, or each in a network namespace of its own with a cable between.

Both give `address(node)`, `prefix(node)` (what to put before a command so that it runs there), and `close()`, which takes away
whatever was made. Only the cable can be pulled (`down`, `up`); it needs root and joins exactly two nodes.
"""

import os
import socket
import subprocess

CABLE_PORT = 64327
cables_made = 0


def free_ports(count):
    """Ports of loopback that nobody had a moment ago."""
    ends = [socket.socket() for _ in range(count)]
    try:
        for end in ends:
            end.bind(("127.0.0.1", 0))
        return [end.getsockname()[1] for end in ends]
    finally:
        for end in ends:
            end.close()


class Loopback:
    def __init__(self, nodes):
        self._ports = dict(zip(nodes, free_ports(len(nodes))))

    def address(self, node):
        return f"127.0.0.1:{self._ports[node]}"

    def prefix(self, node):
        return []

    def close(self):
        pass


class Cable:
    """Two namespaces, a veth pair, a token bucket at both ends."""

    def __init__(self, nodes, rate="1gbit", latency="20ms"):
        global cables_made
        cables_made += 1
        if os.geteuid() != 0:
            raise PermissionError("network namespaces need root")
        if len(nodes) != 2:
            raise ValueError("a cable has two ends")
        name = f"ccr-trial-{os.getpid()}-{cables_made}"
        self._spaces = {node: f"{name}-{node}" for node in nodes}
        self._links = {node: f"ct{os.getpid()}{'ab'[place]}{cables_made}" for place, node in enumerate(nodes)}
        self._addresses = {node: f"10.77.0.{place + 1}" for place, node in enumerate(nodes)}
        first, second = nodes
        try:
            for node in nodes:
                run("ip", "netns", "add", self._spaces[node])
            run("ip", "link", "add", self._links[first], "netns", self._spaces[first], "type", "veth",
                "peer", "name", self._links[second], "netns", self._spaces[second])
            for node in nodes:
                space, link = self._spaces[node], self._links[node]
                run("ip", "-n", space, "address", "add", self._addresses[node] + "/24", "dev", link)
                run("ip", "-n", space, "link", "set", link, "up")
                run("ip", "-n", space, "link", "set", "lo", "up")
                run("tc", "-n", space, "qdisc", "add", "dev", link, "root", "tbf", "rate", rate, "burst", "256kb",
                    "latency", latency)
        except BaseException:
            self.close()
            raise

    def address(self, node):
        return f"{self._addresses[node]}:{CABLE_PORT}"

    def prefix(self, node):
        return ["ip", "netns", "exec", self._spaces[node]]

    def down(self, node):
        run("ip", "-n", self._spaces[node], "link", "set", self._links[node], "down")

    def up(self, node):
        run("ip", "-n", self._spaces[node], "link", "set", self._links[node], "up")

    def close(self):
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL, check=False)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
