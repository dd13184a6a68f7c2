"""What must hold of a copy, judged from outside: by ccr verify, from the files of a node at rest, and by SQLite itself."""

import json
import re
import sqlite3
import struct
from contextlib import closing

LOAD_MAGIC = 0x64616F6C20726363
LOAD_HEADER_BYTES = 24
WORD = 2**64 - 1
VERIFY_TRIES_MAX = 3
LOST_CONNECTION = 3  # exit code
INTERRUPTED_SECONDS = 60  # the active copy mounts again

# Every file that a node at rest may have, by a name relative to its directory. {db} is the database.
EXPECTED = (
    r"(pages/)?{db}\.db(-wal|-shm|\.copy)?",
    r"{db}\.db-(wal|journal|shm)\.before-epoch-[0-9]+",
    r"state/lock", r"state/control\.sock", r"state/events\.jsonl(\.1)?",
    r"state/{db}/(ccr-identity|digests|seed\.map|state\.[01])",
    r"{db}-log/(ccr-identity|current\.log|prepared\.log|spare\.[0-9]+|reserve\.[0-9]+|[0-9a-f]{{16}}\.log)",
    r"{db}-log/incoming/[0-9a-f]{{16}}\.log",
    r"{db}-log/quarantine/[0-9a-f]{{16}}\.log\.[0-9]+",  # what a new pass of a seed set aside
    r"{db}-log/quarantine/pages/[0-9a-f]{{8}}-[0-9a-f]{{16}}\.page",  # what rotted
)
INCOMING_MAX = 2  # the open generation, and one whose seal was not synced


def load_image(page, sequence, page_size):
    """The image that `ccr load` writes: what page and commit it is, then words of SplitMix64 over its first half, then zeros."""
    image = bytearray(page_size)
    struct.pack_into("<QQQ", image, 0, LOAD_MAGIC, page, sequence)
    state = (sequence * 0x100000001B3 + page) & WORD
    end = LOAD_HEADER_BYTES + (page_size - LOAD_HEADER_BYTES) // 16 * 8
    for at in range(LOAD_HEADER_BYTES, end - 7, 8):
        state = (state + 0x9E3779B97F4A7C15) & WORD
        word = state
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
        struct.pack_into("<Q", image, at, word ^ (word >> 31))
    return bytes(image)


def check_load_pages(trial, node, database, last_commit, sample, page_size=4096):
    """A random sample of a page store's file: each page is zeros or exactly what one commit of a load wrote. Returns how many were."""
    path = node.database_path(database)
    pages = path.stat().st_size // page_size
    written = 0
    with open(path, "rb") as file:
        for page in trial.random.sample(range(1, pages + 1), min(sample, pages)):
            file.seek((page - 1) * page_size)
            image = file.read(page_size)
            if not image.strip(b"\0"):
                continue
            magic, number, sequence = struct.unpack_from("<QQQ", image)
            trial.require(f"page {page} of {node.name} is an image of a load", (magic, number) == (LOAD_MAGIC, page))
            trial.require(f"page {page} of {node.name} is of a commit that was made", sequence <= last_commit, sequence)
            trial.require(f"page {page} of {node.name} is whole", image == load_image(page, sequence, page_size))
            written += 1
    return written


def litter(node, databases):
    """Files in a node's directory that should not be there."""
    found = [str(path.relative_to(node.directory)) for path in node.directory.rglob("*") if not path.is_dir()]
    known = [re.compile(rule.format(db=re.escape(database))) for database in databases for rule in EXPECTED]
    strange = [name for name in found if not any(rule.fullmatch(name) for rule in known)]
    incoming = [name for name in found if "/incoming/" in name]
    return strange + (incoming if len(incoming) > INCOMING_MAX * len(databases) else [])


def check_files(trial, cluster):
    """All nodes at rest: every log's chain holds, and no file is there that should not be."""
    for node in cluster.nodes.values():
        for database in cluster.databases:
            if node.name not in cluster.copies_of(database):
                continue
            done = node.ccr("log", "verify", str(node.log_directory(database)))
            trial.require(f"the log of {database}@{node.name} holds", done.returncode == 0, done.stderr)
        strange = litter(node, cluster.databases)
        trial.require(f"{node.name} leaves nothing behind", not strange, strange)


def check_all_there(trial, cluster, databases, acknowledged, seconds):
    """Of two page stores or one, served by alpha: what was acknowledged of the first one is there, beta has all of each, and the first one is proven equal."""
    alpha, beta = cluster["alpha"], cluster["beta"]
    alpha.wait_state(databases[0], "mounted", seconds)
    commit = alpha.copy(databases[0])["commit"]
    trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
    for database in databases:
        beta.wait_settled(database, seconds)
    check_verify(trial, beta, databases[0])


def check_verify(trial, node, database):
    """ccr verify says 0: pages on both disks are what they should be, and both roots are equal.

    A verification that lost its connection has found nothing; it is asked for again, as a person would, and said so.
    """
    for _ in range(VERIFY_TRIES_MAX):
        asked = node.ccr("verify", f"{database}@{node.name}", "--rate", "unlimited", "--json")
        if asked.returncode != LOST_CONNECTION:
            break
        trial.say(f"verify was interrupted: {asked.stderr.strip()}")
        node.wait_state(database, "healthy", INTERRUPTED_SECONDS)
    trial.require(f"ccr verify of {database}@{node.name} ends with 0", asked.returncode == 0, f"{asked.returncode}: {asked.stderr}")
    done = json.loads(asked.stdout)
    trial.require(f"{database}@{node.name} is equal, page for page", done["equal"] and done["roots_equal"], done)
    return done


def open_copy(path):
    """A suspended copy, or a file nobody writes, as sqlite3 reads it."""
    return closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True))


def open_live(path):
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def check_sqlite_copy(trial, active, passive, database):
    """SQLite finds the suspended copy sound, and its content the same as the original's, which nobody writes meanwhile."""
    with open_copy(passive.database_path(database)) as copy, open_live(active.database_path(database)) as original:
        sound = copy.execute("PRAGMA integrity_check").fetchall()
        trial.require(f"PRAGMA integrity_check of {database}@{passive.name} says ok", sound == [("ok",)], sound[:3])
        for number, (here, there) in enumerate(zip(copy.iterdump(), original.iterdump(), strict=True)):
            trial.require(f"statement {number} of both dumps of {database} is the same", here == there)
