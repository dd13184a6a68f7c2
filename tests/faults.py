#!/usr/bin/env python3
"""Holds tests/faults.toml to the tree: every cell of the fault matrix has a test that exists, or says that it has none, which is counted and shown.

A cell that cannot exist by design says `cannot: why`; it is shown and not counted among the cells.
"""

import re
import sys
import tomllib
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PARTS = "LW GR CP IN RP CK SD TR TK FO CA CF".split()
FAULTS, CELLS = 36, 372
MISSING = "missing: "
CANNOT = "cannot: "  # by design: not counted among the cells


def cases():
    """BINARY.Suite.Case of every test of GoogleTest, as CMake's lists and the sources say."""
    found = set()
    for part in TESTS.glob("*.cmake"):
        for name, sources in re.findall(r"ccr_test\((\w+)\s+SOURCES\s+(.*?)\s+LIBS", part.read_text(), re.DOTALL):
            for source in sources.split():
                text = (TESTS / source).read_text()
                found |= {f"{name}.{suite}.{case}" for suite, case in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", text, re.MULTILINE)}
    return found


def trials():
    """real.TRIAL of every trial that the check plays."""
    lists = [words for part in TESTS.glob("*.cmake") for words in re.findall(r"ccr_trials\(([^)]*)\)", part.read_text())]
    return {"real." + entry.split("=")[0] for words in lists for entry in words.split()}


def swarm_faults():
    """swarm:FAULT of every kind without which a batch of the swarm fails."""
    kinds = re.search(r"for \(const Fault fault : \{(.*?)\}\)", (TESTS / "swarm_test.cc").read_text(), re.DOTALL).group(1)
    return {f"swarm:{name}" for name in re.findall(r"Fault::(\w+)", kinds)}


def cells(row):
    """The parts of a fault, each with its tests or its reason; what is wrong with the row itself."""
    found, wrong = {}, []
    for key, value in row.items():
        if key in ("fault", "codes"):
            continue
        for part in key.split():
            if part not in PARTS or part in found:
                wrong.append(f"'{part}' is no part, or is there twice")
            found[part] = value
    touched = [part for part, code in zip(PARTS, row["codes"].split(), strict=True) if code != "."]
    wrong += [f"{part} has no entry" for part in touched if part not in found]
    wrong += [f"{part} cannot be touched and has an entry" for part in found if part not in touched]
    return found, wrong


def matrix():
    return {number: cells(row) for number, row in tomllib.loads((TESTS / "faults.toml").read_text()).items()}


def counts():
    """Cells that can be, and those with a test."""
    all_cells = [value for found, _ in matrix().values() for value in found.values()]
    possible = [value for value in all_cells if not cannot(value)]
    return len(possible), sum(isinstance(value, list) for value in possible)


def cannot(value):
    return isinstance(value, str) and value.startswith(CANNOT) and len(value) > len(CANNOT)


def main():
    known = cases() | trials() | swarm_faults()
    problems, missing, by_design = [], [], []
    for number, (found, wrong) in matrix().items():
        problems += [f"fault {number}: {words}" for words in wrong]
        for part, value in found.items():
            if cannot(value):
                by_design.append((number, part, value))
            elif isinstance(value, str):
                if value.startswith(MISSING) and len(value) > len(MISSING):
                    missing.append((number, part, value))
                else:
                    problems.append(f"fault {number}, {part}: neither tests nor a reason: {value}")
            else:
                problems += [f"fault {number}, {part}: no test is called {name}" for name in value if name not in known]
                problems += [f"fault {number}, {part}: an empty list"] if not value else []
    every, tested = counts()
    if (len(matrix()), every + len(by_design)) != (FAULTS, CELLS):
        problems.append(f"{len(matrix())} faults and {every + len(by_design)} cells, expected {FAULTS} and {CELLS}")
    for number, part, reason in by_design + missing:
        print(f"fault {number}, {part}: {reason}")
    print(f"\ncounts: cells {every}, tested {tested}, missing {len(missing)}, cannot {len(by_design)}")
    for words in problems:
        print(words, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
