"""What `cmake --install` gives, used from outside the tree: the program in example/ is built against it, and keeps counters that ccr copies.

    library_install.py BUILD_DIRECTORY SOURCE_DIRECTORY

The program is alpha, `ccr serve` of the installed binary is beta; then the store moves to beta, and beta is a program too.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the tree stays as it is

from cluster import Cluster, Database, end_with_parent, until  # noqa: E402

ADDED = 200


class Program:
    """The example, at a node of a cluster: a line in, a line out."""

    def __init__(self, binary, node):
        self.node = node
        with open(node.log_path, "ab") as log:
            node.process = subprocess.Popen([binary, node.config_path, node.name, "orders"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, text=True, bufsize=1, preexec_fn=end_with_parent)
        node.wait_serving()

    def say(self, line):
        self.node.process.stdin.write(line + "\n")
        return self.node.process.stdout.readline().strip()

    def end(self):
        self.node.process.stdin.close()
        return self.node.wait_exit(20)


def check(what, good, found=""):
    print(f"{'ok  ' if good else 'FAILED'} {what}{'' if good else f': {found}'}", flush=True)
    if not good:
        raise AssertionError(what)


def run(*command):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False)
    check(" ".join(str(word) for word in command[:3]), done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:])
    return done.stdout


def equal_files(cluster):
    alpha, beta = (cluster[name].database_path("orders").read_bytes() for name in ("alpha", "beta"))
    check(f"both page files are equal, {len(alpha)} bytes", len(alpha) > 0 and alpha == beta, f"{len(alpha)} and {len(beta)} bytes")


def replicate(ccr, counters):
    with Cluster(ccr, databases=[Database("orders", "pages")], tls=True) as cluster:
        alpha, beta = cluster["alpha"], cluster["beta"]
        program = Program(counters, alpha)
        check("the program's node serves", program.say("wait") == "active")
        check("a counter is added to", program.say("add apples 3") == "apples=3" and program.say("add apples 4") == "apples=7")
        beta.start().wait_serving()
        beta.wait_opened("orders")
        beta.ask("seed", database="orders", node="beta")
        answers = [program.say(f"add name-{i % 50} {i}") for i in range(ADDED)]
        check(f"{ADDED} commits while it is seeded", answers[-1].startswith("name-49="), answers[-1])
        total = f"51 counters, sum {7 + sum(range(ADDED))}"
        check(f"the program reads what it wrote: {total}", program.say("all") == total, program.say("all"))
        beta.wait_settled("orders")
        done = beta.ccr("verify", "orders@beta")
        check("ccr verify of the copy", done.returncode == 0, done)
        done = alpha.ccr("move", "orders", "--to", "beta")
        check("ccr move, at the program's node", done.returncode == 0, done)
        said = program.say("add apples 1")
        check(f"the program is told: {said}", said == "not_active: the active copy of orders is on beta", said)
        check("beta's daemon ends", beta.end() == 0)
        second = Program(counters, beta)
        check("a program at beta serves it", second.say("wait") == "active")
        check("with everything in it", second.say("all") == total and second.say("get apples") == "apples=7", second.say("all"))
        check("and adds", second.say("add apples 1") == "apples=8")
        commit = until(lambda: beta.copy()["source"] and beta.copy(), 10, "beta knows its commits")["commit"]
        alpha.wait_copy(lambda copy: copy["state"] == "healthy" and copy["replayed_commit"] >= commit, "has it all")
        check("both end with 0", second.end() == 0 and program.end() == 0)
        equal_files(cluster)


def refuse(ccr, counters):
    with Cluster(ccr, databases=[Database("orders", "pages")]) as cluster:
        alpha = cluster["alpha"]
        alpha.start().wait_serving()
        done = subprocess.run([counters, alpha.config_path, "alpha", "orders"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        check("beside a daemon on the same directories it is refused", done.returncode == 1 and done.stderr.startswith("busy: ") and "hint: ps -p" in done.stderr, done)
        done = subprocess.run([counters, cluster.directory / "none.toml", "alpha", "orders"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        check("without a configuration too", done.returncode == 1 and done.stderr.startswith("config: ") and "hint: " in done.stderr, done)


def main(build, source):
    with tempfile.TemporaryDirectory(prefix="ccr-install-") as directory:
        place = Path(directory)
        run("cmake", "--install", build, "--prefix", place / "prefix", "--strip")
        headers = sorted(str(path.relative_to(place / "prefix")) for path in (place / "prefix").rglob("*.h"))
        check("the only header is ccr/node.h", headers == ["include/ccr/node.h"], headers)
        run("cmake", "-G", "Ninja", "-S", source / "example", "-B", place / "example", f"-DCMAKE_PREFIX_PATH={place / 'prefix'}")
        run("cmake", "--build", place / "example")
        ccr, counters = place / "prefix" / "bin" / "ccr", place / "example" / "counters"
        replicate(ccr, counters)
        refuse(ccr, counters)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
