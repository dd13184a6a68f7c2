"""A database of two nodes whose active copy may have gone to the other one: who serves it, and how both are well again."""

from cluster import until
from oracle import check_verify

WELL_SECONDS = 40


def roles(cluster, database):
    """Each node's role of its own copy; "" of a node that does not answer."""
    return {node.name: (node.copy(database) or {}).get("role", "") for node in cluster.nodes.values()}


def serving(cluster, database):
    """Nodes whose copy is mounted as the active one."""
    copies = {node.name: node.copy(database) or {} for node in cluster.nodes.values()}
    return [name for name, copy in copies.items() if copy.get("role") == "active" and copy.get("state") == "mounted"]


def wait_well(trial, cluster, database, acknowledged, seconds=WELL_SECONDS):
    """One serves with all that was acknowledged, the other one has it too, and both are equal. The one that serves."""
    until(lambda: len(serving(cluster, database)) == 1, seconds, lambda: f"one node serves: {[node.copy(database) for node in cluster.nodes.values()]}")
    active = cluster[serving(cluster, database)[0]]
    commit = active.copy(database)["commit"]
    trial.require("no acknowledged commit is missing", commit >= acknowledged, f"{commit} < {acknowledged}")
    for node in cluster.nodes.values():
        if node is not active:
            node.wait_copy(lambda copy: copy["state"] == "healthy" and (copy["replayed_commit"] or 0) >= commit, f"is healthy and has commit {commit}",
                           database, seconds=seconds)
            check_verify(trial, node, database)
    return active
