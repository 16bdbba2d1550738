"""Routing of records: each to the handler of its type, and what is nobody's told from what is unreadable."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.errors import Conflict, Unreadable
from shared.domain.events import EVENTS, NoteAdded, TicketOpened
from shared.domain.mail_fetched import TYPE as MAIL_FETCHED
from shared.domain.received import Received
from shared.ports.bus import Partition, Record
from shared.runtime.outbox import message_of
from shared.runtime.service import reader_of, routed
from tests.unit.domain.samples import cause, opened

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(value: bytes = b"{}", **headers: str) -> Record:
    return Record(Partition("ombud.tickets.v1", 0), 0, "tkt_1", value, headers, NOON)


def opened_record() -> Record:
    message = message_of(opened().outbox[0])
    return record(message.value, **message.headers)


class Heard:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.received: list[Received[Any]] = []

    async def __call__(self, received: Received[Any]) -> None:
        self.received.append(received)


async def test_an_event_reaches_the_handler_of_its_type_with_its_trace_and_no_other() -> None:
    tickets, notes = Heard(), Heard()
    await routed({TicketOpened: tickets, NoteAdded: notes})(opened_record())
    (received,) = tickets.received

    assert isinstance(received.event, TicketOpened)
    assert (received.event.ticket_id, received.traceparent) == ("tkt_1", "00-trace")
    assert notes.received == []


async def test_an_event_without_a_trace_is_handled_all_the_same() -> None:
    tickets, message = Heard(), message_of(opened().outbox[0])
    headers = {name: value for name, value in message.headers.items() if name != "traceparent"}
    await routed({TicketOpened: tickets})(record(message.value, **headers))

    assert [one.traceparent for one in tickets.received] == [""]


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind != TicketOpened.type])
async def test_an_event_that_a_reader_does_not_act_on_is_passed_over_unread(kind: str) -> None:
    heard = Heard()
    await routed({TicketOpened: heard})(record(b"no JSON at all", ce_type=kind))

    assert heard.received == []


def test_a_reader_ignores_what_it_has_no_handler_for_but_nothing_that_it_does_not_know() -> None:
    async def handler(received: Received[TicketOpened]) -> None:
        """Never called."""

    reader = reader_of("t", "g", {TicketOpened: handler})

    assert NoteAdded.type in reader.ignored
    assert TicketOpened.type not in reader.ignored
    assert MAIL_FETCHED not in reader.ignored
    assert reader.ignored < EVENTS.keys()


@pytest.mark.parametrize("kind", ["ombud.ticket.teleported.v1", "ombud.ticket.opened.v2", MAIL_FETCHED])
async def test_an_event_of_a_newer_service_is_passed_over(kind: str) -> None:
    heard = Heard()
    await routed({TicketOpened: heard})(record(ce_type=kind))

    assert heard.received == []


@pytest.mark.parametrize("kind", ["", "com.example.order.placed", "ticket.opened", "OMBUD.ticket.opened.v1"])
async def test_a_record_that_is_not_of_ours_is_unreadable_and_names_its_type(kind: str) -> None:
    with pytest.raises(Unreadable, match=repr(kind)):
        await routed({TicketOpened: Heard()})(record(ce_type=kind))


async def test_a_record_without_any_header_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="without an event type"):
        await routed({TicketOpened: Heard()})(record())


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"null", b"[]", b"{}", b'{"ticket_id": 7}', b"\xff\xfe", b'"' + b"x" * 100_000 + b'"'],
)
async def test_an_event_whose_data_does_not_fit_is_unreadable_and_reaches_no_handler(value: bytes) -> None:
    heard = Heard()
    with pytest.raises(Unreadable, match=TicketOpened.type):
        await routed({TicketOpened: heard})(record(value, ce_type=TicketOpened.type))

    assert heard.received == []


async def test_the_reason_why_data_does_not_fit_names_the_field_and_holds_none_of_the_data() -> None:
    value = opened().outbox[0].data.replace('"number":10001', '"number":"my secret"').encode()
    with pytest.raises(Unreadable, match="number") as refused:
        await routed({TicketOpened: Heard()})(record(value, ce_type=TicketOpened.type))

    assert "secret" not in str(refused.value)


async def test_what_a_handler_raises_is_the_readers_to_judge() -> None:
    async def busy(received: Received[Any]) -> None:
        raise Conflict("somebody saved first")

    with pytest.raises(Conflict, match="somebody saved first"):
        await routed({TicketOpened: busy})(opened_record())


async def test_the_cause_that_follows_from_a_record_is_the_same_each_time_it_comes() -> None:
    heard = Heard()
    for _ in range(2):
        await routed({TicketOpened: heard})(opened_record())
    first, second = (one.cause("triage", NOON) for one in heard.received)

    assert first == second
    assert (first.key, first.event_id, first.correlation_id) == ("triage:tkt_1.1", "tkt_1.1", "corr")
    assert first.key not in opened(cause=cause("ingest:msg_1")).causes
