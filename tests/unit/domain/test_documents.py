"""What every stored thing has, and what keeps its instants and its ids apart."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain import errors
from shared.domain.deadlines import Target, deadline_id
from shared.domain.documents import Document, Sleeper, plain
from shared.domain.ledger import entry_id
from shared.domain.loop_mark import loop_mark, marked_ticket
from shared.domain.triage import triage_id
from tests.unit.domain.samples import opened

ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=ZONES))  # noqa: DTZ001 (as hypothesis wants them)
def test_an_instant_is_the_same_moment_in_utc_wherever_it_was_noted(noted: datetime) -> None:
    kept = Sleeper(id="s", wake_at=noted).wake_at

    assert kept == noted
    assert kept is not None
    assert kept.utcoffset() == timedelta(0)


def test_an_instant_without_its_timezone_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs its timezone"):
        Sleeper(id="s", wake_at=datetime(2026, 1, 1))  # noqa: DTZ001 (that is what is refused)


def test_documents_do_not_share_what_waits_in_their_outboxes() -> None:
    first, second = Document(id="a"), Document(id="b")
    first.outbox.append(opened().outbox[0])

    assert second.outbox == []


def test_touching_counts_one_change() -> None:
    document = Document(id="a", version=4)
    document.touch()

    assert document.version == 5


def test_a_plain_document_is_what_json_can_hold() -> None:
    shown = plain(opened())

    assert shown["opened_at"] == "2026-11-20T12:00:00Z"
    assert shown["status"] == "new"


@given(
    st.lists(
        st.tuples(st.sampled_from(["support", "sales"]), st.integers(0, 99), st.integers(0, 99)), max_size=9
    )
)
def test_each_mail_of_a_server_has_a_ledger_entry_of_its_own(mails: list[tuple[str, int, int]]) -> None:
    assert len({entry_id(*one) for one in mails}) == len(set(mails))


def test_each_deadline_and_each_triage_has_an_id_of_its_own() -> None:
    deadlines = {
        deadline_id(ticket, target, cycle) for ticket in "ab" for target in Target for cycle in (1, 11)
    }
    triages = {triage_id(ticket, event) for ticket in ("a", "a.1") for event in ("a.1", "1")}

    assert (len(deadlines), len(triages)) == (8, 4)


@given(st.binary(min_size=1, max_size=40), st.from_regex(r"\A[a-z0-9_.]{1,60}\Z"))
def test_a_letter_that_comes_back_names_its_ticket(secret: bytes, ticket_id: str) -> None:
    mark = loop_mark(secret, ticket_id)

    assert marked_ticket(secret, f"  {mark} ") == ticket_id
    assert marked_ticket(secret + b"x", mark) is None


@given(st.text(max_size=80))
def test_a_mark_that_we_did_not_sign_names_nothing(value: str) -> None:
    assert marked_ticket(b"secret", value) is None


def test_a_mark_moved_to_another_ticket_names_nothing() -> None:
    signature = loop_mark(b"secret", "tkt_1").rpartition(".")[2]

    assert marked_ticket(b"secret", f"tkt_2.{signature}") is None


def test_every_error_has_a_code_of_its_own_and_says_what_to_do_next_by_its_type() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.OmbudError) and kind is not errors.OmbudError
    ]

    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert (
            sum(issubclass(kind, base) for base in (errors.Temporary, errors.Permanent, errors.Refused)) == 1
        )


def test_an_outage_names_who_does_not_answer() -> None:
    down = errors.Unavailable("kafka", "connection refused")

    assert (down.dependency, str(down)) == ("kafka", "kafka does not answer: connection refused")
