"""Eight times the mail takes about eight times as long, never sixty-four times.

What is measured is the ratio of two sizes on the same machine, each by the best of several runs; the limit
lies in the middle between linear and quadratic.
"""

import contextlib
import time
from collections.abc import Callable

import pytest

from services.ingest.parsing import parse
from services.ingest.settings import MIB, Limits
from shared.domain.errors import Unreadable

GROWTH = 8
LIMIT = GROWTH * GROWTH / 2
LEAST_SECONDS = 0.01
"""Shorter times say nothing: the mail is made larger first."""

WIDE = Limits(head_bytes=64 * MIB, headers=10_000_000, parts=10_000_000, text_chars=64 * MIB)

HEAD = b"From: ada@example.org\r\n"
PARTS = HEAD + b"Content-Type: multipart/mixed; boundary=X\r\n"

SHAPES: dict[str, Callable[[int], bytes]] = {
    "lines": lambda n: HEAD + b"\r\n" + b"hello world\r\n" * n,
    "one line": lambda n: HEAD + b"\r\n" + b"hello world " * n,
    "flowed lines": lambda n: HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"a \r\n" * n,
    "flowed quotes": lambda n: HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b">" * n,
    "quoted-printable": lambda n: (
        HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=C3=BC=\r\n" * n
    ),
    "base64": lambda n: HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"R3LDvMOfZQ\r\n" * n,
    "undeclared bytes": lambda n: HEAD + b"\r\n" + "Привет ".encode("koi8-r") * n,
    "escapes": lambda n: HEAD + b"\r\n" + b"\x1b$B" * n,
    "elements": lambda n: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><p>a</p>" * n,
    "tags without an end": lambda n: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<a b=" * n,
    "images": lambda n: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<img src=cid:a>" * n,
    "parts": lambda n: PARTS + b"\r\n" + b"--X\r\n\r\nx\r\n" * n,
    "almost boundaries": lambda n: PARTS + b"\r\n--X\r\n\r\n" + b"--X-\r\n" * n,
    "boundaries in one line": lambda n: PARTS + b"\r\n" + b"--X" * n,
    "no boundary": lambda n: HEAD + b"Content-Type: multipart/mixed\r\n\r\n" + b"--a\r\ncontent\r\n" * n,
    "fields": lambda n: HEAD + b"X: y\r\n" * n + b"\r\n",
    "folds": lambda n: HEAD + b"Subject: a" + b"\r\n b" * n + b"\r\n\r\n",
    "addresses": lambda n: HEAD + b"To: " + b"a@example.org, " * n + b"\r\n\r\n",
    "comments": lambda n: HEAD + b"To: " + b"(a) " * n + b"\r\n\r\n",
    "opened comments": lambda n: HEAD + b"To: " + b"(a " * n + b"\r\n\r\n",
    "names": lambda n: HEAD + b"To: " + b'"a" b ' * n + b"\r\n\r\n",
    "encoded words": lambda n: HEAD + b"Subject: " + b"=?utf-8?q?x?= " * n + b"\r\n\r\n",
    "references": lambda n: HEAD + b"References: " + b"<a@b> " * n + b"\r\n\r\n",
    "parameters": lambda n: HEAD + b"Content-Type: text/plain" + b"; a=b" * n + b"\r\n\r\nx",
}


def seconds(raw: bytes) -> float:
    """Processor time of reading it, the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        with contextlib.suppress(Unreadable):
            parse(raw, WIDE)
        best = min(best, time.process_time() - started)
    return best


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_grows_with_the_mail_and_not_with_its_square(shape: str) -> None:
    make, size = SHAPES[shape], 1000
    while (small := seconds(make(size))) < LEAST_SECONDS and size < 256_000:
        size *= 2
    large = seconds(make(size * GROWTH))

    assert large < LIMIT * max(small, LEAST_SECONDS / 2)
