"""Reading whole mails."""

import contextlib
import hashlib
import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.headers import Address
from services.ingest.parsing import ParsedMail, parse
from services.ingest.settings import Limits
from shared.domain.errors import Unreadable
from tests.unit.ingest.mails import mail


def composed(text: str = "", html: str = "", files: dict[str, bytes] | None = None) -> bytes:
    """A mail as a mail client composes it."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = "Ada <ada@example.org>", "support@example.com", "Grüße"
    if text:
        made.set_content(text)
    if html and text:
        made.add_alternative(html, subtype="html")
    elif html:
        made.set_content(html, subtype="html")
    for name, data in (files or {}).items():
        made.add_attachment(data, maintype="application", subtype="pdf", filename=name)
    return made.as_bytes()


def parts(*bodies: str, kind: str = "mixed") -> bytes:
    """A multipart mail of these raw parts (their heads included)."""
    inner = "".join(f"--X\r\n{body}\r\n" for body in bodies)
    head = f'From: ada@example.org\r\nContent-Type: multipart/{kind}; boundary="X"\r\n\r\n'
    return f"{head}{inner}--X--\r\n".encode()


def test_a_plain_mail_is_read() -> None:
    found = parse(
        mail(headers={"References": "<a@x> <b@x>", "In-Reply-To": "<b@x>", "Cc": "Bo <bo@example.org>"})
    )

    assert found.message_id == "one@example.org"
    assert found.sender == Address("ada@example.org", "Ada Lovelace")
    assert found.to == [Address("support@example.com")]
    assert found.cc == [Address("bo@example.org", "Bo")]
    assert found.subject == "The printer is on fire"
    assert found.text == "It burns.\nPlease help."
    assert found.references == ["a@x", "b@x"]
    assert found.referred(10) == ["b@x", "a@x"]
    assert found.date is not None


def test_the_text_is_taken_of_alternatives_and_the_html_is_kept_beside_it() -> None:
    found = parse(composed("In words", "<p>In <b>colour</b></p>"))

    assert found.text == "In words"
    assert "<b>colour</b>" in found.html


def test_html_alone_is_walked_to_text() -> None:
    assert parse(composed(html="<p>One</p><p>Two</p>")).text == "One\n\nTwo"


def test_an_empty_plain_part_gives_way_to_the_html() -> None:
    plain, html = "Content-Type: text/plain\r\n\r\n \r\n", "Content-Type: text/html\r\n\r\n<p>Seen</p>"

    assert parse(parts(plain, html, kind="alternative")).text == "Seen"


def test_text_on_both_sides_of_a_file_is_read_in_order() -> None:
    text, file = "Content-Type: text/plain\r\n\r\n{}", "Content-Type: image/png; name=a.png\r\n\r\nx"

    assert parse(parts(text.format("before"), file, text.format("after"))).text == "before\n\nafter"


def test_attachments_are_listed_with_size_and_digest() -> None:
    (found,) = parse(composed("See file", files={"../../etc/Rechnung Ä.pdf": b"%PDF"})).attachments

    assert (found.filename, found.content_type, found.size) == ("Rechnung Ä.pdf", "application/pdf", 4)
    assert found.sha256 == hashlib.sha256(b"%PDF").hexdigest()
    assert not found.inline


@pytest.mark.parametrize(
    "disposition",
    [
        "attachment; filename*=utf-8''%C3%9Cbersicht.txt",
        'attachment; filename="=?utf-8?q?=C3=9Cbersicht=2Etxt?="',
        "attachment; filename*0*=utf-8''%C3%9Cber; filename*1=sicht.txt",
        'attachment; filename="Übersicht.txt"',
        "attachment; filename=\"%C3%9Cbersicht.txt\"; filename*=utf-8''%C3%9Cbersicht.txt",
        "attachment; filename*=utf-8''%C3%9Cbersicht.txt; filename=overview.txt",
        "attachment; filename*=utf-8''%C3%9Cbersicht.txt; filename*0=over; filename*1=view.txt",
        "attachment; filename*=%C3%9Cbersicht.txt",
        "attachment; filename*=\"us-ascii''%DCbersicht.txt\"",
        "attachment; filename*=no-such''%DCbersicht.txt",
        "attachment; filename==?utf-8?q?=C3=9Cbersicht=2Etxt?=",
        "attachment; filename=?utf-8?q?=C3=9Cbersicht=2Etxt?=",
    ],
)
def test_a_file_name_is_read_however_it_is_encoded(disposition: str) -> None:
    (found,) = parse(
        parts(f"Content-Type: text/plain\r\nContent-Disposition: {disposition}\r\n\r\nx")
    ).attachments

    assert found.filename == "Übersicht.txt"


def test_a_mail_within_the_mail_is_an_attachment_and_not_its_text() -> None:
    inner = "Content-Type: message/rfc822\r\n\r\nFrom: x@example.org\r\nSubject: inner\r\n\r\ninner text"
    found = parse(parts("Content-Type: text/plain\r\n\r\nouter text", inner))

    assert found.text == "outer text"
    assert [one.content_type for one in found.attachments] == ["message/rfc822"]


def test_a_charset_named_in_the_html_alone_is_believed() -> None:
    html = b'<meta charset="koi8-r"><p>' + "Привет".encode("koi8-r")

    assert parse(b"Content-Type: text/html\r\n\r\n" + html).text == "Привет"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Content-Transfer-Encoding: base64\r\n\r\nR3LDvMOfZQ", "Grüße"),
        (b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe=", "Grüße"),
        (b"Content-Transfer-Encoding: no-such\r\n\r\nas it stands", "as it stands"),
        (b"Content-Type: multipart/mixed; boundary=never\r\n\r\nread all the same", "read all the same"),
        (b"Content-Type: multipart/mixed\r\n\r\nno boundary named", "no boundary named"),
        (b"Content-Type: nonsense\r\n\r\nread as text", "read as text"),
        (b"Subject: x\n\nunix\nline ends\n", "unix\nline ends"),
        (b"Subject: x\r\n\r\nzero \0 byte", "zero  byte"),
        (b"\r\nno head at all", "no head at all"),
        (b"no colon here\r\n\r\nx", "no colon here\n\nx"),
        (b"", ""),
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_goes(raw: bytes, text: str) -> None:
    assert parse(raw).text == text


def test_a_mail_without_sender_date_and_id_is_a_mail_with_a_stable_id_of_ours() -> None:
    found = parse(b"Subject: anonymous\r\n\r\nHello")

    assert (found.sender, found.date, found.message_id) == (None, None, "")
    assert found.stable_id == parse(b"Received: x\r\nSubject: anonymous\r\n\r\nHello").stable_id


def test_who_wrote_a_mail_without_from_is_taken_from_what_comes_nearest() -> None:
    assert parse(b"Return-Path: <ada@example.org>\r\n\r\n").sender == Address("ada@example.org")


def test_the_fingerprint_is_the_same_however_the_mail_was_delivered() -> None:
    other = b"Return-Path: <a@x>\r\nDelivered-To: b@x\r\nX-Spam: no\r\n" + mail()

    assert parse(other).fingerprint == parse(mail()).fingerprint
    assert parse(mail().replace(b"\r\n", b"\n")).fingerprint == parse(mail()).fingerprint


@pytest.mark.parametrize(
    "other", [mail(body="Other"), mail(subject="Other"), mail("two@x"), mail(sender="bo@example.org")]
)
def test_another_mail_has_another_fingerprint(other: bytes) -> None:
    assert parse(other).fingerprint != parse(mail()).fingerprint


def test_of_many_references_the_newest_and_the_oldest_are_kept() -> None:
    everything = " ".join(f"<{number}@x>" for number in range(100))
    found = parse(mail(headers={"References": everything}), Limits(references=4))

    assert found.references == ["0@x", "97@x", "98@x", "99@x"]
    assert found.referred(3) == ["99@x", "98@x", "0@x"]


def test_text_that_is_too_long_is_cut_and_the_mail_says_so() -> None:
    found = parse(mail(body="x" * 5000), Limits(text_chars=1024))

    assert len(found.text) == 1024
    assert found.decisions == ["the text was cut at 1024 of 5000 characters (text_chars)"]


def nested(depth: int) -> bytes:
    head = "".join(
        f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n" for level in range(depth)
    )
    return (head + "\n\ndeep").encode()


@pytest.mark.parametrize(
    ("raw", "limit"),
    [
        (mail(body="x" * 2000), "mail_bytes"),
        (mail(headers={"X": "x" * 1500}, body=""), "head_bytes"),
        (mail(headers={f"X{number}": "x" for number in range(20)}, body=""), "headers"),
        (parts(*["\r\nx"] * 20), "parts"),
        (nested(8), "depth"),
    ],
)
def test_past_a_limit_that_guards_the_reader_a_mail_is_unreadable_and_the_limit_is_named(
    raw: bytes, limit: str
) -> None:
    limits = Limits(mail_bytes=1900, head_bytes=1400, headers=15, parts=10, depth=5)

    with pytest.raises(Unreadable, match=limit):
        parse(raw, limits)


def test_parts_nested_a_thousand_deep_are_unreadable_and_no_more() -> None:
    with pytest.raises(Unreadable):
        parse(nested(1000))


BOMBS = {
    "comments in From": b"From: " + b"(" * 200_000 + b"\r\n\r\n",
    "a Content-Type of parameters": b'Content-Type: a/b; x="' + b";" * 200_000 + b"\r\n\r\n",
    "one in a part": parts('Content-Type: a/b; x="' + ";" * 2_000_000 + "\r\n\r\n"),
    "parts": parts(*["\r\nx"] * 50_000),
    "fields": b"".join(b"X%d: y\r\n" % number for number in range(50_000)) + b"\r\n",
    "fields of a part": parts("".join(f"X{number}: y\r\n" for number in range(50_000))),
    "addresses": b"To: " + b",".join(b"u%d@example.org" % number for number in range(15_000)) + b"\r\n\r\n",
    "encoded words": b"Subject: " + b"=?utf-8?q?x?= " * 15_000 + b"\r\n\r\n",
    "empty lines": b"Subject: x\r\n" + b"\r\n" * 500_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_hostile_mail_is_done_with_in_seconds(bomb: str) -> None:
    started = time.process_time()
    try:
        parse(BOMBS[bomb])
    except Unreadable:
        pass
    finally:
        assert time.process_time() - started < 5.0


def storable(found: ParsedMail) -> None:
    """Raises when any text of the mail could not be stored."""
    texts = [found.text, found.html, found.subject, found.stable_id, *found.references, *found.in_reply_to]
    people = [*found.to, *found.cc, *([found.sender] if found.sender else [])]
    files = [name for one in found.attachments for name in (one.filename, one.content_type, one.content_id)]
    for text in [*texts, *(part for person in people for part in person), *files]:
        assert "\0" not in text
        text.encode("utf-8")


@given(st.binary(max_size=2000))
def test_random_bytes_are_read_or_unreadable_and_nothing_else(raw: bytes) -> None:
    with contextlib.suppress(Unreadable):
        storable(parse(raw))


WORDS = st.sampled_from(
    b"From:_|To:_|Subject:_|Message-ID:_<|Content-Type:_multipart/mixed;_boundary=|--|X|\r\n|\n|\r\n\r\n|;|<|>"
    b"|Content-Type:_text/html;_charset=|message/rfc822|utf-8|Content-Transfer-Encoding:_base64|=?|?q?|?=|=00"
    b'|\0|\xff|\xed\xa0\x80|"|Content-Disposition:_attachment;_filename*=|uuencode|begin_666_x\n|=?utf-8?b?'
    b"|multipart/report|Content-Type:_multipart/alternative;_boundary=X".replace(b"_", b" ").split(b"|")
)


@given(st.lists(WORDS | st.binary(max_size=8), max_size=60))
def test_bytes_that_look_like_a_mail_are_read_or_unreadable_and_nothing_else(words: list[bytes]) -> None:
    with contextlib.suppress(Unreadable):
        storable(parse(b"".join(words)))


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "multipart/mixed"])
def test_a_charset_that_is_no_name_at_all_keeps_no_mail_from_being_read(kind: str) -> None:
    head = f'From: ada@example.org\r\nContent-Type: {kind}; charset="nope'.encode()
    found = parse(head + b'\xff"\r\n\r\nHello \xff\xfe\r\n')

    assert "Hello" in found.text
