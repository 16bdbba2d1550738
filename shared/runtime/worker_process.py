"""The inside of a process that answers questions of the one that started it; workers.py is the outside.

Frames over pipes, each eight bytes of length and so many bytes: questions come in; out go one empty frame
when it is ready, then an answer for each. It may be killed at any time. It ends by itself when its parent
has gone (its input ends), when a question takes longer than it may (SIGALRM: the kernel keeps that limit,
whatever hangs), and after an answer that says so.
"""

import math
import os
import resource
import signal
import struct
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import BinaryIO

LENGTH = struct.Struct(">Q")
GRACE = 2
"""Seconds after which it ends itself where its parent should have killed it."""

Answerer = Callable[[bytes | None], tuple[bytes, bool]]
"""A question to its answer, and whether the process may take another one. None stands for a question that
there was no memory for. What it raises ends the process."""


def serve(answerer: Answerer, seconds: float, memory: int) -> None:
    """Answer until the input ends; `seconds` are those of one question, `memory` bytes of address space."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what it dies of is a person's mail: none of it on disk
    questions: SimpleQueue[bytes | None] = SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, questions), daemon=True).start()
    _send(sys.stdout.buffer, b"")
    while True:
        question = questions.get()
        signal.alarm(math.ceil(seconds) + GRACE)
        answer, goes_on = answerer(question)
        del question
        _send(sys.stdout.buffer, answer)
        signal.alarm(0)
        if not goes_on:
            os._exit(0)


def _receive(source: BinaryIO, questions: "SimpleQueue[bytes | None]") -> None:
    """On a thread of its own, so that the end of the parent is seen while a question is answered."""
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        try:
            questions.put(source.read(length))
        except MemoryError:
            questions.put(None)
            return
    os._exit(0)


def _send(out: BinaryIO, data: bytes) -> None:
    try:
        out.write(LENGTH.pack(len(data)))
        out.write(data)
        out.flush()
    except BrokenPipeError:  # the parent has gone, and nobody is there to be told
        os._exit(0)
