"""A small file system of a test's own, to be filled up: memory with a ceiling, mounted into a folder.

`no space left on device` is the kernel's true answer there, to whatever program writes. Mounting needs root,
or `sudo` without a password; `Refused` says so where neither is to be had. The disk is gone with the `with`,
also when somebody still has a file open on it.
"""

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.domain.errors import Refused

MEBIBYTE = 1024 * 1024
LARGEST_BITE = MEBIBYTE
SMALLEST_BITE = 4096
"""A page: what a file on it grows by."""


class SmallDisk:
    """The disk; made by `small_disk`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Take all the room that is left. A file that is there may still be written anew in its old size."""
        bite = LARGEST_BITE
        with self._ballast.open("ab", buffering=0) as ballast:
            while bite >= SMALLEST_BITE:
                try:
                    ballast.write(b"\0" * bite)
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise
                    bite //= 2

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """A disk of that size in `folder`, which is made. Raises `Refused` where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={mebibytes}m,mode=700,uid={os.getuid()},gid={os.getgid()}"
    _as_root(["mount", "-t", "tmpfs", "-o", options, "ombud-test", str(folder)])
    try:
        yield SmallDisk(folder)
    finally:
        _as_root(["umount", "--lazy", str(folder)])


def _as_root(command: Sequence[str]) -> None:
    rise = [] if os.getuid() == 0 else ["sudo", "-n"]
    try:
        done = subprocess.run([*rise, *command], capture_output=True, text=True, check=False)
    except FileNotFoundError as absent:
        raise Refused(f"{absent.filename} is missing, and only root may mount") from absent
    if done.returncode != 0:
        raise Refused(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
