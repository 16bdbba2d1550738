"""The generator: mails of people who do not exist, each with a token, written down before it is delivered.

Same seed, same mails. Most open a thread; some go on with one; a few are written by a machine, a few come
twice, a few cannot be read. The log is append-only and outlives whatever is killed: a token in it that is in
no store is a lost mail.
"""

import hashlib
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from services.sandbox.maildrop import make_maildir
from tests.chaos.evidence import Sent

TO = "support@sandbox.example"
PRIVATE = "the colour of my first bicycle was vermilion"
"""Stands in every body; no log line may hold it."""
SENT = "Fri, 20 Nov 2026 12:00:00 +0000"
TOO_MANY_HEADERS = 1_100
"""More than the limit of header fields: such a mail is quarantined."""


@dataclass(frozen=True)
class Shares:
    """Of all mails: those that go on with a thread, machines', those that come twice, unreadable ones."""

    follow_up: float = 0.25
    automatic: float = 0.04
    twice: float = 0.03
    unreadable: float = 0.02


@dataclass(frozen=True)
class Mail:
    """A mail to deliver, `copies` times."""

    sent: Sent
    raw: bytes
    copies: int = 1


class Load:
    """See the module. `log` is made; `maildir` is the mailbox that Ombud watches."""

    def __init__(self, seed: str, log: Path, maildir: Path, shares: Shares | None = None) -> None:
        self._seed = seed
        self._chance = random.Random(f"load {seed}")
        self._log = log
        self._maildir = make_maildir(maildir)
        self._shares = shares or Shares()
        self._threads: list[list[Sent]] = []
        self._number = 0
        self.sent: list[Sent] = []
        self.copies = 0
        """Deliveries so far: each has a UID and a ledger entry."""

    @property
    def secrets(self) -> list[str]:
        """What no log line may hold."""
        return [PRIVATE, "@people.example"]

    def mails(self, count: int) -> Iterator[Mail]:
        """The next `count` mails, not yet delivered."""
        for _ in range(count):
            yield self._next()

    def follow_ups(self, count: int, thread: int = 0) -> Iterator[Mail]:
        """The next `count` mails, all on one thread: a hot key."""
        for _ in range(count):
            yield self._made(self._threads[thread])

    def deliver(self, mails: Iterator[Mail] | Sequence[Mail]) -> None:
        """Log each mail, then put it into the mailbox. Blocks; for a thread."""
        with self._log.open("a") as log:
            for mail in mails:
                log.write(json.dumps(asdict(mail.sent)) + "\n")
                log.flush()
                self.sent.append(mail.sent)
                for _ in range(mail.copies):
                    self.place(mail.raw)

    def stream(self, rate: float, seconds: float) -> None:
        """Deliver `rate` mails a second for so long. Blocks; for a thread."""
        started, done = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            due = int(passed * rate) - done
            self.deliver(self.mails(due))
            done += due
            time.sleep(0.02)

    def place(self, raw: bytes) -> None:
        """Put it into the mailbox as a mail server does, but for the sync: only processes die here."""
        self.copies += 1
        name = f"{time.time():.6f}".replace(".", ".M") + f"P{os.getpid()}Q{self.copies:06d}.chaos"
        (self._maildir / "tmp" / name).write_bytes(raw)
        (self._maildir / "tmp" / name).rename(self._maildir / "new" / name)

    def _next(self) -> Mail:
        roll, shares = self._chance.random(), self._shares
        if roll < shares.follow_up and self._threads:
            return self._made(self._chance.choice(self._threads))
        roll -= shares.follow_up
        thread: list[Sent] = []
        automatic = 0 <= roll < shares.automatic
        readable = not shares.automatic <= roll < shares.automatic + shares.unreadable
        mail = self._made(thread, automatic=automatic, readable=readable)
        if readable and not automatic:
            self._threads.append(thread)
        return mail

    def _made(self, thread: list[Sent], *, automatic: bool = False, readable: bool = True) -> Mail:
        token = f"token-{self._seed}-{self._number}"
        self._number += 1
        first = thread[0] if thread else None
        kind = "robot" if automatic else "customer"
        sender = first.sender if first else f"{kind}.{self._number}@people.example"
        raw = _raw(token, sender, [one.token for one in thread], automatic, readable)
        sent = Sent(
            token,
            first.thread if first else token,
            len(thread),
            sender,
            hashlib.sha256(raw).hexdigest(),
            automatic,
            readable,
        )
        thread.append(sent)
        return Mail(sent, raw, 2 if self._chance.random() < self._shares.twice else 1)


def _raw(token: str, sender: str, before: Sequence[str], automatic: bool, readable: bool) -> bytes:
    head = [
        f"From: {sender}",
        f"To: {TO}",
        f"Subject: {'Re: ' if before else ''}Question {before[0] if before else token}",
        f"Message-ID: <{token}@people.example>",
        f"Date: {SENT}",
        f"X-Token: {token}",
    ]
    if before:
        known = [before[0], *before[1:][-9:]]
        head += [f"In-Reply-To: <{before[-1]}@people.example>"]
        head += ["References: " + "\r\n ".join(f"<{one}@people.example>" for one in known)]
    if automatic:
        head += ["Auto-Submitted: auto-replied"]
    if not readable:
        head += [f"X-Filler-{number}: x" for number in range(TOO_MANY_HEADERS)]
    body = [f"This is {token}.", PRIVATE, "The order has not arrived and I wonder where it is.", ""]
    return "\r\n".join([*head, "", *body]).encode()
