"""Mails as senders break them (row 18 of the test matrix), and mails made to harm (row 19)."""

import base64
import hashlib
from email.parser import BytesParser

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.explain import explain
from services.ingest.headers import Address
from services.ingest.mime import parts_in, whole
from services.ingest.parsing import parse
from services.ingest.settings import Limits
from shared.domain.errors import Unreadable
from shared.domain.ledger import Outcome
from tests.unit.ingest.desk import Helpdesk
from tests.unit.ingest.mails import mail

HEAD = b"From: ada@example.org\r\nSubject: hello\r\n"
INNER = b"From: bo@example.org\r\nSubject: inner\r\n\r\nThe inner text\r\n"


def multipart(
    *parts: bytes, boundary: bytes = b"X", announced: bytes = b"X", kind: bytes = b"mixed"
) -> bytes:
    """A mail of these raw parts, heads included."""
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    head = HEAD + b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (kind, announced)
    return head + body + b"--%b--\r\n" % boundary


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\r\n\r\n" + HEAD + b"\r\nafter empty lines", "after empty lines"),
        (b"\xef\xbb\xbf" + HEAD + b"\r\nafter a mark", "after a mark"),
        (HEAD.replace(b"\r\n", b"\r") + b"\rlone\rCR", "lone\nCR"),
        (b"From ada@example.org Mon Sep  1 08:00:00 2026\r\n" + HEAD + b"\r\nof an mbox", "of an mbox"),
        (HEAD + b"no empty line before this\r\nor this", "no empty line before this\nor this"),
        (HEAD + b"Content-Type: text / plain (comment); charset=utf-8\r\n\r\n\xc3\xbc", "ü"),
        (HEAD + b"Content-Type: (a (b)) text/html\r\n\r\n<p>seen</p>", "seen"),
        (HEAD + b"Content-Type: text/plain\r\n charset=koi8-r\r\n\r\nx", "x"),
    ],
)
def test_a_broken_head_is_mended(raw: bytes, text: str) -> None:
    found = parse(raw)

    assert found.text == text
    assert (found.sender, found.subject) == (Address("ada@example.org"), "hello")


@pytest.mark.parametrize(
    "raw",
    [
        multipart(b"\r\nfirst", b"\r\nsecond"),
        multipart(b"\r\nfirst", b"\r\nsecond").replace(b"--X--\r\n", b""),
        multipart(b"\r\nfirst", b"\r\nsecond").replace(b"\r\n", b"\n"),
        multipart(b"\r\nfirst", b"\r\nsecond").replace(b"--X\r\n", b"--X \t \r\n"),
        multipart(b"\r\nfirst", b"\r\nsecond") + b"epilogue\r\n--X\r\n\r\nnever read",
        multipart(b"\r\nfirst", b"\r\nsecond").replace(b"\r\n\r\n--X", b"\r\n\r\npreamble\r\n--X", 1),
        multipart(b"Content-Type: text/plain\r\n\r\nfirst", b"\r\nsecond", announced=b"other"),
        multipart(b"Content-Type: text/plain\r\n\r\nfirst", b"\r\nsecond", announced=b""),
        multipart(b"\r\nfirst", b"\r\nsecond", boundary=b"a b'c", announced=b"a b'c"),
        multipart(b"\r\nfirst\r\n--XY\r\n--X-\r\n --X", b"\r\nsecond"),
        multipart(b"\r\nfirst", b"\r\nsecond").replace(b"\r\n--X--\r\n", b"--X--\r\n"),
    ],
)
def test_parts_are_found_however_their_boundaries_are_broken(raw: bytes) -> None:
    text = parse(raw).text

    assert text.startswith("first")
    assert text.endswith("\n\nsecond")


def test_a_part_within_a_part_ends_where_the_outer_one_does() -> None:
    inner = b'Content-Type: multipart/alternative; boundary="XX"\r\n\r\n--XX\r\n\r\ninner'
    found = parse(multipart(inner, b"\r\nouter"))

    assert found.text == "inner\n\nouter"


def test_the_parts_are_those_that_the_standard_library_finds() -> None:
    raw = multipart(
        b"\r\none", multipart(b"\r\ntwo", boundary=b"Y", announced=b"Y"), b"A: b\r\n\r\nthree\r\n"
    )
    theirs = BytesParser().parsebytes(raw).get_payload()
    ours = list(parts_in(whole(raw)))

    assert isinstance(theirs, list)
    assert [part.raw[part.begin : part.end] for part in ours] == [
        b"one",
        raw[raw.index(b"--Y") : raw.index(b"--Y--") + 5] + b"\r\n",
        b"three\r\n",
    ]
    assert [part.head.items() for part in ours] == [list(part.items()) for part in theirs]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Type: message/rfc822\r\n\r\n" + INNER,
        multipart(b"Content-Type: message/rfc822\r\n\r\n" + INNER),
        multipart(b"\r\n \r\n", b"Content-Type: message/rfc822\r\n\r\n" + INNER),
        multipart(
            b"Content-Type: message/rfc822\r\n\r\n"
            + multipart(b"Content-Type: message/rfc822\r\n\r\n" + INNER, boundary=b"Y", announced=b"Y")
        ),
        multipart(
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(INNER)
        ),
    ],
)
def test_of_a_mail_that_only_holds_another_one_the_inner_text_is_read(raw: bytes) -> None:
    found = parse(raw)

    assert found.text == "The inner text"
    assert found.subject == "hello"
    assert [one.content_type for one in found.attachments] == ["message/rfc822"]
    assert found.decisions == ["it has no text of its own: this is the text of the mail within it"]


def test_a_mail_within_the_mail_is_listed_with_the_digest_of_its_very_bytes() -> None:
    (found,) = parse(multipart(b"Content-Type: message/rfc822\r\n\r\n" + INNER)).attachments

    assert (found.size, found.sha256) == (len(INNER), hashlib.sha256(INNER).hexdigest())


@pytest.mark.parametrize(
    ("part", "inline"),
    [
        (b"Content-Type: image/png; name=a.png\r\nContent-ID: <a@x>\r\n\r\nx", True),
        (b"Content-Type: image/png; name=a.png\r\nContent-ID: <other@x>\r\n\r\nx", False),
        (b"Content-Type: image/png\r\nContent-ID: <other@x>\r\nContent-Disposition: inline\r\n\r\nx", True),
        (b"Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: inline\r\n\r\nx", False),
        (b"Content-Type: image/png\r\nContent-Disposition: attachment\r\n\r\nx", False),
    ],
)
def test_a_file_is_inline_when_the_html_shows_it(part: bytes, inline: bool) -> None:
    found = parse(multipart(b"Content-Type: text/html\r\n\r\n<img src='cid:a%40x'>", part, kind=b"related"))

    assert [one.inline for one in found.attachments] == [inline]


@pytest.mark.parametrize(
    "kind",
    ["application/pgp-signature", "application/pkcs7-signature", "application/pkcs7-mime", "text/calendar"],
)
def test_signatures_keys_and_calendars_are_kept_as_files(kind: str) -> None:
    found = parse(multipart(b"\r\nHello", f"Content-Type: {kind}\r\n\r\nx".encode()))

    assert found.text == "Hello"
    assert [(one.content_type, one.size) for one in found.attachments] == [(kind, 1)]


ROW_18 = {
    "without a Message-ID": mail(""),
    "empty": b"",
    "without From": mail(sender=""),
    "of an unknown charset": HEAD + b"Content-Type: text/plain; charset=x-klingon\r\n\r\nGr\xfc\xdfe",
    "8-bit without MIME": HEAD + b"\r\nGr\xfc\xdfe",
    "of bad base64": HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n@@@not base64###=",
    "of a boundary that is missing": HEAD + b"Content-Type: multipart/mixed\r\n\r\n--a\r\n\r\nx",
    "a broken winmail.dat": multipart(b"Content-Type: application/ms-tnef\r\n\r\nx\x9f>\x22\xff\xff"),
    "within a mail": HEAD + b"Content-Type: message/rfc822\r\n\r\n" + INNER,
    "with an empty file": multipart(b"Content-Type: image/png; name=a.png\r\n\r\n"),
    "with odd names": mail(sender="\u202egro.elpmaxe\u200b\ufeff <ada@example.org>", subject="\u202e\u200d"),
    "of 1970": mail(headers={"Date": "Thu, 01 Jan 1970 00:00:00 +0000"}),
    "of 2099": mail(headers={"Date": "Thu, 31 Dec 2099 23:59:59 +1400"}),
    "of no year": mail(headers={"Date": "Mon, 99 Foo 0000 99:99:99 +9999"}),
    "with 8-bit in a notice": HEAD + b"X-Failed-Recipients: a@ex\xfcmple.org\r\n\r\nmail delivery failed",
}


@pytest.mark.parametrize("kind", ROW_18)
async def test_a_mail_of_row_18_is_taken_in_and_its_bytes_can_be_had_again(
    helpdesk: Helpdesk, kind: str
) -> None:
    entry = await helpdesk.take(ROW_18[kind])

    assert entry.outcome is Outcome.INGESTED
    assert await helpdesk.platform.blobs.read(entry.digest) == ROW_18[kind]


@given(
    st.lists(st.binary(max_size=12) | st.sampled_from([b"\r\n", b"--X", b"--", b"\n\n", INNER]), max_size=30)
)
def test_whatever_stands_between_boundaries_is_read_and_can_be_shown(pieces: list[bytes]) -> None:
    told = explain(multipart(b"".join(pieces)), "x")

    assert told["ok"]
    orjson.dumps(told)


BAITS = {
    "comments": b"(" * 40,
    "closed comments": b"()" * 20,
    "quotes": b'"\\" ' * 10,
    "groups": b"a:" * 20,
    "encoded words": b"=?utf-8?q?x?= " * 3,
    "broken words": b"=?utf-8?q?" * 4,
    "dates": b"1 Jul " * 7,
    "ids": b"<a@b" * 10,
}


@pytest.mark.parametrize(
    "field", [b"From", b"Subject", b"Date", b"References", b"Message-ID", b"Content-Type"]
)
@pytest.mark.parametrize("bait", BAITS)
def test_a_bait_that_fills_a_head_is_read_or_unreadable(field: bytes, bait: str) -> None:
    raw = field + b": " + BAITS[bait] * 5000 + b"\r\n\r\nbody"
    told = explain(raw, "x")

    assert told["ok"]
    orjson.dumps(told)


def test_ten_times_the_boundaries_are_ten_times_the_parts_and_no_more_are_looked_at_than_allowed() -> None:
    limits = Limits(parts=50)
    with pytest.raises(Unreadable, match="parts=50"):
        parse(multipart(*[b"\r\nx"] * 100_000), limits)

    found = parts_in(whole(multipart(*[b"\r\nx"] * 100_000)))
    assert [part.raw[part.begin : part.end] for part, _ in zip(found, range(3), strict=False)] == [b"x"] * 3


def test_a_thousand_mails_within_one_another_are_unreadable_for_their_depth() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 1000 + INNER

    with pytest.raises(Unreadable, match="depth=20"):
        parse(raw)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"R3LDvMOfZSA=\r\ndW5kIERhbms=\r\n", "Grüße und Dank"),
        (b"R3LDvMOfZSA=dW5kIERhbms", "Grüße und Dank"),
        (b"R3LDvMOfZQ==\r\n--\r\nA list for all\r\n", "Grüße"),
        (b"R3LDvMOfZQ==\r\n====\r\n", "Grüße"),
    ],
)
def test_base64_in_several_pieces_is_read_to_its_end(body: bytes, text: str) -> None:
    assert parse(HEAD + b"Content-Transfer-Encoding: base64\r\n\r\n" + body).text == text


def test_a_text_of_an_unusual_type_is_read_when_there_is_no_other() -> None:
    rich = b"Content-Type: text/enriched\r\n\r\n<bold>seen</bold> by all"

    assert parse(multipart(rich)).text == "seen by all"
    assert parse(multipart(rich, b"\r\nthe text", kind=b"alternative")).text == "the text"
    assert parse(HEAD + b"Content-Type: text/markdown\r\n\r\n# *seen*").text == "# *seen*"
    assert [one.content_type for one in parse(multipart(rich)).attachments] == ["text/enriched"]


def test_the_charset_that_a_page_names_is_found_however_it_is_quoted() -> None:
    for name in (b'"iso-8859-2"', b"&quot;iso-8859-2&quot;", b"iso-8859-2", b" = 'iso-8859-2'"):
        mark = b"<meta charset=" + name.removeprefix(b" = ") + b">"
        assert parse(HEAD + b"Content-Type: text/html\r\n\r\n" + mark + b"\xb1").text == "ą"


def test_fields_that_stand_there_twice_are_read_for_what_they_say() -> None:
    found = parse(
        b"From:\r\nFrom: ada@example.org\r\nSubject: \r\nSubject: hello\r\n"
        b"References: <a@x>\r\nReferences: <b@x> <c@x>\r\nReferences: what <d@x> said\r\n\r\n"
    )

    assert (found.sender, found.subject) == (Address("ada@example.org"), "hello")
    assert found.references == ["a@x", "b@x", "c@x"]
