"""Databases and copies come and go beside one that is under load, without a restart: SIGHUP, `ccr add`, `ccr forget`

Each node has a file of its own, as two hosts have. The load's copy is never disturbed: its connection stays, its state does not change. What was
forgotten leaves its files, and is found again with its history. What may not go says why, and nothing is changed.
"""

import shutil
import signal
import sqlite3

from cluster import Database, until
from writers import Load

READ_SECONDS = 10
HEALTHY_SECONDS = 30


def reload(node):
    """SIGHUP; the line of the event that says what came of it."""
    before = len(node.log_path.read_text(errors="replace").splitlines())
    node.process.send_signal(signal.SIGHUP)
    return until(lambda: [line for line in node.log_path.read_text(errors="replace").splitlines()[before:] if "config_read" in line or "config_refused" in line],
                 READ_SECONDS, f"{node.name} read its configuration")[-1]


def names(node):
    return [database["name"] for database in node.status()["databases"]]


def own_files(cluster):
    for node in cluster.nodes.values():
        node.config_path = cluster.directory / f"{node.name}.toml"
        shutil.copy(cluster.directory / "ccr.toml", node.config_path)
        node.config_path.chmod(0o640)
        with node.config_path.open("a") as file:
            file.write("# the last line is a person's\n")


def make_mail(node):
    path = node.directory / "mail.db"
    with sqlite3.connect(path) as mail:
        mail.execute("PRAGMA journal_mode = WAL")
        mail.execute("CREATE TABLE letters (text TEXT)")
        mail.executemany("INSERT INTO letters VALUES (?)", [(f"letter {i} " * 50,) for i in range(2000)])
    return path


def orders_changes(node):
    return sum("state_changed orders@" in line for line in node.log_path.read_text(errors="replace").splitlines())


def equal_configuration(cluster):
    def equal():
        return all(peer["configuration_equal"] for node in cluster.nodes.values() for peer in node.status()["peers"])
    until(equal, READ_SECONDS, "both nodes say that their configuration is the same")


def by_commands(trial):
    with trial.cluster(databases=[Database("orders")]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        own_files(cluster)
        cluster.start().seed()
        cluster.databases["mail"] = Database("mail", kind="sqlite")
        make_mail(alpha)
        load = Load(alpha, rate=200_000, seconds=120)
        before = {node.name: orders_changes(node) for node in (alpha, beta)}
        new = ["add", "mail", "--path", f"{cluster.directory}/{{node}}/mail.db", "--logs", f"{cluster.directory}/{{node}}/mail-log", "--copies", "alpha,beta"]
        text = alpha.config_path.read_text()
        plan = alpha.json(*new, "--dry-run")
        trial.check("a dry run says what would change, and changes nothing", plan["copies"] == ["mail added"] and alpha.config_path.read_text() == text, plan)
        for node in (alpha, beta):
            said = node.json(*new)
            trial.require("the table is in the file, the person's line too", said["copies"] == ["mail added"] and not said["restart"], said)
            mode = node.config_path.stat().st_mode & 0o777
            trial.require("mode and comments stay", mode == 0o640 and "# the last line is a person's" in node.config_path.read_text(), oct(mode))
        trial.check("ccr add on both nodes: mail is there", names(alpha) == names(beta) == ["mail", "orders"], names(beta))
        alpha.wait_state("mail", "mounted", HEALTHY_SECONDS)
        beta.wait_state("mail", "needs_seed", HEALTHY_SECONDS)
        beta.ask("seed", database="mail", node="beta")
        beta.wait_settled("mail", HEALTHY_SECONDS)
        trial.check("seeded under load, and both disks are equal", beta.json("verify", "mail@beta")["equal"])
        equal_configuration(cluster)

        refused = alpha.ccr("forget", "mail", "--yes")
        trial.check("the active copy stays while beta counts on it", refused.returncode == 4 and "ccr forget mail on beta first" in refused.stderr, refused)
        asked = beta.ccr("forget", "mail@beta")
        trial.check("what protects is not taken away unasked", asked.returncode == 4 and "add --yes" in asked.stderr, asked)
        left = beta.json("forget", "mail@beta", "--yes")["left"]
        trial.check(f"beta forgets its copy, and says what is left: {len(left)} places", len(left) == 3 and names(beta) == ["orders"], left)
        trial.check("alpha forgets beta's", alpha.json("forget", "mail@beta", "--yes")["copies"] == ["mail@beta forgotten"])
        trial.check("and holds no log for it", not [hold for hold in alpha.ask("why", database="mail", generation=1)["held_by"] if hold["who"] == "beta"])
        equal_configuration(cluster)
        for node in (alpha, beta):
            node.json("forget", "mail", "--yes")
        trial.check("the database is forgotten, its file is the application's", names(alpha) == ["orders"] and alpha.database_path("mail").exists(), names(alpha))

        for node in (alpha, beta):
            node.json(*new)
        beta.wait_settled("mail", HEALTHY_SECONDS)
        trial.check("added again, it goes on with its history and its pages", beta.json("verify", "mail@beta")["equal"])
        load.leave()
        beta.wait_settled("orders", HEALTHY_SECONDS)
        changes = {node.name: orders_changes(node) for node in (alpha, beta)}
        trial.check("orders was under load all the time, and nothing of it changed", changes == before, (before, changes))
        trial.check("its copy is equal", beta.json("verify", "orders@beta")["equal"])
        for node in (beta, alpha):
            trial.require(f"{node.name} ends with 0", node.end() == 0)


def by_hand(trial):
    with trial.cluster(databases=[Database("orders")]) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        cluster.start().seed()
        cluster.databases["mail"] = Database("mail", options={"seed": "auto"})
        cluster.write_config()
        for node in (alpha, beta):
            line = reload(node)
            trial.check(f"SIGHUP: {line[line.index('config_read'):]}", "changes=databases.mail" in line and "restart=no" in line, line)
        beta.wait_settled("mail", HEALTHY_SECONDS)
        del cluster.databases["mail"]
        cluster.write_config()
        line = reload(alpha)
        trial.check("the active node is first, and is told that beta counts on it", "refused=" in line and "mail@alpha is the active copy" in line and "restart=needed" in line, line)
        trial.check("ccr check says that the file is not in force", "not in force" in alpha.ccr("check").stdout)
        reload(beta)
        line = reload(alpha)
        trial.check("after beta it may go", "restart=no" in line and names(alpha) == names(beta) == ["orders"], line)


def run(trial):
    trial.part("ccr add and ccr forget, under load", by_commands)
    trial.part("The file by hand, and SIGHUP", by_hand)
