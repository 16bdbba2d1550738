"""Forwards, and the mail in them."""

import pytest

from services.ingest.forwards import Forwarded, says_forward
from services.ingest.reply_text import split

FIELDS = "From: Bob <bob@mail.example>\nDate: Tue, 4 Mar 2025 09:15\nSubject: Dark\nTo: ann@mail.example"
BODY = "No light.\n\nBob"
MAIL = f"{FIELDS}\n\n{BODY}"
INNER = Forwarded("Bob <bob@mail.example>", "Tue, 4 Mar 2025 09:15", "Dark", BODY)


def marked(text: str) -> str:
    """The text as a client marks what it quotes."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


@pytest.mark.parametrize(
    "forward",
    [
        f"---------- Forwarded message ---------\n{MAIL}",
        f"Begin forwarded message:\n\n{marked(MAIL)}",
        marked(f"Begin forwarded message:\n\n{MAIL}"),
        f"Begin forwarded message:\n\n{FIELDS}\n\n{marked(BODY)}",
    ],
)
def test_the_inner_mail_is_told_however_it_is_marked(forward: str) -> None:
    found = split(f"Whose is this?\n\n{forward}")
    assert found.is_forward
    assert found.reply_text == "Whose is this?"
    assert found.forwarded == INNER


def test_words_below_a_marked_forward_are_the_writers() -> None:
    forward = marked(f"Begin forwarded message:\n\n{FIELDS}\n\nNo light.")
    found = split(f"Whose is this?\n\n{forward}\n\nPlease tell me.")
    assert found.is_forward
    assert "Please tell me." in found.reply_text
    assert "No light." not in found.reply_text


def test_header_fields_are_a_forward_when_the_subject_says_so() -> None:
    text = f"Whose is this?\n\n{MAIL}"
    assert split(text, subject="WG: Dark").forwarded == INNER
    assert split(text, subject="Re: Dark").forwarded is None
    assert split(text, subject="Re: Dark").reply_text == "Whose is this?"


def test_a_separator_with_fields_and_nothing_above_is_a_forward() -> None:
    assert split(f"-------- Original Message --------\n{MAIL}").forwarded == INNER


def test_a_forward_without_fields_gives_its_text_alone() -> None:
    assert split("Begin forwarded message:\nNo light.").forwarded == Forwarded("", "", "", "No light.")


def test_a_reply_that_quotes_a_forward_is_none() -> None:
    quoted = marked(f"See below.\n\n---------- Forwarded message ---------\n{FIELDS}\n\nNo light.")
    found = split(f"I saw it.\n\nOn 4 Mar 2025 at 10:00 Ann wrote:\n{quoted}", subject="Re: Fwd: Dark")
    assert not found.is_forward
    assert found.reply_text == "I saw it."


def test_a_wrapped_subject_is_joined() -> None:
    fields = "From: bob@mail.example\nSubject: It is dark in all of the rooms on the first\nfloor\nTo: ann"
    found = split(f"---------- Forwarded message ---------\n{fields}\n\nNo light.")
    assert found.forwarded is not None
    assert found.forwarded.subject == "It is dark in all of the rooms on the first floor"


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("Bob <Bob@Mail.example>", "Bob", "bob@mail.example"),
        ("Bob [mailto:bob@mail.example]", "Bob", "bob@mail.example"),
        ("*Bob* <bob@mail.example<mailto:bob@mail.example>>", "Bob", "bob@mail.example"),
        ('"Builder, Bob" <bob@mail.example>', "Builder, Bob", "bob@mail.example"),
        ("bob@mail.example", "", "bob@mail.example"),
    ],
)
def test_the_author_is_read_from_what_clients_write(written: str, name: str, address: str) -> None:
    author = Forwarded(written, "", "", "").author
    assert author is not None
    assert (author.name, author.address.lower()) == (name, address)


@pytest.mark.parametrize("written", ["", "Bob", "<<<>>>", "[mailto:", "Bob <>"])
def test_a_sender_without_an_address_is_no_author(written: str) -> None:
    assert Forwarded(written, "", "", "").author is None


@pytest.mark.parametrize(
    "subject", ["Fwd: Dark", "FW: Dark", "WG: Dunkel", "TR : Nuit", "转发\N{FULLWIDTH COLON}灯", "I: Buio"]
)
def test_a_subject_may_say_forward(subject: str) -> None:
    assert says_forward(subject)


@pytest.mark.parametrize("subject", ["Re: Dark", "Dark", "Forward planning: dates", "AW: Dunkel", "", ":"])
def test_a_subject_may_say_something_else(subject: str) -> None:
    assert not says_forward(subject)


@pytest.mark.parametrize(
    ("subject", "is_forward"),
    [("Re: Oven", True), ("Re: Lamp", False), ("AW: [#10042] Lamp", False), ("", False), ("Oven", True)],
)
def test_a_mail_quoted_under_another_subject_than_its_own_is_passed_on(
    subject: str, is_forward: bool
) -> None:
    fields = "From: Bo <bo@mail.example>\nDate: 4 March 2025 09:15\nTo: Ann\n\n\nSubject: SV: Lamp"
    found = split(f"See this.\n\n-----Original Message-----\n{fields}\n\nIt broke.", subject=subject)

    assert found.is_forward is is_forward
    assert found.reply_text == "See this."
    if found.forwarded:
        assert (found.forwarded.subject, found.forwarded.text) == ("SV: Lamp", "It broke.")
