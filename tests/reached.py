#!/usr/bin/env python3
"""Prints what a run tried: rows R1 to R10 and S1 of the goals for faults, with what each check run is to reach.

    tests/reached.py LOG...

Reads what the tests printed themselves (ctest's LastTest.log, the fuzzers' logs, the trials'), and counts nothing that it did not find there. A
row that no test counts says so.
"""

import re
import sys
from pathlib import Path

import faults as fault_matrix

SWARM = re.compile(r"seeds (\d+) to (\d+): ([\d.]+) virtual hours, (\d+) events(.*)")
COUNTED = re.compile(r", (\d+) ([a-z][a-z_ ]*)")
FUZZED = re.compile(r"^Done (\d+) runs", re.MULTILINE)
ROUNDS = re.compile(r"counts: rounds (\d+), healed (\d+), operations (\d+), fired (\d+)")
KILLED = re.compile(r"^ +(?:kill|restart) +\d+ +(\d+)$", re.MULTILINE)
POWER = re.compile(r"^ +power: (\d+) kills at an operation, (\d+) cuts, (\d+) recorded cuts opened, (\d+) held$", re.MULTILINE)
MOMENTS = re.compile(r"^ +moments: (.*)$", re.MULTILINE)
IN_TURN = re.compile(r"failed in turn: (\d+) (disk|network) operations of (.*), (once|for ever)$", re.MULTILINE)
ZOO = re.compile(r"^zoo: (\d+) found, (\d+) missed, (\d+) broken", re.MULTILINE)
CRASHES = re.compile(r"^crash states opened: (\d+)$", re.MULTILINE)
REPEATED_EVERY = 100  # of the swarm's seeds: tests/swarm_test.cc
SEED_FAILED = re.compile(r"^seed (\d+)(?:: | tells two stories)", re.MULTILINE)  # as swarm_test says it of an expectation


class Reached:
    def __init__(self, text):
        kinds = {name.removeprefix("swarm:") for name in fault_matrix.swarm_faults()}
        self.seeds = self.events = self.fired = self.repeated = 0
        self.hours = 0.0
        for first, last, hours, events, rest in SWARM.findall(text):
            first, last = int(first), int(last)
            self.seeds += last - first + 1
            self.repeated += last // REPEATED_EVERY - (first - 1) // REPEATED_EVERY
            self.hours += float(hours)
            self.events += int(events)
            for count, name in COUNTED.findall(rest):
                self.fired += int(count) if name in kinds else 0
        self.wrong = len(set(SEED_FAILED.findall(text)))
        self.crashes = sum(map(int, CRASHES.findall(text)))
        self.fuzzed = sum(map(int, FUZZED.findall(text)))
        self.fuzzers = len(FUZZED.findall(text))
        self.rounds, self.healed, self.operations, self.operated = (sum(map(int, column)) for column in zip(*ROUNDS.findall(text), strict=True)) \
            if ROUNDS.search(text) else (0, 0, 0, 0)
        zoos = ZOO.findall(text)
        self.planted = sum(sum(map(int, counts)) for counts in zoos)
        self.found = sum(int(found) for found, _, _ in zoos)
        power = [tuple(map(int, counts)) for counts in POWER.findall(text)]
        self.struck, self.power_cuts, self.opened = (sum(counts[column] for counts in power) for column in range(3))
        self.struck_held = sum(held for kills, _, _, held in power if kills)
        self.cuts_held = sum(held for kills, _, _, held in power if not kills)
        in_turn = IN_TURN.findall(text)
        self.failed_in_turn, self.stories = {}, {}
        for kind in ("disk", "network"):
            self.failed_in_turn[kind] = sum(int(count) for count, of, _, _ in in_turn if of == kind)
            self.stories[kind] = len({story for _, of, story, how in in_turn if of == kind and how == "for ever"})  # the line behind it that of once
        self.kills = sum(map(int, KILLED.findall(text))) + sum(sum(map(int, re.findall(r"\d+", moments))) for moments in MOMENTS.findall(text))

    def in_turn(self, kind):
        """Tried, fired, survived: each line is told once all of it was well."""
        return f"{self.stories[kind]}", f"{self.failed_in_turn[kind]:,}", f"{self.failed_in_turn[kind]:,}"

    def rows(self):
        """Row, what, tried, fired, survived, each check run."""
        cells, tested = fault_matrix.counts()
        seeds = f"{self.seeds:,}"
        return (
            ("R1", "violated invariants in the swarm, by seed", seeds, "-", f"{self.seeds - self.wrong:,}", "0 violations"),
            ("R2", "seeds; hours of simulated time", seeds, f"{self.hours:,.0f} h", f"{self.seeds - self.wrong:,}", "2,000; 200 h"),
            ("R3", "faults that fired in it", "-", f"{self.fired:,}", "see R1", "40,000"),
            ("R4", "crash states opened, by the tests and the swarm", "-", f"{self.crashes:,}", "-", "35,000"),
            ("R5", "kill -9 of daemons at a chosen disk operation", "-", f"{self.struck:,}", f"{self.struck_held:,}", "300"),
            ("", "kill -9 of daemons at random moments", "-", f"{self.kills:,}", "see rounds", "-"),
            ("R6", "power cuts of daemons on a disk that lies (FUSE); recorded ones that a daemon opened", "-",
             f"{self.power_cuts:,}; {self.opened:,}", f"{self.cuts_held:,}", "60"),
            ("R7", "cells of the fault matrix with a test", f"{cells}", f"{tested}", "-", "100 %"),
            ("R8", "'fail the Nth operation' loops: stories; operations of the disk, once and for ever", *self.in_turn("disk"), "6; of memory none"),
            ("", "the same of the network", *self.in_turn("network"), "6"),
            ("R9", "seeds run twice, to the same trace", f"{self.repeated:,}", "-", "see R1", "1 %"),
            ("R10", "planted bugs that were found", f"{self.planted:,}", "-", f"{self.found:,}", "-; 28 of 30 in the long run"),
            ("S1", f"fuzz executions, {self.fuzzers} targets", f"{self.fuzzed:,}", "-", "-", "30,000,000; 14"),
            ("", "rounds of two real nodes; operations", f"{self.rounds:,}; {self.operations:,}", f"{self.operated:,}", f"{self.healed:,} healed", "-"),
        )


def table(text):
    rows = (("", "what", "tried", "fired", "survived", "each check run"), *Reached(text).rows())
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def main(files):
    print(table("\n".join(Path(file).read_text(errors="replace") for file in files if Path(file).exists())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
