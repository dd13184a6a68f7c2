"""A disk that is soon full: a tmpfs of a few MiB, which can be filled, and be given room while it is in use."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from cluster import Skipped


class SmallDisk:
    """move_to() mounts it where a trial wants it; the end of `with` takes it away, in use or not. Skipped where one may not mount."""

    def __init__(self, size_mib):
        self._size_mib = size_mib
        self._mounted = None
        self.directory = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skipped("a disk of a few MiB needs root")
        with tempfile.TemporaryDirectory() as probe:
            try:
                mount(probe, self._size_mib)
            except OSError as error:
                raise Skipped(str(error)) from error
            unmount(probe)
        return self

    def move_to(self, directory):
        directory = Path(directory)
        directory.mkdir(mode=0o700)
        mount(directory, self._size_mib)
        self._mounted = self.directory = directory

    def fill(self):
        """Takes the room that is left."""
        free = os.statvfs(self.directory)
        with open(self.directory / "lost+found", "wb", buffering=0) as file:  # a name that a mount point may have
            with contextlib.suppress(OSError):  # somebody else was faster with a part of it
                file.write(b"x" * (free.f_bavail * free.f_frsize))

    def resize(self, size_mib):
        mount(self.directory, size_mib, "remount,")

    def __exit__(self, *_):
        if self._mounted is not None:
            unmount(self._mounted)


def mount(directory, size_mib, remount=""):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"{remount}size={size_mib}m,mode=0700", "ccr-trial", str(directory)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")


def unmount(directory):
    subprocess.run(["umount", "--lazy", str(directory)], stderr=subprocess.DEVNULL, check=False)
