"""`python -m tests.fuzz_parsing --minutes N [--seed S] [--keep FOLDER]`: damaged mails against their reading.

Mails of the corpora (if they are there) and a few of our own are damaged at random and read as
`ombud explain` reads them. A finding is an exception, also one for which the mail would only be set aside;
a text that no store takes; a mail of ordinary size that takes longer than `--slow` seconds of processor time.
It is kept in the folder, and the exit code is 1.
Every mail follows from the seed and its number.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from services.ingest.explain import explain
from tests.conformance.cases import corpora, mail_cases

LONGEST = 64 * 1024
"""Bytes of a seed; what is longer is cut, so that a run sees many mails."""

GAVE_UP = "it cannot be parsed"
"""So a mail is set aside that broke the parser, not a limit."""

TOKENS = (
    b"From: |To: |Subject: |Date: |Message-ID: <|Content-Type: multipart/mixed; boundary=X\n|--X\n|--X--\n"
    b"|Content-Type: text/html; charset=|message/rfc822|Content-Transfer-Encoding: base64\n|=?utf-8?B?|?=|=\n"
    b'|\r|\n|\n\n|\0|\xff|\xed\xa0\x80|\xef\xbb\xbf|"|(|)|<|>|@|;|:|,|\\|*0*=|%|=00|>|> |\x1b$B|&#x110000;'
    b"|<div|</|<!--|<blockquote>|On Mon, |wrote:|-- \n|-----Original Message-----|utf-16|punycode"
    b"|format=flowed; delsp=yes|message/delivery-status|Status: 5.1.1|Final-Recipient: rfc822; "
    b"|Return-Path: <>|begin 666 x\n"
).split(b"|")

_LETTER = b"From: Ada <ada@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n\r\n> no\r\n"
_PARTS = (
    b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n"
    b"Content-Type: text/plain; format=flowed\r\n\r\nlong \r\nline\r\n--X\r\n"
    b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx\r\n--X--\r\n"
)
_HTML = b"Content-Type: text/html\n\n<div>One<br><blockquote type=cite>Two</blockquote></div>"
OWN = (_LETTER, _PARTS, _HTML)

Damage = Callable[[random.Random, bytes, bytes], bytes]


def _cut(chance: random.Random, mail: bytes, _: bytes) -> bytes:
    begin, end = _stretch(chance, mail)
    return mail[:begin] + mail[end:]


def _twice(chance: random.Random, mail: bytes, _: bytes) -> bytes:
    begin, end = _stretch(chance, mail)
    return mail[:end] + mail[begin:end] * chance.choice((1, 2, 50)) + mail[end:]


def _token(chance: random.Random, mail: bytes, _: bytes) -> bytes:
    at = chance.randrange(len(mail) + 1)
    return mail[:at] + chance.choice(TOKENS) * chance.choice((1, 1, 1, 2, 500)) + mail[at:]


def _byte(chance: random.Random, mail: bytes, _: bytes) -> bytes:
    at = chance.randrange(len(mail) + 1)
    return mail[:at] + bytes([chance.randrange(256)]) + mail[at + 1 :]


def _joined(chance: random.Random, mail: bytes, other: bytes) -> bytes:
    begin, end = _stretch(chance, other)
    at = chance.randrange(len(mail) + 1)
    return mail[:at] + other[begin:end] + mail[at:]


def _shuffled(chance: random.Random, mail: bytes, _: bytes) -> bytes:
    lines = mail.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


DAMAGES: tuple[Damage, ...] = (_cut, _twice, _token, _token, _byte, _byte, _joined, _shuffled)


def _stretch(chance: random.Random, mail: bytes) -> tuple[int, int]:
    begin = chance.randrange(len(mail) + 1)
    return begin, min(len(mail), begin + chance.choice((1, 10, 100, 1000)))


def seeds() -> list[bytes]:
    """Mails that are damaged."""
    folder = corpora()
    theirs = (case.mail.read_bytes()[:LONGEST] for case in mail_cases(folder)) if folder else ()
    return [*OWN, *theirs]


def damaged(mails: list[bytes], seed: int) -> Iterator[bytes]:
    """Without an end; the same for the same seed and mails."""
    number = 0
    while True:
        chance = random.Random(f"{seed}-{number}")
        mail = chance.choice(mails)
        for _ in range(chance.choice((1, 2, 3, 5, 10, 20))):
            mail = chance.choice(DAMAGES)(chance, mail, chance.choice(mails))[: 4 * LONGEST]
        yield mail
        number += 1


def finding(mail: bytes, slow: float) -> str:
    """What is wrong with the reading of a mail; empty when nothing is."""
    started = time.process_time()
    try:
        told = explain(mail, "fuzz")
        orjson.dumps(told)
    except Exception:  # noqa: BLE001 (any at all is what we look for)
        return traceback.format_exc()
    if str(told["error"]).startswith(GAVE_UP):
        return str(told["error"])
    took = time.process_time() - started
    return f"{len(mail)} bytes took {took:.1f} s" if took > slow else ""


def main() -> int:
    """Damage and read until the time is up."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_parsing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slow", type=float, default=3.0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "ombud-fuzz")
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    until, found = time.monotonic() + asked.minutes * 60, 0
    read = 0
    for read, mail in enumerate(damaged(seeds(), asked.seed), start=1):
        if wrong := finding(mail, asked.slow):
            found += 1
            kept = asked.keep / f"{asked.seed}-{read}.eml"
            kept.write_bytes(mail)
            print(f"{kept}\n{wrong}", flush=True)
        if time.monotonic() > until:
            break
    print(f"{read} mails read, seed {asked.seed}: {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
