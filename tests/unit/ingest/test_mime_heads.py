"""Heads as senders and relays break them: what is a field, and what a person wrote."""

import pytest

from services.ingest.headers import Address
from services.ingest.parsing import parse

FROM = b"From: Ada <ada@example.org>\r\n"
SUBJECT = b"Subject: hello\r\n"
DATE = b"Date: Tue, 01 Sep 2026 10:00:00 +0200\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"X-Spam: a long line that was\r\nto be folded\r\n" + FROM + SUBJECT,
        b"X-Spam: one\r\nthat goes\r\non and on\r\n" + FROM + SUBJECT,
        FROM + b"X-Spam: a long line\r\nnot folded\r\nMIME-Version: 1.0\r\n" + SUBJECT,
        FROM + SUBJECT + b"X-Spam: a long line\r\nnot folded\r\nMessage-ID: <a@x>\r\n",
        FROM + SUBJECT + b"X-Spam: a long line\r\nnot folded\r\n" + DATE,
        b"\xc2\xa0From: bo@example.org\r\n" + FROM + SUBJECT,
        b">From ada@example.org Tue Sep  1 10:00:00 2026\r\n" + FROM + SUBJECT,
        b" " + FROM + SUBJECT,
        b"From :Ada <ada@example.org>\r\nSubject\t: hello\r\n",
        b"X-One: a\rb\r\n" + FROM + SUBJECT,
        (FROM + SUBJECT).replace(b"\r\n", b"\r\r\n") + b"\r",
    ],
)
def test_a_head_goes_on_below_a_line_that_is_no_field(head: bytes) -> None:
    found = parse(head + b"\r\nThe text")

    assert (found.sender, found.subject) == (Address("ada@example.org", "Ada"), "hello")
    assert found.text == "The text"


@pytest.mark.parametrize(
    "text",
    [
        "Please see below\nNote: it burns\n\nBye",
        "An order\nName: Ada\nTo: Main Street 5\nDate: 4 May\n\nBye",
        "I got this:\nFrom: Bo <bo@example.com>\nSubject: yours\n\nBye",
        "I got this:\nTo: Bo <bo@example.com>\nSubject: yours\n\nBye",
        "What came:\nContent-Type: text/plain\nand more words\n\nBye",
        "All of it\nMIME-Version: 1.0",
    ],
)
def test_what_a_person_wrote_is_never_taken_for_a_head(text: str) -> None:
    found = parse(FROM + SUBJECT + text.encode())

    assert found.text == text
    assert (found.sender, found.subject) == (Address("ada@example.org", "Ada"), "hello")


def test_a_part_is_described_below_a_line_that_was_to_be_folded() -> None:
    found = parse(
        FROM + b"Content-Type: multipart/mixed; boundary=X\r\n\r\n"
        b"--X\r\n\r\nThe text\r\n"
        b"--X\r\nContent-Type: application/pdf; x-mode=1;\r\nname=a.pdf\r\n"
        b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--X--\r\n"
    )

    assert found.text == "The text"
    assert [(one.filename, one.size) for one in found.attachments] == [("a.pdf", 3)]


def test_the_words_above_a_parts_fields_are_kept() -> None:
    found = parse(
        FROM + b"Content-Type: multipart/mixed; boundary=X\r\n\r\n"
        b"--X\r\nWords\r\nContent-Type: text/plain\r\n\r\nmore\r\n--X--\r\n"
    )

    assert found.text.startswith("Words\n")


@pytest.mark.parametrize("bait", [b"x\r\n", b"\xa0a: b\r\n", b"\r", b"a :b\r\n", b" \r\n", b"\r\r\n"])
def test_a_hostile_head_is_read(bait: bytes) -> None:
    lines = bait * 900 + b"x" * 100_000

    assert parse(b"X-A: b\r\n" + lines + b"\r\n" + FROM + b"\r\nthe text").text.endswith("the text")
