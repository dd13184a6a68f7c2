#!/usr/bin/env python3
"""What one TCP stream makes of a link: by congestion control, by window, by loss. Prints the tables of tools/LINKLAB.md.

  bench/link_table.py [streams] [windows] [loss]     all three, about twelve minutes; needs root, iperf3, and the emulator built
  --seconds 6  --rounds 3                            of each figure: the median of so many rounds, the cases taken in turn

The emulator's CPU is its own, of one core, while the stream ran."""

import argparse
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
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


def iperf3(lab, congestion, best_window, seconds):
    """Best window: the sender's own buffer may grow to 64 MiB, in its namespace alone; the receiver's grows to 32 MiB anyway."""
    if best_window:
        for sysctl, most in (("tcp_wmem", SNDBUF_BEST), ("tcp_rmem", SNDBUF_BEST)):
            for end in "ab":
                subprocess.run(["ip", "netns", "exec", space(lab, end), "sh", "-c",
                                f"echo 4096 131072 {most} >/proc/sys/net/ipv4/{sysctl}"], check=True)
    there = ["ip", "netns", "exec", space(lab, "b")]
    server = subprocess.Popen([*there, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + SERVER_SECONDS_MAX
        while not subprocess.run([*there, "ss", "-Hltn", "sport = :5201"], capture_output=True).stdout:
            if time.monotonic() > end:
                raise RuntimeError("iperf3 does not listen")
            time.sleep(0.05)
        before = emulator_cpu(lab)
        done = subprocess.run(["ip", "netns", "exec", space(lab, "a"), "iperf3", "-c", "10.78.0.2", "-J", "-t", str(seconds),
                               "-O", "2", "-C", congestion], capture_output=True, text=True, timeout=seconds + 60)
        after = emulator_cpu(lab)
    finally:
        server.kill()
        server.wait()
    said = json.loads(done.stdout)
    if "error" in said:
        raise RuntimeError(said["error"])
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
    parser.add_argument("tables", nargs="*", metavar="streams|windows|loss")
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tables = {"streams": streams, "windows": windows, "loss": loss}
    for name in options.tables or tables:
        if name not in tables:
            parser.error(f"no table '{name}'")
    if os.geteuid() != 0:
        sys.exit("bench/link_table.py: not root: links are made by root only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that links are taken away
    for name in options.tables or tables:
        tables[name](options)


if __name__ == "__main__":
    main()
