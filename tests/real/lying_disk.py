"""A disk that keeps only what was synced, for real processes: the program of tests/lying_disk, and the words that it understands.

    with LyingDisk(program, directory) as disk:
        disk.tell("cut_at 40 1234 any 7")
        ... until disk.off ...
        disk.tell("mount")

The words are in tests/lying_disk/disk_words.h. Skipped where there is no such program, or one may not mount.
"""

import os
import subprocess

from cluster import Late, Skipped, end_with_parent, until

ATTRIBUTE = "user.disk"
MOUNTED_SECONDS = 10
STYLES = ("lose", "keep", "subset", "torn", "metadata", "lose+ordered", "keep+ordered", "subset+ordered", "torn+ordered", "metadata+ordered")


def program_beside(ccr):
    """That of the same build as a ccr."""
    return ccr.resolve().parents[1] / "tests/lying_disk"


class LyingDisk:
    def __init__(self, program, directory):
        """`directory` is there and empty."""
        self.program, self.directory, self._process = program, directory, None

    def __enter__(self):
        if not os.access(self.program, os.X_OK):
            raise Skipped(f"no {self.program}: it is built where libfuse3 is (tools/install --test)")
        if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
            raise Skipped("a disk of FUSE needs root and /dev/fuse")
        self._process = subprocess.Popen([str(self.program), str(self.directory)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                         text=True, preexec_fn=end_with_parent)
        try:
            until(lambda: os.path.ismount(self.directory) or self._process.poll() is not None, MOUNTED_SECONDS, "the lying disk is mounted")
        except Late:
            self.close()
            raise
        if self._process.poll() is not None:
            raise Skipped(f"a disk of FUSE cannot be mounted here: {self._process.stderr.read().strip()}")
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.directory)], stderr=subprocess.DEVNULL, check=False)
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()

    @property
    def pid(self):
        return self._process.pid

    def tell(self, words):
        os.setxattr(self.directory, ATTRIBUTE, words.encode())

    def facts(self):
        """What it counts, by name."""
        return {key: int(value) for key, value in (word.split("=") for word in self._words() if "=" in word)}

    def notes(self):
        """What was noted while it recorded: moment, number."""
        return [tuple(map(int, word.split(":"))) for word in self._words() if ":" in word]

    def _words(self):
        return os.getxattr(self.directory, ATTRIBUTE).decode().split()

    @property
    def off(self):
        """The power failed, and nobody has mounted it since."""
        return self.facts()["off"] == 1
