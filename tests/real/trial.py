"""The trials of real processes: what each gets, how it says what it found, and the command line of tools/trial.

A trial is a module with a docstring, whose first line stands in the list, and `run(trial)`. It holds what must be true with
`trial.check`, which ends it at the first thing that is not. Trials with parts that do not need each other run them with
`trial.part`: the next one runs although one before failed. Exit code: 0 only when everything held.
"""

import argparse
import importlib
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from cluster import Cluster, Skipped
from control import Refused, Unreachable

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "build/release/tools/ccr"

# Name: its module here.
TRIALS = {
    "bad-input": "bad_input",
    "config-write": "config_write",
    "cut": "cut",
    "drill": "drill",
    "edited": "edited",
    "flood": "flood",
    "handover": "handover",
    "sqlite-backups": "sqlite_backups",
    "sqlite-handover": "sqlite_handover",
    "hung": "hung",
    "kill": "kill",
    "many": "many",
    "measure": "measure",
    "membership": "membership",
    "memory": "memory",
    "mistake": "mistake",
    "outages": "outages",
    "paths": "paths",
    "power": "power",
    "read-only": "read_only",
    "rounds": "rounds",
    "scarce": "scarce",
    "scrub": "scrub",
    "seed-faults": "seed_faults",
    "service": "service",
    "set-clock": "set_clock",
    "sqlite-shapes": "sqlite_shapes",
    "sqlite-changes": "sqlite_changes",
    "sqlite-refusals": "sqlite_refusals",
    "sqlite-load": "sqlite_load",
    "sqlite-manners": "sqlite_manners",
    "stale-config": "stale_config",
    "streams": "streams",
    "trust": "trust",
}


class Failed(AssertionError):
    """Something that must be true is not."""


FAILURES = (AssertionError, Refused, Unreachable, OSError, subprocess.SubprocessError, KeyError, ValueError)

FRAMES_SHOWN = 5


class Trial:
    def __init__(self, options):
        self.ccr = options.ccr
        self.seed = options.seed
        self.short = options.short
        self.rounds_asked = options.rounds
        self.random = random.Random(self.seed)
        self.keeps = options.keep
        self.checks = self.failures = self.skips = 0

    def rounds(self, short, long):
        """How many rounds to play: as asked, or the form's own number."""
        return self.rounds_asked or (short if self.short else long)

    def cluster(self, **arguments):
        return Cluster(self.ccr, keep=self.keeps, **arguments)

    def chapter(self, words):
        print(f"\n== {words}", flush=True)

    def say(self, words):
        print(f"   {words}", flush=True)

    def check(self, words, holds, found=""):
        """One thing that must be true, shown as a line."""
        self.require(words, holds, found)
        print(f"   [ ok ] {words}", flush=True)

    def require(self, words, holds, found=""):
        """The same without a line, for things that are looked at many times."""
        if not holds:
            raise Failed(f"{words}; found {found}" if found != "" else words)
        self.checks += 1

    def part(self, words, play, *arguments):
        """Plays one part; whatever it fails with is shown and counted, and the next part can be played."""
        self.chapter(words)
        self.attempt(words, play, *arguments)

    def attempt(self, words, play, *arguments):
        try:
            play(self, *arguments)
        except Skipped as reason:
            self.skips += 1
            print(f"   [skip] {reason}", flush=True)
        except FAILURES as failure:
            self.failures += 1
            for frame in traceback.extract_tb(failure.__traceback__)[-FRAMES_SHOWN:]:
                print(f"          {Path(frame.filename).name}:{frame.lineno} {frame.line}", flush=True)
            print(f"   [FAIL] {words}: {type(failure).__name__}: {failure}", flush=True)


def mib(count):
    return f"{count / 2**20:.1f} MiB"


def summaries():
    lines = []
    for name, module in TRIALS.items():
        first = importlib.import_module(module).__doc__.strip().splitlines()[0]
        lines.append(f"  {name:<12} {first}")
    return "\n".join(lines)


def options_of(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/trial", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Plays real ccr daemons through faults and checks what must hold.\n\nTrials:\n" + summaries())
    parser.add_argument("name", nargs="?", help="the trial; without it the trials are listed")
    parser.add_argument("--rounds", type=int, help="how often, where a trial has rounds")
    parser.add_argument("--seed", type=int, help="of everything random; the same seed plays the same faults [random, and shown]")
    parser.add_argument("--ccr", type=Path, default=BINARY, metavar="FILE", help="the binary [build/release/tools/ccr]")
    parser.add_argument("--short", action="store_true", help="the form that the check runs")
    parser.add_argument("--keep", action="store_true", help="leave the directory of a failed part where it is")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "big")
    return parser, options


def raise_exit(number, _frame):
    sys.exit(128 + number)


def main(arguments):
    parser, options = options_of(arguments)
    if options.name is None:
        parser.print_help()
        return 0
    if options.name not in TRIALS:
        print(f"tools/trial: no trial is called '{options.name}'; there are {', '.join(TRIALS)}", file=sys.stderr)
        return 2
    if not os.access(options.ccr, os.X_OK):
        print(f"tools/trial: no ccr at {options.ccr}; build it (README.md) or name one with --ccr FILE", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, raise_exit)
    trial = Trial(options)
    print(f"trial {options.name}, seed {trial.seed}", flush=True)
    began = time.monotonic()
    module = importlib.import_module(TRIALS[options.name])
    try:
        trial.attempt(options.name, module.run)
    except KeyboardInterrupt:
        return 130
    seconds = time.monotonic() - began
    print(f"\n{options.name}: {trial.checks} checks held, {trial.failures} failed, {trial.skips} skipped, {seconds:.1f} s,"
          f" seed {trial.seed}")
    return 1 if trial.failures else 0
