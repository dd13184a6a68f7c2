#!/usr/bin/env python3
"""Plants the bugs of tests/zoo.toml one at a time in a copy of the tree, and expects the test that each names to fail: tests/zoo.py [NAME...]

The copy is build/zoo, or --directory, which stays, so that the next run builds less. The tests must pass there first. Ends with 0 only when every bug was found.
--check plays nothing: each text stands once where it should, and each test exists. --list has the names. CCR_JOBS: compilers at a time (all cores).
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

sys.dont_write_bytecode = True  # the tree stays as it is

import faults  # noqa: E402  (behind the line above)

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
JOBS = os.environ.get("CCR_JOBS", str(os.cpu_count() or 1))
TEST_SECONDS_MAX = 200  # one that hangs has found it
BUGS_MIN = 15


class Broken(Exception):
    """The zoo itself is not right."""


def bugs():
    return tomllib.loads((TESTS / "zoo.toml").read_text())


def edits(bug):
    """(file, text, what it becomes) of each change."""
    return [(edit.get("file", bug["file"]), edit["text"], edit["becomes"]) for edit in (bug, *bug.get("more", ()))]


def problems():
    known, found = faults.cases(), []
    for name, bug in bugs().items():
        for file, text, becomes in edits(bug):
            path = ROOT / file
            count = path.read_text().count(text) if path.is_file() else 0
            found += [f"{name}: its text stands {count} times in {file}: {text!r}"] if count != 1 else []
            found += [f"{name}: nothing is changed"] if text == becomes else []
        found += [f"{name}: no test is called {test}" for test in bug["tests"] if test not in known]
        found += [f"{name}: no test"] if not bug["tests"] else []
    found += [f"fewer than {BUGS_MIN} bugs"] if len(bugs()) < BUGS_MIN else []
    return found


class Copy:
    """A copy of the tree with a build of its own."""

    def __init__(self, directory):
        self.tree, self.build_directory = directory, directory / "build/zoo"

    def refresh(self):
        """Only what differs is written: the rest is built already, and what an interrupted run planted is taken out."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, copy = ROOT / name, self.tree / name
            if not source.is_file() or copy.is_file() and copy.read_bytes() == source.read_bytes():
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
            copy.chmod(source.stat().st_mode)

    def build(self, tests):
        """What the compilers said, where it failed."""
        targets = sorted({f"{test.split('.')[0]}_test" for test in tests})
        done = subprocess.run(["cmake", "--build", str(self.build_directory), "-j", JOBS, "--target", *targets], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout[-3000:] if done.returncode != 0 else ""

    def prepare(self, tests):
        self.refresh()
        command = ["cmake", "--preset", "asan", "-B", str(self.build_directory), "-DCCR_SANITIZE=", "-DCCR_HEADERS_ALONE=OFF", "-DCCR_BENCH=OFF"]
        done = subprocess.run(command, cwd=self.tree, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        said = done.stderr if done.returncode != 0 else self.build(tests)
        if said:
            raise Broken(f"the copy of the tree does not build:\n{said}")

    def run_tests(self, tests):
        """The first of them that fails, and how; None where all pass."""
        for test in tests:
            binary, suite, case = test.split(".")
            command = [str(self.build_directory / f"tests/{binary}_test"), f"--gtest_filter={suite}.{case}:*/{suite}.{case}/*", "--gtest_brief=0"]
            try:
                done = subprocess.run(command, cwd=self.tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      timeout=TEST_SECONDS_MAX, check=False)
            except subprocess.TimeoutExpired:
                return test, f"hangs for {TEST_SECONDS_MAX} s"
            ran = re.search(rb"Running (\d+) tests?", done.stdout)
            if not ran or int(ran.group(1)) == 0:
                raise Broken(f"{test} runs nothing")
            if done.returncode != 0:
                return test, f"code {done.returncode}"
        return None

    def plant(self, bug):
        """Returns what to write back."""
        before = {}
        for file, text, becomes in edits(bug):
            path = self.tree / file
            content = path.read_text()
            before.setdefault(path, content)
            path.write_text(content.replace(text, becomes))
        return before

    def play(self, bug):
        """(found by, how), or None; seconds to build and to test."""
        began = time.monotonic()
        before = self.plant(bug)
        try:
            said = self.build(bug["tests"])
            if said:
                raise Broken(f"it does not build:\n{said}")
            built = time.monotonic()
            found = self.run_tests(bug["tests"])
            return found, built - began, time.monotonic() - built
        finally:
            for path, content in before.items():
                path.write_text(content)


def play_all(names, directory):
    chosen = {name: bugs()[name] for name in names}
    tests = sorted({test for bug in chosen.values() for test in bug["tests"]})
    began = time.monotonic()
    copy = Copy(directory)
    copy.prepare(tests)
    failing = copy.run_tests(tests)
    if failing:
        raise Broken(f"without any bug {failing[0]} fails: {failing[1]}")
    print(f"{len(tests)} tests pass without a bug, {time.monotonic() - began:.0f} s with their build\n", flush=True)
    print(f"{'bug':<36} {'':<7} {'build':>6} {'test':>6}  by")
    counts = {"found": 0, "MISSED": 0, "BROKEN": 0}
    for name, bug in chosen.items():
        building = testing = 0.0
        try:
            found, building, testing = copy.play(bug)
            verdict, by = ("found", f"{found[0]}, {found[1]}") if found else ("MISSED", ", ".join(bug["tests"]))
        except Broken as broken:
            verdict, by = "BROKEN", str(broken)
        counts[verdict] += 1
        print(f"{name:<36} {verdict:<7} {building:>4.0f} s {testing:>4.0f} s  {by}", flush=True)
        if verdict == "MISSED":
            print(f"{'':<36} it would cost: {bug['costs']}", flush=True)
    print(f"\nzoo: {counts['found']} found, {counts['MISSED']} missed, {counts['BROKEN']} broken of {len(chosen)} bugs, {time.monotonic() - began:.0f} s")
    return 0 if counts["found"] == len(chosen) else 1


def raise_interrupt(_number, _frame):
    raise KeyboardInterrupt


def main(arguments):
    signal.signal(signal.SIGTERM, raise_interrupt)
    parser = argparse.ArgumentParser(prog="tests/zoo.py", formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="bugs [all]")
    parser.add_argument("--directory", type=Path, default=ROOT / "build/zoo", help="of the copy and its build [build/zoo]")
    parser.add_argument("--check", action="store_true", help="only hold zoo.toml to the tree")
    parser.add_argument("--list", action="store_true", help="what there is, and what each would cost")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in bugs()]
    found = [f"no bug is called '{name}'" for name in unknown] + problems()
    for words in found:
        print(words, file=sys.stderr)
    if found:
        return 2 if unknown else 1
    if options.list:
        print("\n".join(f"{name:<36} {bug['costs']}" for name, bug in bugs().items()))
        return 0
    if options.check:
        print(f"counts: bugs {len(bugs())}")
        return 0
    try:
        return play_all(options.names or list(bugs()), options.directory)
    except Broken as broken:
        print(f"tests/zoo.py: {broken}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
