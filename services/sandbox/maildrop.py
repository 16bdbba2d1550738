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
    return _placed(maildir / "tmp" / name, maildir / "new" / name, raw)


def post(outbox: Path, raw: bytes) -> Path:
    """Put a letter into the folder `outbox`; return its file.

    The name is `TIME-NUMBER-DIGEST.eml`: names sort by time (UTC, microseconds); the digest is the
    first 12 hex digits of the content's SHA-256.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    name = f"{moment}-{next(_sequence):06d}-{sha256(raw).hexdigest()[:12]}"
    return _placed(outbox / f".{name}.{os.getpid()}.part", outbox / f"{name}.eml", raw)


def letters(outbox: Path) -> list[Path]:
    """The files of `outbox` in the order in which they came; none when there is no such folder."""
    return sorted(outbox.glob("*.eml"))


def _placed(part: Path, final: Path, raw: bytes) -> Path:
    try:
        with part.open("xb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        # A link fails when the name is taken, where a rename would overwrite.
        final.hardlink_to(part)
    finally:
        part.unlink(missing_ok=True)
    _sync(final.parent)
    return final


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
