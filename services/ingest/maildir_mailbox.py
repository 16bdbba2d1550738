"""A mailbox that is a folder on this machine, as mail servers and the sandbox fill it (Maildir).

Files are read from `new` and `cur` and never moved, changed or deleted. Maildirs know no UIDs, so ours are
kept in `ombud-uidlist` beside them: a line with the UIDVALIDITY, then a line a mail with its UID and its
unique name (the file's name up to the flags). A UID is on the disk before anybody hears of it, so it names
the same mail for ever. A line that a crash cut short was told to nobody, and is taken away. When the file is
deleted, a new one gets a new UIDVALIDITY, and all mails are looked at again.

One process at a time reads it, as the mailbox's lease sees to; one that has lost the lease and does not know
it yet does no harm, for the file is locked while it grows, and what others wrote is read first.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from services.ingest.ports import Fetched, MailboxFailed, NotCleared, Waiting
from shared.domain.stand_in import head_of

UIDLIST = "ombud-uidlist"
LOOK_EVERY = 0.2  # seconds
SETTLED_AFTER = 2.0
"""Seconds after which a folder's time stamp is sure to differ at the next change of the folder."""

_FORMAT = "ombud-uidlist-1"
_Stamp = tuple[int, int]


class MaildirMailbox:
    """See the module; the contract is in services/ingest/ports.py."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._uidlist = folder / UIDLIST
        self._uids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._files: dict[str, Path] = {}
        self._stamp: _Stamp | None = None
        self._read_to = 0
        self._interrupted = threading.Event()

    def open(self) -> int:
        """Read the UIDs, or begin to keep them."""
        with self._translated():
            for part in ("new", "cur"):
                if not (self._folder / part).is_dir():
                    raise FileNotFoundError(f"{self._folder} is no Maildir: it has no folder {part}")
            if not self._uidlist.exists():
                self._begin()
            return self._read()

    def new_uids(self, after: int, limit: int) -> list[Waiting]:
        """See the port."""
        with self._translated():
            self._look()
            above = sorted(uid for uid in self._there() if uid > after)
            return [Waiting(uid, self._size(uid)) for uid in above[:limit]]

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        """See the port."""
        with self._translated():
            return [mail for uid in uids if (mail := self._fetched(uid)) is not None]

    def uids(self, first: int, last: int) -> list[int]:
        """See the port."""
        with self._translated():
            self._look()
            return sorted(uid for uid in self._there() if first <= uid <= last)

    def sizes(self, uids: Sequence[int]) -> list[Waiting]:
        """See the port."""
        with self._translated():
            self._look()
            there = self._there()
            return [Waiting(uid, self._size(uid)) for uid in uids if uid in there]

    def head(self, uid: int, most: int) -> Fetched | None:
        """See the port."""
        with self._translated():
            found = self._fetched(uid, most)
            return found and replace(found, raw=head_of(found.raw))

    def piece(self, uid: int, start: int, most: int) -> bytes:
        """See the port."""
        with self._translated():
            found = self._fetched(uid, most, start)
            return b"" if found is None else found.raw

    def to_clear(self, first: int, last: int) -> list[int]:  # noqa: ARG002 (the port's signature)
        """None: a folder on this machine is left as it is."""
        return []

    def clear(self, uids: Sequence[int]) -> None:  # noqa: ARG002 (the port's signature)
        """See `to_clear`."""
        raise NotCleared("a folder on this machine is left as it is")

    def exists(self, uid: int) -> bool:
        """See the port."""
        with self._translated():
            self._stamp = None
            self._look()
            return self._names.get(uid) in self._files

    def wait(self, seconds: float) -> None:
        """Look at the folder every so often."""
        with self._translated():
            until = time.monotonic() + seconds
            while time.monotonic() < until and not self._interrupted.wait(LOOK_EVERY):
                if self._stamp is None or self._stamp != self._stamped():
                    return

    def interrupt(self) -> None:
        """See the port."""
        self._interrupted.set()

    def close(self) -> None:
        """Nothing is held open."""

    def _begin(self) -> None:
        part = self._uidlist.with_name(f"{UIDLIST}~{os.getpid()}-{threading.get_ident()}")
        part.write_text(f"{_FORMAT} {int(time.time())}\n")
        _synced(part)
        with suppress(FileExistsError):  # another process was first
            os.link(part, self._uidlist)
        part.unlink()
        _synced(self._folder)

    def _read(self) -> int:
        with self._locked() as file:
            first = file.readline().decode()
            form, _, uidvalidity = first.partition(" ")
            if form != _FORMAT:
                raise ValueError(f"{self._uidlist} was written by another version: {first[:40]!r}")
            self._read_to = file.tell()
            self._catch_up(file)
        return int(uidvalidity)

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        with self._uidlist.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file

    def _catch_up(self, file: BinaryIO) -> None:
        """Read the lines that came since, and take away one that was cut short."""
        file.seek(self._read_to)
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to += len(whole)
        file.truncate(self._read_to)
        file.seek(self._read_to)
        for line in os.fsdecode(whole).split("\n")[:-1]:
            uid, _, name = line.partition(" ")
            self._uids[name] = int(uid)
            self._names[int(uid)] = name

    def _look(self) -> None:
        """Find the files anew, if the folders changed, and give UIDs to those that have none."""
        stamp = self._stamped()
        if self._stamp is not None and stamp == self._stamp:
            return
        files = {path.name.partition(":")[0]: path for path in self._paths()}
        unknown = [name for name in files if name not in self._uids]
        if unknown:
            self._number(sorted(unknown, key=lambda name: (_modified(files[name]), name)))
        self._files = files
        # A file that comes within the same tick of the clock leaves the stamp as it is: no relying on it yet.
        settled = time.time_ns() - max(stamp) > SETTLED_AFTER * 1_000_000_000
        self._stamp = stamp if settled else None

    def _number(self, names: list[str]) -> None:
        with self._locked() as file:
            self._catch_up(file)
            last = max(self._names, default=0)
            new = [name for name in names if name not in self._uids]
            numbered = {last + place: name for place, name in enumerate(new, start=1)}
            file.writelines(os.fsencode(f"{uid} {name}\n") for uid, name in numbered.items())
            file.flush()
            os.fsync(file.fileno())
            self._read_to = file.tell()
        self._names |= numbered
        self._uids |= {name: uid for uid, name in numbered.items()}

    def _paths(self) -> Iterator[Path]:
        for part in ("new", "cur"):
            with os.scandir(self._folder / part) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and "\n" not in entry.name:  # no mail is named so
                        yield Path(entry.path)

    def _stamped(self) -> _Stamp:
        return (
            (self._folder / "new").stat().st_mtime_ns,
            (self._folder / "cur").stat().st_mtime_ns,
        )

    def _size(self, uid: int) -> int:
        with suppress(OSError):
            return self._files[self._names[uid]].stat().st_size
        return 0

    def _there(self) -> set[int]:
        return {uid for uid, name in self._names.items() if name in self._files}

    def _fetched(self, uid: int, most: int = -1, start: int = 0) -> Fetched | None:
        """The mail, or `most` bytes from `start` on.

        It is looked for once more when its file is gone, for its flags are part of the file's name.
        """
        for _ in range(2):
            path = self._files.get(self._names.get(uid, ""))
            if path is not None:
                with suppress(OSError):
                    with path.open("rb") as file:
                        file.seek(start)
                        raw = file.read(most)
                    return Fetched(uid, raw, datetime.fromtimestamp(path.stat().st_mtime, UTC))
            self._stamp = None
            self._look()
        return None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise MailboxFailed(self._name, "folder", f"its folder cannot be read: {fault}") from fault
        except ValueError as fault:
            raise MailboxFailed(self._name, "protocol", f"{fault}: delete the file to begin anew") from fault


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
