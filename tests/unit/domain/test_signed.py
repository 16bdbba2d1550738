"""What our letters carry so that answers find their ticket, and that nobody else can write it."""

import pytest

from shared.domain.ids import derived, sortable
from shared.domain.signed import Signed, Signer
from tests.unit.ingest.mails import RECEIVED

SECRET = b"a secret of these tests"
SIGNER = Signer(SECRET)
TICKET, OTHER = sortable("tkt", RECEIVED, "one"), sortable("tkt", RECEIVED, "two")
LETTER = derived("let", "event", "reply", "ada@example.org")
ADA, SUPPORT = "ada@example.org", "support@example.com"

MESSAGE_ID = SIGNER.message_id(TICKET, ADA, LETTER, "example.com")
ADDRESS = SIGNER.reply_address(SUPPORT, TICKET, ADA)
MARKER = SIGNER.marker(TICKET, ADA)


def in_address(address: str, signer: Signer = SIGNER) -> list[Signed]:
    return signer.in_addresses([f"Help <{address}>"], 10)


def test_each_place_names_the_ticket_and_the_addressee() -> None:
    (by_address,), (by_body,) = in_address(ADDRESS), SIGNER.in_body(f"> {MARKER}\n> bye", 10)
    by_id = SIGNER.in_message_id(MESSAGE_ID)

    assert by_id is not None
    assert by_id.ticket_id == by_address.ticket_id == by_body.ticket_id == TICKET
    for one in (by_id, by_address, by_body):
        assert SIGNER.made_for(one, "Ada@Example.org ")
        assert not SIGNER.made_for(one, "eve@example.org")


def test_the_same_letter_always_has_the_same_id_and_no_other_has_it() -> None:
    assert SIGNER.message_id(TICKET, ADA, LETTER, "example.com") == MESSAGE_ID
    others = [
        Signer(b"another").message_id(TICKET, ADA, LETTER, "example.com"),
        SIGNER.message_id(OTHER, ADA, LETTER, "example.com"),
        SIGNER.message_id(TICKET, "bo@example.org", LETTER, "example.com"),
        SIGNER.message_id(TICKET, ADA, derived("let", "x"), "example.com"),
    ]
    assert len({MESSAGE_ID, *others}) == 5


def changed(token: str) -> list[str]:
    """The token with each of its letters and digits after the prefix changed, one at a time."""
    begin = token.index("t.") + 2
    end = token.index("@") if "@" in token else len(token) - 1
    places = [place for place in range(begin, end) if token[place].isalnum()]
    return [f"{token[:at]}{'1' if token[at] == '0' else '0'}{token[at + 1 :]}" for at in places]


def test_no_symbol_of_it_can_be_changed() -> None:
    assert len(changed(MESSAGE_ID)) > 60
    assert [one for one in changed(MESSAGE_ID) if SIGNER.in_message_id(one)] == []
    assert [one for one in changed(ADDRESS) if in_address(one)] == []
    assert [one for one in changed(MARKER) if SIGNER.in_body(one, 10)] == []


def test_the_seal_of_one_place_is_none_in_another() -> None:
    seal = ADDRESS.partition("+")[2].partition("@")[0]

    assert SIGNER.in_body(f"[ref:{seal}]", 10) == []
    assert in_address(f"support+{MARKER[5:-1]}@example.com") == []
    assert SIGNER.in_message_id(f"{seal}@example.com") is None


@pytest.mark.parametrize("secret", [b"another secret", b""])
def test_another_secret_reads_nothing(secret: bytes) -> None:
    other = Signer(secret)

    assert other.in_message_id(MESSAGE_ID) is None
    assert in_address(ADDRESS, other) == []
    assert other.in_body(MARKER, 10) == []


def test_without_a_secret_not_even_what_was_signed_without_one_is_read() -> None:
    nobody = Signer(b"")

    assert nobody.in_message_id(nobody.message_id(TICKET, ADA, LETTER, "example.com")) is None


def test_servers_may_change_its_case_and_the_domain() -> None:
    assert SIGNER.in_message_id(MESSAGE_ID.upper()) == SIGNER.in_message_id(MESSAGE_ID)
    assert in_address(ADDRESS.upper()) == in_address(ADDRESS)
    assert SIGNER.in_message_id(MESSAGE_ID.replace("example.com", "relay.example")) is not None


def test_an_address_stays_within_64_octets_or_is_none() -> None:
    longest = SIGNER.reply_address("customer.service@example.com", TICKET, ADA)

    assert len(longest.partition("@")[0]) <= 64
    assert in_address(longest) == in_address(ADDRESS)
    assert SIGNER.reply_address("technical.department@example.com", TICKET, ADA) == ""


def test_only_the_first_few_are_looked_at() -> None:
    forged = changed(MARKER)[:3]

    assert SIGNER.in_body("\n".join([*forged, MARKER]), 4)[0].ticket_id == TICKET
    assert SIGNER.in_body("\n".join([*forged, MARKER]), 3) == []


@pytest.mark.parametrize(
    "junk", ["", "t.", "t.a.b.c@d", "é.é", "t." + "0" * 5000, "ref:t." * 2000, "+t.\0.\0@"]
)
def test_whatever_stands_there_reading_it_does_not_fail(junk: str) -> None:
    assert SIGNER.in_message_id(junk) is None
    assert SIGNER.in_addresses([junk], 10) == []
    assert SIGNER.in_body(junk, 10) == []
