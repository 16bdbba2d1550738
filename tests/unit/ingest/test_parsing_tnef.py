"""What a winmail.dat holds."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.parsing import parse
from services.ingest.tnef import files_in

BEGINS, TITLE, DATA, PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("<BII", 2, kind, len(value)) + value + b"\0\0"


def container(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


def long_name(name: str) -> bytes:
    value = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<I", 1) + b"\x1f\x00\x07\x37" + struct.pack("<II", 1, len(value)) + value


TWO = container(
    attribute(0x0002800C, b"the body"),
    attribute(BEGINS, bytes(14)),
    attribute(TITLE, b"CONTRA~1.PDF\0"),
    attribute(DATA, b"%PDF" * 10),
    attribute(PROPERTIES, long_name("Verträge 2026.pdf")),
    attribute(BEGINS, bytes(14)),
    attribute(TITLE, b"note.txt\0"),
    attribute(DATA, b"hello"),
)


def test_the_files_are_told_with_their_long_names_and_sizes() -> None:
    assert files_in(TWO) == [("Verträge 2026.pdf", 40), ("note.txt", 5)]


def test_what_is_no_such_container_holds_no_files() -> None:
    assert files_in(b"") == files_in(b"PK\3\4 something else") == []


@given(st.integers(0, len(TWO)), st.binary(max_size=20))
def test_a_broken_container_is_read_as_far_as_it_goes(cut: int, rest: bytes) -> None:
    assert len(files_in(TWO[:cut] + rest)) <= 3


def test_a_mail_keeps_the_container_as_a_file_and_says_what_it_holds() -> None:
    raw = (
        b"From: ada@example.org\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n\r\nSee file.\r\n"
        b"--X\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\r\n" + TWO + b"\r\n--X--\r\n"
    )
    found = parse(raw)

    assert [one.filename for one in found.attachments] == ["winmail.dat"]
    assert found.decisions == [
        "a file in Outlook's own format (TNEF) holds: Verträge 2026.pdf (40 bytes), note.txt (5 bytes)"
    ]
