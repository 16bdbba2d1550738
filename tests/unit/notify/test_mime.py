"""The bytes that go to the relay, read back by the standard library: what we meant is what others read.

Nothing that came in by mail may become a header, end the headers, or change who gets the letter
(CVE-2024-6923; python/cpython#121650).
"""

import re
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify import mime
from services.notify.ports import Mail
from shared.domain.errors import Invalid
from shared.domain.letters import Letter
from shared.domain.loop_mark import loop_mark, marked_ticket
from shared.domain.ticket import Contact
from tests.unit.notify.samples import NOW, SECRET, SUPPORT, automatic, letter

NAMES = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "X-Ombud-Loop",
    "MIME-Version",
    "Content-Type",
]
NASTY = [
    "Hello\r\nBcc: victim@example.org",
    "Hello\nBcc: victim@example.org\n\nA new body",
    "Hello\rBcc: victim@example.org",
    "=?UTF-8?Q?=0A?=Bcc: victim@example.org",
    "=?utf-8?q?=0D=0ABcc:_victim=40example.org?=",
    "=?utf-8?b?DQpCY2M6IHZpY3RpbUBleGFtcGxlLm9yZw==?=",
    "nul \0 byte, escape \x1b[2J and bell \x07",
    "x" * 2_000,
    "word " * 400,
    "\u202egnp.rettel\u202c and \u2066isolated\u2069",
    "שלום, האם אפשר לעזור?",
    "🔥" * 150,
    "half a pair \ud83d and \udce9 a stray byte",
    '"; <victim@example.org>, "',
    "line\u2028separator\u0085next\x0bvertical",
    ": colon first",
    "",
]


def read(mail: Mail) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(mail.content)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_a_letter_is_read_back_as_it_was_written() -> None:
    answering = letter(at=NOW, in_reply_to="q2@customer.example", references=["q1@customer.example"])
    mail = mime.built(answering, SECRET)
    message = read(mail)

    assert (mail.sender, mail.recipient, mail.utf8) == (SUPPORT, "ada@customer.example", False)
    assert message["From"] == "Example Support <support@example.org>"
    assert message["To"] == "Ada <ada@customer.example>"
    assert message["Subject"] == "Re: The printer is on fire [#10042]"
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == "<let_1@example.org>"
    assert message["In-Reply-To"] == "<q2@customer.example>"
    assert message["References"] == "<q1@customer.example> <q2@customer.example>"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert body(message, "plain").strip() == "Have you tried water?"
    assert body(message, "html").strip() == "<p>Have you tried water?</p>"


def test_the_same_letter_always_gives_the_same_bytes() -> None:
    assert mime.built(letter(at=NOW), SECRET) == mime.built(letter(at=NOW), SECRET)


def test_only_an_automatic_letter_says_that_it_is_one() -> None:
    by_hand = read(mime.built(letter(), SECRET))
    answering = read(mime.built(automatic(in_reply_to="q@x.y"), SECRET))
    by_itself = read(mime.built(automatic(kind="sla_breached"), SECRET))

    assert "Auto-Submitted" not in by_hand
    assert "X-Auto-Response-Suppress" not in by_hand
    assert (answering["Auto-Submitted"], by_itself["Auto-Submitted"]) == ("auto-replied", "auto-generated")
    assert answering["X-Auto-Response-Suppress"] == by_itself["X-Auto-Response-Suppress"] == "All"


def test_every_letter_bears_a_loop_mark_that_only_we_can_write() -> None:
    mark = read(mime.built(letter(), SECRET))["X-Ombud-Loop"]

    assert marked_ticket(SECRET, mark) == "tkt_0000000001"
    assert marked_ticket(b"another secret", mark) is None
    for forged in ("", ".", "tkt_0000000001", mark[:-1], "tkt_2." + mark.rpartition(".")[2], "ü." + "é" * 32):
        assert marked_ticket(SECRET, forged) is None
    assert loop_mark(SECRET, "tkt_1") != loop_mark(SECRET, "tkt_2")


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("place", ["subject", "name", "text", "html"])
def test_nothing_that_came_in_becomes_a_header_or_a_recipient(place: str, nasty: str) -> None:
    changed: dict[str, Any] = {place: nasty}
    if place == "name":
        changed = {"to": Contact(address="ada@customer.example", name=nasty)}
    mail = mime.built(letter(**changed), SECRET)

    check_sound(mail, NAMES)
    assert mail.recipient == "ada@customer.example"
    assert read(mail)["To"].addresses[0].addr_spec == "ada@customer.example"
    assert len(read(mail)["To"].addresses) == 1


@given(st.text(st.characters(), max_size=300), st.text(st.characters(), max_size=120))
def test_no_subject_and_no_name_at_all_makes_another_header(subject: str, name: str) -> None:
    to = Contact(address="ada@customer.example", name=name)

    check_sound(mime.built(letter(at=NOW, subject=subject, to=to), SECRET), NAMES)


@pytest.mark.parametrize("nasty", [*NASTY, "a@b.c>\r\nBcc: <v@w.x", "a@b.c\0", "=?utf-8?q?=0A?=@x.y"])
def test_ids_that_came_in_are_left_out_when_they_could_do_harm(nasty: str) -> None:
    mail = mime.built(letter(in_reply_to=nasty, references=[nasty, "good@x.y"]), SECRET)

    check_sound(mail, [*NAMES[:5], "References", *NAMES[5:]])
    assert read(mail)["References"] == "<good@x.y>"


def check_sound(mail: Mail, names: list[str]) -> None:
    head, _, rest = mail.content.partition(b"\r\n\r\n")
    assert head.isascii()
    assert b"\0" not in mail.content
    assert mail.content.count(b"\n") == mail.content.count(b"\r\n") == mail.content.count(b"\r")
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998
    message = read(mail)
    assert message.keys() == names
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert not re.search(rb"^bcc", head, re.IGNORECASE | re.MULTILINE)
    assert rest.endswith(b"--\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "Grüße aus Köln",
        "打印机着火了",
        "From here on\n.\n..two dots\nthe end",
        "trailing spaces   \n-- \nname",
        "x" * 5_000,
        "Windows\r\nlines\rand old ones\n",
        "🔥 = 100 % = fire =3D",
    ],
)
def test_a_text_in_any_script_arrives_as_it_was_written(text: str) -> None:
    message = read(mime.built(letter(text=text, html=f"<p>{text}</p>"), SECRET))

    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert body(message, "plain").rstrip("\n") == expected.rstrip("\n")
    assert body(message, "html").rstrip("\n") == f"<p>{expected}</p>"


def test_a_text_that_is_mostly_ascii_stays_readable_and_others_do_not_swell() -> None:
    readable = mime.built(letter(text="Please try again, Zoë."), SECRET).content
    chinese = mime.built(letter(text="打印机" * 100), SECRET).content

    assert b"Please try again, Zo=C3=AB." in readable
    assert len(chinese) < 2_200


def test_no_text_can_end_its_part_early() -> None:
    own = letter(text="--=_let_1--\n\n--=_let_1\nContent-Type: text/html\n\n<script>", html="--=_let_1--")
    message = read(mime.built(own, SECRET))

    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert "<script>" in body(message, "plain")
    assert body(message, "html").strip() == "--=_let_1--"


def test_an_address_that_is_not_ascii_asks_for_smtputf8() -> None:
    mail = mime.built(letter(to=Contact(address="zoë@bücher.example", name="Zoë")), SECRET)

    assert (mail.recipient, mail.utf8) == ("zoë@xn--bcher-kva.example", True)
    assert "To: =?utf-8?b?Wm/Dqw==?= <zoë@xn--bcher-kva.example>".encode() in mail.content


@pytest.mark.parametrize(
    "broken",
    [
        {"to": Contact(address="ada@example.org\r\nRCPT TO:<victim@example.org>")},
        {"to": Contact(address="not an address")},
        {"sender": Contact(address="support")},
        {"reply_to": "support@example.org>, <victim@example.org"},
        {"message_id": "two words@example.org"},
        {"ticket_id": "tkt_1\r\nBcc: victim@example.org"},
        {"id": 'let_1"\r\nBcc: victim@example.org'},
    ],
)
def test_a_letter_that_cannot_be_written_safely_is_not_written(broken: dict[str, Any]) -> None:
    own: Letter = letter().model_copy(update=broken)

    with pytest.raises(Invalid):
        mime.built(own, SECRET)


def test_a_reply_to_is_written_when_there_is_one() -> None:
    message = read(mime.built(letter(reply_to="support+t.abc@example.org"), SECRET))

    assert message["Reply-To"] == "support+t.abc@example.org"


def test_the_date_is_when_the_letter_was_made_also_in_a_later_try() -> None:
    made = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)

    assert read(mime.built(letter(at=made), SECRET))["Date"] == "Sat, 31 Jan 2026 23:59:59 +0000"
