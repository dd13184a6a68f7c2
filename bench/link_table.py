#!/usr/bin/env python3
"""What one TCP stream makes of a link: by congestion control, by window, by loss. Prints the tables of tools/LINKLAB.md, and of
bench/README.md what ccr makes of it with each of its windows.

  bench/link_table.py [streams] [windows] [loss]     all three, about twelve minutes; needs root, iperf3, and the emulator built
  bench/link_table.py ccr ccr-loss --ccr FILE        two nodes that catch up with a log, TLS on, beside iperf3 with its best window;
                                                     about a quarter of an hour; needs tcpdump too, and 4 GiB in --dir
  --seconds 6  --rounds 3  --json FILE               of each figure: the median of so many rounds, the cases taken in turn

The emulator's CPU is its own, of one core, while the stream ran. ccr's rate is what the kernel of the copy says it received on the
connection of the log; its window scales are those of `ccr status`, compared with the SYNs that tcpdump saw: a difference ends the run."""

import argparse
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from link_accuracy import Lab, SO_SNDBUFFORCE, TCP_CONGESTION  # noqa: E402

SNDBUF_BEST = 64 << 20
WARM_SECONDS = 1.5
SERVER_SECONDS_MAX = 20


def space(lab, end):
    return f"linklab-{lab.name}-{end}"


def emulator_cpu(lab):
    shown = lab.show()
    return (shown["cpu_user_seconds"] + shown["cpu_system_seconds"], shown["seconds"]) if "seconds" in shown else (0, 0)


def iperf3_between(here, there, address, seconds, *options):
    """What iperf3 says of a run; `here` and `there` begin a command in either's namespace."""
    server = subprocess.Popen([*there, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + SERVER_SECONDS_MAX
        while not subprocess.run([*there, "ss", "-Hltn", "sport = :5201"], capture_output=True).stdout:
            if time.monotonic() > end:
                raise RuntimeError("iperf3 does not listen")
            time.sleep(0.05)
        done = subprocess.run([*here, "iperf3", "-c", address, "-J", "-t", str(seconds), *options], capture_output=True, text=True, timeout=seconds + 60)
    finally:
        server.kill()
        server.wait()
    said = json.loads(done.stdout)
    if "error" in said:
        raise RuntimeError(said["error"])
    return said


def iperf3(lab, congestion, best_window, seconds):
    """Best window: the sender's own buffer may grow to 64 MiB, in its namespace alone; the receiver's grows to 32 MiB anyway."""
    if best_window:
        for sysctl, most in (("tcp_wmem", SNDBUF_BEST), ("tcp_rmem", SNDBUF_BEST)):
            for end in "ab":
                subprocess.run(["ip", "netns", "exec", space(lab, end), "sh", "-c",
                                f"echo 4096 131072 {most} >/proc/sys/net/ipv4/{sysctl}"], check=True)
    before = emulator_cpu(lab)
    here, there = (["ip", "netns", "exec", space(lab, end)] for end in "ab")
    said = iperf3_between(here, there, "10.78.0.2", seconds, "-O", "2", "-C", congestion)
    after = emulator_cpu(lab)
    took = after[1] - before[1]
    return {"mbit": said["end"]["sum_received"]["bits_per_second"] / 1e6, "resent": said["end"]["sum_sent"]["retransmits"],
            "cpu": (after[0] - before[0]) / took if took else None, "late": late(lab)}


def late(lab):
    shown = lab.show()
    return shown["a_to_b"]["late_us_p99"] if "a_to_b" in shown else None


def by_window(lab, asked, seconds):
    """A receive buffer set by hand, before listening, as the scale in the SYN wants it."""
    sender, listener = lab.socket("a", socket.SOCK_STREAM), lab.socket("b", socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, asked)
    sender.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SNDBUF_BEST)
    sender.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, b"cubic")
    listener.bind(("10.78.0.2", 0))
    listener.listen()
    sender.connect(listener.getsockname())
    receiver, _ = listener.accept()
    ended = threading.Event()

    def send():
        piece = bytes(1 << 18)
        try:
            while not ended.is_set():
                sender.send(piece)
        except OSError:
            pass

    thread = threading.Thread(target=send)
    with sender, listener, receiver:
        thread.start()
        room, got = bytearray(1 << 20), 0
        warm_until = time.perf_counter() + WARM_SECONDS
        while (began := time.perf_counter()) < warm_until:
            receiver.recv_into(room)
        while (now := time.perf_counter()) < began + seconds:
            got += receiver.recv_into(room)
        told = sender.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 236)
        ended.set()
        receiver.shutdown(socket.SHUT_RDWR)
        sender.shutdown(socket.SHUT_RDWR)
        thread.join()
    window = struct.unpack_from("I", told, 228)[0]  # tcpi_snd_wnd
    return {"mbit": got * 8 / (now - began) / 1e6, "window": window, "scale": told[6] & 15}


def median_of(results, key):
    values = [result[key] for result in results if result[key] is not None]
    return statistics.median(values) if values else None


def in_turn(cases, rounds, measure):
    """Round by round, so that what the machine does meanwhile meets every case."""
    found = {case: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            found[case].append(measure(case))
            print(f"  {case}: {found[case][-1]}", file=sys.stderr, flush=True)
    return found


def lab_of(*numbers, by="auto"):
    return Lab(*numbers, emulator=None, by=by)


# --- ccr ----------------------------------------------------------------------------------------------------------------------------

def load(path):
    loader = importlib.machinery.SourceFileLoader(path.name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(path.name, loader))
    loader.exec_module(module)
    return module


compare = load(Path(__file__).resolve().parent / "compare")
WARM_CCR_SECONDS = 4  # auto doubles its buffer until it no longer decides; slow start at 100 ms takes two
LOG_LEFT_MIN = 64 << 20


class LabPlace:
    def __init__(self, lab):
        self.a, self.b = (["ip", "netns", "exec", space(lab, end)] for end in "ab")
        self.a_at, self.b_at = "10.78.0.1", "10.78.0.2"


class Here:
    a = b = []
    a_at = b_at = "127.0.0.1"


class CatchUp:
    """A log that beta lacks, made once; each case starts from it. Nodes keep their places, so the same directory is filled again."""

    def __init__(self, options, directory):
        self.options, self.dir, self.kept = options, directory, directory / "kept"
        with self.nodes(Here, "") as nodes:
            nodes.seed()
            nodes.ask("beta", "suspend", "bench@beta", "--comment", "until the link is there")
            nodes.ask("alpha", "load", "bench", "--rate", "unlimited", "--seconds", str(options.load_seconds), "--pattern", "seq",
                      "--transaction-pages", "64")
        self.live = nodes.dir
        shutil.copytree(self.live, self.kept)

    def nodes(self, place, transport):
        bench = argparse.Namespace(options=self.options, place=place, dir=self.dir)
        return compare.Nodes(bench, "pages", transport, tls=True)

    def measure(self, lab, window, congestion):
        shutil.rmtree(self.live)
        shutil.copytree(self.kept, self.live)
        place = LabPlace(lab)
        with Syns(place) as syns, self.nodes(place, f'window = "{window}"\ncongestion = "{congestion}"\n') as nodes:
            nodes.until_state("alpha", ("mounted",))
            nodes.until_state("beta", ("suspended",))
            nodes.ask("beta", "resume", "bench@beta")
            compare.until(lambda: received(place) > 0)
            time.sleep(WARM_CCR_SECONDS)
            before, began = received(place), time.monotonic()
            time.sleep(self.options.seconds)
            after, ended = received(place), time.monotonic()
            copy, sender = nodes.copy("beta", "beta"), nodes.copy("beta", "alpha")["connection"]
            left = nodes.copy("alpha", "alpha")["generated"]["generation"] - copy["received"]["generation"]
            if left << 20 < LOG_LEFT_MIN:
                raise RuntimeError(f"the log was caught up with: --load-seconds above {self.options.load_seconds}")
            syns.check(copy["connection"])
        told = copy["connection"]
        return {"mbit": (after - before) * 8 / (ended - began) / 1e6, "scale": told["window_scale"], "scaling": told["window_scaling"],
                "rtt": told["rtt_seconds"], "congestion": sender["congestion"], "granted": told["window_granted"],
                "resent": sender["retransmits"], "late": late(lab)}


def received(place):
    """Of beta's connection to alpha that received most: the kernel's count of the bytes TCP delivered."""
    shown = subprocess.run([*place.b, "ss", "-tinH", "state", "established", "dst", place.a_at], capture_output=True, text=True).stdout
    return max((int(count) for count in re.findall(r"bytes_received:(\d+)", shown)), default=0)


class Syns:
    """tcpdump beside beta: the window scale of each SYN, by who sent it."""

    def __init__(self, place):
        self.place, self.file = place, tempfile.TemporaryFile("w+")

    def __enter__(self):
        self.tcpdump = subprocess.Popen([*self.place.b, "tcpdump", "-i", "any", "-nn", "-l", "--immediate-mode", "tcp[tcpflags] & tcp-syn != 0"],
                                        stdout=self.file, stderr=subprocess.PIPE, text=True)
        self.tcpdump.stderr.readline()  # it listens
        return self

    def __exit__(self, *_):
        self.tcpdump.terminate()
        self.tcpdump.communicate()
        self.file.close()

    def check(self, told):
        self.file.seek(0)
        seen = {}
        for line in self.file:
            if parts := re.search(r" IP ([\d.]+)\.\d+ > .*?(?:wscale (\d+)|$)", line):
                seen.setdefault(parts[1], set()).add(int(parts[2]) if parts[2] else None)
        ours, theirs = (seen.get(at) for at in (self.place.b_at, self.place.a_at))
        expected = [{scale if told["window_scaling"] else None} for scale in told["window_scale"]]
        if [ours, theirs] != expected:
            raise RuntimeError(f"window scales: status says {told['window_scale']}, scaling {told['window_scaling']}; the SYNs {ours}, {theirs}")


def in_spaces(lab, sysctl, value):
    for end in "ab":
        subprocess.run(["ip", "netns", "exec", space(lab, end), "sh", "-c", f"echo {value} >/proc/sys/net/ipv4/{sysctl}"], check=True)


WINDOWS = {"64KiB": 1 << 16, "256KiB": 1 << 18, "1MiB": 1 << 20}
LINK_MBIT = 941.5  # what a gigabit carries of TCP's payload


def prepared(lab):
    """Buffers as most distributions have them, so that the figures do not rest on what this machine was tuned to."""
    in_spaces(lab, "tcp_rmem", "4096 131072 6291456")
    in_spaces(lab, "tcp_wmem", "4096 16384 4194304")


def ccr_case(catch_up, options, case):
    link, window = case
    with lab_of("--rate", "1gbit", *link, by="emulator") as lab:
        if window == "iperf3":
            return iperf3(lab, "bbr" if "--loss" in link else "cubic", True, options.seconds)
        prepared(lab)
        if window == "unscaled":
            in_spaces(lab, "tcp_window_scaling", 0)
        if window == "default":
            return catch_up.measure(lab, "auto", "cubic")
        return catch_up.measure(lab, window if window in WINDOWS else "auto", "auto")


def print_ccr(found, links):
    print("\n| link | window | Mbit/s | of each round | expected | of it | scale here, there | congestion | resent | late p99, us |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for (link, window), results in found.items():
        results = [result for result in results if result]
        if not results:
            continue
        rate, best = median_of(results, "mbit"), found.get((link, "iperf3"))
        seconds = float(link[1].removesuffix("ms")) / 1e3
        bytes_in_flight = WINDOWS.get(window, 65535 if window == "unscaled" else None)
        expected = min(bytes_in_flight * 8 / seconds / 1e6, LINK_MBIT) if bytes_in_flight else median_of(best, "mbit") if best else None
        one = results[-1]
        scale = "-" if "scale" not in one else "off" if not one["scaling"] else ", ".join(map(str, one["scale"]))
        print(f"| {links[link]} | {window} | {rate:.1f} | {', '.join(format(result['mbit'], '.1f') for result in results)} | "
              f"{'-' if expected is None else f'{expected:.1f}'} | {'-' if expected is None else f'{rate / expected:.2f}'} | {scale} | "
              f"{', '.join(sorted({result.get('congestion', '-') for result in results}))} | {median_of(results, 'resent'):.0f} | "
              f"{'-' if one['late'] is None else format(median_of(results, 'late'), '.0f')} |", flush=True)


def ccr_table(options, links, windows):
    with tempfile.TemporaryDirectory(prefix="ccr-windows-", dir=options.dir) as directory:
        catch_up = CatchUp(options, Path(directory))

        def measure(case):
            return ccr_case(catch_up, options, case)

        cases = [(link, window) for link in links for window in windows]
        found = in_turn(cases, options.rounds, measure)
    print_ccr(found, links)
    if options.json:
        rows = [{"link": links[link], "window": window, "rounds": results} for (link, window), results in found.items()]
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")  # bench/window_chart.py draws it


def ccr(options):
    links = {("--rtt", rtt): rtt[:-2] + " ms" for rtt in options.rtt.split(",")}
    ccr_table(options, links, options.windows.split(","))


def ccr_loss(options):
    links = {("--rtt", "20ms", "--loss", share): f"20 ms, {share} lost" for share in ("1/10000", "1/1000")}
    ccr_table(options, links, ["iperf3", "default", "auto"])


def print_streams(title, found):
    print(f"\n| {title} | congestion | window | Mbit/s | of each round | resent | emulator, cores | late p99, us |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (words, congestion, best), results in found.items():
        cpu, lateness = median_of(results, "cpu"), median_of(results, "late")
        rounds = ", ".join(f"{result['mbit']:.0f}" for result in results)
        print(f"| {words} | {congestion} | {'best' if best else 'default'} | {median_of(results, 'mbit'):.0f} | {rounds} | "
              f"{median_of(results, 'resent'):.0f} | {'-' if cpu is None else f'{cpu:.2f}'} | "
              f"{'-' if lateness is None else f'{lateness:.0f}'} |", flush=True)


def streams(options):
    def measure(case):
        with lab_of("--profile", case[0]) as lab:
            return iperf3(lab, case[1], case[2], options.seconds)

    cases = [(profile, congestion, best) for profile in ("lan", "wan-20ms", "wan-100ms") for congestion in ("cubic", "bbr")
             for best in (False, True)]
    print_streams("profile", in_turn(cases, options.rounds, measure))


def loss(options):
    def measure(case):
        with lab_of("--profile", "lossy", "--loss", case[0]) as lab:
            return iperf3(lab, case[1], case[2], options.seconds)

    cases = [(share, congestion, True) for share in ("1/10000", "1/1000") for congestion in ("cubic", "bbr")]
    print_streams("20 ms, loss", in_turn(cases, options.rounds, measure))


def windows(options):
    def measure(asked):
        with lab_of("--profile", "wan-20ms") as lab:
            return by_window(lab, asked, options.seconds)

    found = in_turn([1 << shift for shift in range(15, 22)], options.rounds, measure)
    print("\n| SO_RCVBUF asked, 20 ms | scale | window seen, bytes | Mbit/s | of each round | goodput / (window / RTT) |\n"
          "| --- | --- | --- | --- | --- | --- |")
    for asked, results in found.items():
        rate, window = median_of(results, "mbit"), median_of(results, "window")
        print(f"| {asked // 1024} KiB | {median_of(results, 'scale'):.0f} | {window:,.0f} | {rate:.1f} | "
              f"{', '.join(format(result['mbit'], '.1f') for result in results)} | {rate * 1e6 / 8 * 0.020 / window:.3f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="streams|windows|loss|ccr|ccr-loss")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ccr", type=os.path.abspath)
    parser.add_argument("--rtt", default="0.2ms,20ms,100ms", help="of ccr's links")
    parser.add_argument("--windows", default=",".join(["iperf3", *WINDOWS, "unscaled", "auto"]), help="of the table ccr")
    parser.add_argument("--load-seconds", type=int, default=10, help="how long the log is written that beta then lacks")
    parser.add_argument("--dir")
    parser.add_argument("--json", help="of the last table of ccr")
    options = parser.parse_args()
    tables = {"streams": streams, "windows": windows, "loss": loss, "ccr": ccr, "ccr-loss": ccr_loss}
    names = options.tables or ["streams", "windows", "loss"]
    for name in names:
        if name not in tables:
            parser.error(f"no table '{name}'")
        if name.startswith("ccr") and not options.ccr:
            parser.error(f"{name} needs --ccr build/release/tools/ccr")
    if os.geteuid() != 0:
        sys.exit("bench/link_table.py: not root: links are made by root only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that links are taken away
    for name in names:
        tables[name](options)


if __name__ == "__main__":
    main()
