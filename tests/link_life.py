#!/usr/bin/env python3
"""Whether tools/linklab leaves nothing behind, however it ends, and says what is wrong. Needs root and TUN; 77: skipped.

  tests/link_life.py [--emulator FILE]"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LINKLAB = Path(__file__).resolve().parent.parent / "tools/linklab"
EMULATOR = sys.argv[2:3] if sys.argv[1:2] == ["--emulator"] else []
NAME = f"life-{os.getpid()}"
WAIT_SECONDS_MAX = 60
SKIPPED = 77
failures = 0


def check(words, held, found=""):
    global failures
    failures += not held
    print(f"[{' ok ' if held else 'FAIL'}] {words}" + ("" if held else f": {found}"), flush=True)


def linklab(*words):
    return subprocess.run([LINKLAB, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def numbers():
    return ["--rtt", "2ms", "--by", "emulator"] + (["--emulator", *EMULATOR] if EMULATOR else [])


def until(state):
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not state():
        if time.monotonic() > end:
            raise RuntimeError("it did not come to pass")
        time.sleep(0.05)


def left_over():
    spaces = [space for space in os.listdir("/run/netns") if NAME in space] if os.path.isdir("/run/netns") else []
    return spaces + ([NAME] if os.path.exists(f"/run/linklab/{NAME}") else [])


def recorded():
    try:
        return json.loads(Path(f"/run/linklab/{NAME}/link.json").read_text())
    except (OSError, ValueError):
        return {}


def running(pid):
    return os.path.exists(f"/proc/{pid}") and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def start_run(script):
    """A run in a session of its own, at the time its command runs."""
    begun = subprocess.Popen([LINKLAB, "run", "--name", NAME, *numbers(), "--", "sh", "-c", f"touch /run/linklab/{NAME}/begun; {script}"],
                             start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: os.path.exists(f"/run/linklab/{NAME}/begun") or begun.poll() is not None)
    return begun, int(recorded()["emulator"].split()[0])


def ends():
    done = linklab("run", "--name", NAME, *numbers(), "--", "sh", "-c", "ip netns exec $LINK_A sleep 600 & exit 9")
    check("a run ends as its command does", done.returncode == 9, done)
    check("and leaves nothing, not even what runs in its namespaces", not left_over(), left_over())
    done = linklab("run", "--name", NAME, *numbers(), "--", "/no/such/program")
    check("a command that is not there is 127, and leaves nothing", done.returncode == 127 and not left_over(), done)
    for number in (signal.SIGTERM, signal.SIGHUP):
        begun, emulator = start_run("exec sleep 600")
        begun.send_signal(number)
        code = begun.wait(WAIT_SECONDS_MAX)
        check(f"{number.name} ends command, emulator and link", code == 128 + number and not left_over() and not running(emulator),
              (code, left_over()))
    begun, emulator = start_run("trap 'exit 3' INT; sleep 600 & wait")
    os.killpg(begun.pid, signal.SIGINT)
    code = begun.wait(WAIT_SECONDS_MAX)
    check("Ctrl-C does too", code == 130 and not left_over() and not running(emulator), (code, left_over()))


def crashes():
    begun, emulator = start_run("exec sleep 600")
    command = Path(f"/proc/{begun.pid}/task/{begun.pid}/children").read_text().split()
    begun.kill()
    begun.wait()
    until(lambda: not running(emulator))
    check("the emulator of a killed run ends by itself, the namespaces stay", len(left_over()) == 3, left_over())
    check("list calls it stale", f"{NAME}: stale" in linklab("list").stdout)
    done = linklab("down", "--stale")
    check("down --stale takes it away", f"{NAME}: removed" in done.stdout and not left_over(), done)
    for pid in command:
        if running(pid):
            os.kill(int(pid), signal.SIGKILL)


def stays():
    linklab("up", NAME, *numbers())
    emulator = int(recorded()["emulator"].split()[0])
    linklab("down", "--stale")
    check("a link that is up is not stale", len(left_over()) == 3 and running(emulator), left_over())
    done = linklab("up", NAME, *numbers())
    check("a second one of its name is refused", done.returncode == 1 and running(emulator), done)
    done = linklab("exec", NAME, "a", "--", "sh", "-c", "ip -o -4 address show dev link; echo $LINK_B_ADDRESS")
    check("a command runs at its end", "10.78.0.1/24" in done.stdout and done.stdout.endswith("10.78.0.2\n"), done)
    shown = json.loads(linklab("show", NAME, "--json").stdout)
    check("show has what it was asked for", (shown["rtt_ns"], shown["by"]) == (2_000_000, "emulator"), shown)
    check("and counters", shown["a_to_b"]["dropped_by_loss"] == 0, shown)
    os.kill(emulator, signal.SIGKILL)
    until(lambda: not running(emulator))
    linklab("down", "--stale")
    check("when its emulator is killed it is stale", not left_over(), left_over())
    owner = subprocess.Popen(["sleep", "600"])
    linklab("up", NAME, "--owner", str(owner.pid), *numbers())
    linklab("down", "--stale")
    check("a link with an owner is not stale", len(left_over()) == 3, left_over())
    owner.kill()
    owner.wait()
    linklab("down", "--stale")
    check("when its owner is gone it is", not left_over(), left_over())


def refuses():
    for words, code, said in (
            (("run", "--profile", "moon", "--", "true"), 2, "no profile 'moon'"),
            (("run", "--rtt", "5", "--", "true"), 2, "'5' is no amount"),
            (("run", "--by", "tbf", "--rtt", "1ms", "--", "true"), 2, "neither delay nor loss"),
            (("run", "--loss", "2", "--", "true"), 2, "not between 0 and 1"),
            (("run",), 2, "wants a command"),
            (("down",), 2, "wants a name"),
            (("down", NAME), 1, "no link"),
            (("up", "../x"), 2, "no name"),
            (("run", "--rtt", "1ms", "--emulator", "/no/such/file", "--", "true"), 1, "No such file")):
        done = linklab(*words)
        check(f"{' '.join(words)}: {said}", done.returncode == code and said in done.stderr, done)
    done = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", LINKLAB, "run", "--", "true"], capture_output=True, text=True)
    check("not root: says so", done.returncode in (1, 126, 127) and "ot root" in done.stderr or "ermission" in done.stderr, done)


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("skipped: not root, or no /dev/net/tun")
        return SKIPPED
    try:
        for part in (refuses, ends, crashes, stays):
            part()
    finally:
        linklab("down", NAME)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
