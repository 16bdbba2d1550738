"""Puts mails as files where others find them: into a Maildir, or into a folder of letters.

Promises:
- When a function returns the file is on the disk (file and folder are synced), under its final name.
- A reader never sees half a mail: it is written beside and renamed. No file is ever overwritten.
- The bytes are the ones given: no header is added, no line ending changed.

Failures: `OSError` as the file system gives it (no space, no permission); nothing is then visible to readers.

Names in a Maildir follow the form of its specification (seconds, then what is unique, then the host).
"""

import itertools
import os
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

_sequence = itertools.count(1)
_HOST = socket.gethostname().replace("/", "\\057").replace(":", "\\072")


def make_maildir(maildir: Path) -> Path:
    """Make the folder a Maildir if it is none yet; return it."""
    for part in ("tmp", "new", "cur"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    return maildir


def deliver(maildir: Path, raw: bytes) -> Path:
    """Put a mail into `maildir/new`, making the Maildir if need be; return its file."""
    make_maildir(maildir)
    name = f"{time.time():.6f}".replace(".", ".M") + f"P{os.getpid()}Q{next(_sequence)}.{_HOST}"
    _place(maildir / "new", [(maildir / "tmp" / name, maildir / "new" / name, raw)])
    return maildir / "new" / name


def post(outbox: Path, raw: bytes) -> Path:
    """Put a letter into the folder `outbox`; return its file.

    The name is `TIME-NUMBER-DIGEST.eml`: names sort by time (UTC, microseconds); the digest is the
    first 12 hex digits of the content's SHA-256.
    """
    return post_all(outbox, [raw])[0]


def post_all(outbox: Path, raws: Sequence[bytes]) -> list[Path]:
    """As `post`, for several letters at the price of little more than one.

    When it fails none of them counts as posted, though some may lie there.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    names = [_letter_name(raw) for raw in raws]
    finals = [outbox / f"{name}.eml" for name in names]
    parts = [outbox / f".{name}.{os.getpid()}.part" for name in names]
    _place(outbox, list(zip(parts, finals, raws, strict=True)))
    return finals


def _letter_name(raw: bytes) -> str:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{moment}-{next(_sequence):06d}-{sha256(raw).hexdigest()[:12]}"


def letters(outbox: Path) -> list[Path]:
    """The files of `outbox` in the order in which they came; none when there is no such folder."""
    return sorted(outbox.glob("*.eml"))


def _place(folder: Path, mails: Sequence[tuple[Path, Path, bytes]]) -> None:
    """Write each mail beside, then put it under its final name in `folder`."""
    try:
        # All are written before the first is synced: the file system then syncs them nearly at once.
        with ExitStack() as opened:
            files = []
            for part, _, raw in mails:
                file = opened.enter_context(part.open("xb"))
                file.write(raw)
                file.flush()
                files.append(file)
            for file in files:
                os.fsync(file.fileno())
        for part, final, _ in mails:
            # A link fails when the name is taken, where a rename would overwrite.
            final.hardlink_to(part)
    finally:
        for part, _, _ in mails:
            part.unlink(missing_ok=True)
    _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
