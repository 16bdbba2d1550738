"""The load: mails dropped into a Maildir as a mail server does, at once or at a steady rate.

Without the sync that a mail server owes each mail: the load must not be the limit.
"""

import asyncio
import itertools
import time
from collections.abc import Iterable
from pathlib import Path

from bench.cluster import Program
from bench.mails import mail
from services.sandbox.maildrop import make_maildir

_sequence = itertools.count()


def maildir_of(running: Program) -> Path:
    """The mailbox that this program serves."""
    return make_maildir(Path(running.ready["outbox"]).parent / "sandbox" / "mail" / "support")


def drop(maildir: Path, raws: Iterable[bytes]) -> None:
    """Put these mails into the mailbox."""
    for raw in raws:
        name = f"{time.time():.6f}.B{next(_sequence)}.bench"
        (maildir / "tmp" / name).write_bytes(raw)
        (maildir / "tmp" / name).rename(maildir / "new" / name)


async def stream(running: Program, rate: float, name: str, stop: asyncio.Event) -> int:
    """Drop `rate` mails a second, each of another customer, until `stop`; return how many.

    One that comes late is made up for: what is dropped by any moment is what the rate says.
    """
    maildir, address = maildir_of(running), running.ready["address"]
    started, done = time.perf_counter(), 0
    while not stop.is_set():
        owed = int((time.perf_counter() - started) * rate) - done
        drop(maildir, [mail(done + number, address, name) for number in range(owed)])
        done += owed
        await asyncio.sleep(max(0.02, 0.5 / rate))
    return done
