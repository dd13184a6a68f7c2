"""What cannot be served is refused with a cause and a hint, and served by itself once it can be: journal modes, locks, what is no database."""

from sqlite_original import end
from sqlite_pair import SqlitePair

INSERT = "INSERT INTO t(body) VALUES(randomblob(3000))"


def journal_modes(trial):
    """WAL mode set after the daemon began; a switch to DELETE and back; an exclusive program."""
    with SqlitePair(trial, ["late", "switched", "exclusive"]) as pair:
        late, switched, exclusive = (pair.originals[name] for name in ("late", "switched", "exclusive"))
        late.shell("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)", INSERT)
        switched.create()
        exclusive.create()
        pair.start_nodes()
        copy = pair.refused("late", "not in WAL mode")
        trial.check(f"a rollback journal is refused, with a hint ({copy['hint']})", "journal_mode=WAL" in copy["hint"])
        trial.require("the program itself is not hindered", late.run(INSERT, "PRAGMA journal_mode=WAL", INSERT)["busy"] == 0)
        for name in pair.originals:
            pair.seed(name)
        pair.prove()
        trial.check("it serves by itself once a program sets WAL mode", True)

        said = switched.shell("PRAGMA journal_mode=DELETE", refused=True)
        trial.check("leaving WAL mode is refused by SQLite while ccr has the database open", said in ("", "wal"), said)
        pair.alpha.end()
        trial.require("without ccr it is not", switched.shell("PRAGMA journal_mode=DELETE", INSERT) == "delete")
        holder = exclusive.start_holding("PRAGMA locking_mode=EXCLUSIVE", INSERT)
        pair.alpha.start().wait_serving()
        copy = pair.refused("switched", "not in WAL mode")
        trial.check(f"after the switch it is refused, with a hint ({copy['hint']})", True)
        copy = pair.refused("exclusive", "EXCLUSIVE")
        trial.check(f"an exclusive program is refused, with a hint ({copy['hint']})", True)
        switched.shell("PRAGMA journal_mode=WAL", INSERT)
        end(holder)
        for name in ("switched", "exclusive"):
            pair.mounted(name)
            pair.prove(name)
        trial.require("what was written meanwhile is found by digests", pair.losses("switched") == ["wal_gap"], pair.losses("switched"))
        trial.check("both serve by themselves again", True)


def refusals(trial):
    """What cannot be served is named, with a hint, and takes nothing else with it."""
    words = {"noise": "no SQLite database", "text": "no SQLite database", "folder": "not a regular file", "absent": "does not exist", "empty": "no bytes yet"}
    with SqlitePair(trial, ["good", *words]) as pair:
        paths = {name: pair.alpha.database_path(name) for name in words}
        pair.originals["good"].create()
        paths["noise"].write_bytes(trial.random.randbytes(20_000))
        paths["text"].write_text("not a database\n" * 100)
        paths["folder"].mkdir()
        paths["empty"].touch()
        pair.start_nodes()
        for name, said in words.items():
            copy = pair.refused(name, said)
            trial.check(f"{name}: {copy['cause'].replace(str(pair.directory), '')} ({copy['hint']})", True)
        paths["noise"].unlink()
        for name in ("noise", "empty", "absent"):
            pair.originals[name].create()
        for name in ("good", "noise", "empty", "absent"):
            pair.seed(name)
            pair.prove(name)
        trial.check("each serves by itself once a database lies there", True)


def another_page_size(trial):
    """A log has one page size: a database that comes back with another one is refused, and served again with its own."""
    with SqlitePair(trial, ["sized"]) as pair:
        original = pair.originals["sized"]
        original.create()
        pair.begin()

        def come_back_with(size):
            pair.alpha.end()
            original.shell("PRAGMA journal_mode=DELETE", f"PRAGMA page_size={size}", "VACUUM", "PRAGMA journal_mode=WAL", INSERT)
            pair.alpha.start().wait_serving()

        come_back_with(8192)
        copy = pair.refused("sized", "from 4096 to 8192")
        trial.check(f"refused: {copy['cause'].replace(str(pair.directory), '')}", "new history" in copy["hint"], copy["hint"])
        come_back_with(4096)
        pair.mounted("sized")
        pair.prove()
        trial.check("with its own page size it serves again", pair.losses("sized") == ["wal_gap"], pair.losses("sized"))


def run(trial):
    trial.part("journal modes", journal_modes)
    trial.part("another page size", another_page_size)
    trial.part("refusals", refusals)
