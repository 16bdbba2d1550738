"""The process that parses large and suspicious mails, for the one that started it (parse_workers.py).

Frames over pipes, each eight bytes of length and so many bytes: raw mails come in; out go one empty frame
when it is ready, then a pickle of `Answer` for each mail. It may be killed at any time. It ends by itself
when its parent has gone (its input ends), when a mail takes longer than it may (SIGALRM: the kernel keeps
that limit, whatever hangs), and after a mail took more memory than it may, which is answered first.
"""

import math
import os
import pickle
import resource
import signal
import struct
import sys
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import BinaryIO

from services.ingest.parsing import ParsedMail, parse
from services.ingest.settings import Limits
from shared.domain.errors import Unreadable

LENGTH = struct.Struct(">Q")
GRACE = 2
"""Seconds after which it ends itself where its parent should have killed it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`mail` is None when it is unreadable, for `reason`."""

    mail: ParsedMail | None
    reason: str = ""


def main() -> None:
    """Parse mails until the input ends. The only argument is the `Limits` as JSON."""
    limits = Limits.model_validate_json(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limits.parse_memory, limits.parse_memory))
    mails: SimpleQueue[bytes | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, mails), daemon=True).start()
    _send(sys.stdout.buffer, b"")
    while True:
        raw = mails.get()
        signal.alarm(math.ceil(limits.parse_seconds) + GRACE)
        answer, goes_on = _answer(raw, limits)
        del raw
        _send(sys.stdout.buffer, answer)
        signal.alarm(0)
        if not goes_on:
            os._exit(0)


def _receive(source: BinaryIO, mails: "SimpleQueue[bytes | None]") -> None:
    """On a thread of its own, so that the end of the parent is seen while a mail is parsed.

    None stands for a mail that there was no memory for.
    """
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        try:
            mails.put(source.read(length))
        except MemoryError:
            mails.put(None)
            return
    os._exit(0)


def _answer(raw: bytes | None, limits: Limits) -> tuple[bytes, bool]:
    """The answer's bytes, and whether the process may take another mail."""
    reason = f"reading it takes more memory than parse_memory={limits.parse_memory}"
    if raw is None:
        return pickle.dumps(Answer(None, reason)), False
    try:
        return pickle.dumps(Answer(parse(raw, limits))), True
    except Unreadable as fault:
        return pickle.dumps(Answer(None, str(fault))), True
    except MemoryError:
        return pickle.dumps(Answer(None, reason)), False


def _send(out: BinaryIO, data: bytes) -> None:
    try:
        out.write(LENGTH.pack(len(data)))
        out.write(data)
        out.flush()
    except BrokenPipeError:  # the parent has gone, and nobody is there to be told
        os._exit(0)
