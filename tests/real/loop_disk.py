"""A file system of its own on a loop device, which turns read-only under who has files open, as one does when its disk fails.

    disk = cluster.keep(LoopDisk(cluster.directory / "disk"))
    disk.mount(directory)
    disk.turn_read_only()
    ... end who has files there ...
    disk.mend()

Skipped where one may not mount. The end of `with` takes the mount and the device away, in use or not.
"""

import os
import subprocess
from pathlib import Path

from cluster import Skipped

IMAGE_BYTES = 512 * 2**20
MENDED = (0, 1)  # exit codes of e2fsck: nothing to do, corrected


def tool(*words, codes=(0,)):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise OSError(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr.strip()}")


class LoopDisk:
    def __init__(self, image):
        """`image`: the file that is the disk; made here."""
        self._image, self.directory = Path(image), None

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skipped("a loop device needs root")
        try:
            with open(self._image, "wb") as file:
                file.truncate(IMAGE_BYTES)  # of holes
            tool("mkfs.ext4", "-q", "-F", str(self._image))
        except OSError as error:
            raise Skipped(str(error)) from error
        return self

    def mount(self, directory):
        directory = Path(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            tool("mount", "-o", "loop", str(self._image), str(directory))
        except OSError as error:
            raise Skipped(f"no loop device here: {error}") from error
        self.directory = directory
        directory.chmod(0o700)
        return self

    def turn_read_only(self):
        """As the kernel does it when it cannot believe the disk any more: what is dirty is never written."""
        tool("mount", "-o", "remount,abort", str(self.directory))

    def mend(self):
        """What a person does, on a copy of the disk: other mount namespaces may keep the old one alive, as it was. Nobody has files open there."""
        tool("umount", str(self.directory))
        mended = self._image.with_name(self._image.name + ".mended")
        tool("cp", "--sparse=always", str(self._image), str(mended))
        mended.replace(self._image)
        tool("e2fsck", "-fy", str(self._image), codes=MENDED)
        self.mount(self.directory)

    def __exit__(self, *_):
        if self.directory is not None:
            subprocess.run(["umount", "--lazy", str(self.directory)], stderr=subprocess.DEVNULL, check=False)
