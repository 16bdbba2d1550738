"""Dead events on real buses: set aside whole, listed, shown, put back, and counted."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Invalid, NotFound
from shared.ports.bus import Bus, Message, Partition, Record
from shared.runtime.dead import (
    REASON_LIMIT,
    TRACE_LIMIT,
    dead_message,
    dead_topic,
    list_dead,
    note_replays,
    replay_dead,
    show_dead,
    with_replays,
)
from shared.stores.collections import DEAD_REPLAYS, DeadReplay
from shared.stores.store import Store
from tests.contract.bus_adapters import Station
from tests.fakes.clock import START, FakeClock

HEADERS = {"ce_type": "ombud.mail.fetched.v1", "traceparent": "00-1-2-01"}


class Unspeakable(Exception):
    """Its text cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no words")


def origin(topic: str, offset: int = 5, value: bytes = b"\xffraw", key: str = "k") -> Record:
    return Record(Partition(topic, 2), offset, key, value, HEADERS, START)


def raised(fault: Exception) -> Exception:
    """With a traceback, as a handler raises it, a secret among its locals."""
    try:
        secret = "hunter2"  # noqa: F841 (it must not appear in a trace)
        raise fault
    except Exception as caught:  # noqa: BLE001 (whatever the test gave)
        return caught


async def set_aside(bus: Bus, *records: Record) -> None:
    fault = raised(Invalid("no sender"))
    await bus.publish([dead_message(record, "intake", fault, 1, START) for record in records])


def test_key_value_and_headers_stay_as_they_were() -> None:
    message = dead_message(origin("t"), "intake", raised(Invalid("no sender")), 3, START)

    assert (message.topic, message.key, message.value) == ("t.dead", "k", b"\xffraw")
    assert {name: message.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("cut", [1, 2])
def test_what_may_be_too_large_is_left_out_bit_by_bit(cut: int) -> None:
    record = origin("t", value=b"v" * 9_000, key="k" * 9_000)

    message = dead_message(record, "intake", raised(Invalid("x" * 9_000)), 3, START, cut=cut)

    kept = len(message.key) + len(message.value) + sum(map(len, message.headers.values()))
    assert message.headers["ombud_dead_offset"] == "5"
    assert message.headers["ombud_dead_reason"].startswith("invalid")
    assert kept < (19_000 if cut == 1 else 1_000)


async def test_a_dead_event_that_tells_its_place_alone_says_so_and_is_not_put_back(
    station: Station, bus: Bus
) -> None:
    record = origin(station.topic, value=b"v" * 9_000)
    await bus.publish([dead_message(record, "intake", raised(Invalid("no sender")), 3, START, cut=2)])
    (event,) = await list_dead(bus, station.topic)

    assert (event.size, event.topic, event.offset) == (9_000, station.topic, 5)
    with pytest.raises(Invalid, match="too large"):
        await replay_dead(bus, [event.id])


def test_the_trace_tells_the_place_and_no_values() -> None:
    message = dead_message(origin("t"), "intake", raised(KeyError("customer")), 3, START)

    assert "in raised" in message.headers["ombud_dead_trace"]
    assert "hunter2" not in message.headers["ombud_dead_trace"]


def test_a_reason_and_a_trace_as_long_as_a_mail_are_cut() -> None:
    message = dead_message(origin("t"), "intake", raised(Invalid("x" * 100_000)), 3, START)

    assert len(message.headers["ombud_dead_reason"]) <= REASON_LIMIT + len("invalid: ")
    assert len(message.headers["ombud_dead_trace"]) <= TRACE_LIMIT


@pytest.mark.parametrize(
    "fault", [Unspeakable(), Invalid("half a pair: \ud83d"), ExceptionGroup("two", [OSError()])]
)
def test_there_is_no_error_that_keeps_its_event_from_being_set_aside(fault: Exception) -> None:
    message = dead_message(origin("t"), "intake", raised(fault), 3, START)

    for text in message.headers.values():
        text.encode()
    assert message.headers["ombud_dead_reason"]


async def test_a_list_tells_everything_but_the_value_and_the_oldest_come_first(
    station: Station, bus: Bus
) -> None:
    await set_aside(bus, *(origin(station.topic, offset) for offset in range(5)))
    events = await list_dead(bus, station.topic, limit=3)

    assert [event.offset for event in events] == [0, 1, 2]
    first = events[0]
    assert (first.topic, first.partition, first.group, first.key) == (station.topic, 2, "intake", "k")
    assert (first.reason, first.attempts, first.at, first.size) == ("invalid: no sender", 1, START, 4)
    assert first.headers == HEADERS
    assert first.value is None
    assert first.id.startswith(f"{station.topic}.dead:")


async def test_a_topic_without_dead_events_has_an_empty_list(station: Station, bus: Bus) -> None:
    assert await list_dead(bus, station.topic) == []


async def test_one_event_is_shown_with_its_value_wherever_it_lies(station: Station, bus: Bus) -> None:
    await set_aside(bus, *(origin(station.topic, n, b"%d" % n, key=f"k{n}") for n in range(30)))
    events = await list_dead(bus, station.topic)

    for event in events:
        assert (await show_dead(bus, event.id)).value == str(event.offset)


async def test_bytes_that_are_no_text_are_shown_all_the_same(station: Station, bus: Bus) -> None:
    await set_aside(bus, origin(station.topic))
    (event,) = await list_dead(bus, station.topic)

    assert (await show_dead(bus, event.id)).value == "\N{REPLACEMENT CHARACTER}raw"


async def test_what_is_put_back_is_as_it_was_and_tells_where_it_has_been(station: Station, bus: Bus) -> None:
    await set_aside(bus, origin(station.topic, 9, b"later"), origin(station.topic, 4, b"\xffsooner"))
    events = await list_dead(bus, station.topic)
    replayed = await replay_dead(bus, [event.id for event in events])
    records = await bus.browse(station.topic, 10)

    assert [record.value for record in records] == [b"\xffsooner", b"later"]
    assert [record.key for record in records] == ["k", "k"]
    assert records[0].headers == HEADERS | {"ombud_replayed_from": events[1].id}
    assert [event.offset for event in replayed] == [4, 9]
    assert len(await list_dead(bus, station.topic)) == 2


async def test_an_event_named_twice_is_put_back_once(station: Station, bus: Bus) -> None:
    await set_aside(bus, origin(station.topic))
    (event,) = await list_dead(bus, station.topic)
    await replay_dead(bus, [event.id, event.id])

    assert len(await bus.browse(station.topic, 10)) == 1


async def test_nothing_is_put_back_when_one_of_the_events_does_not_exist(station: Station, bus: Bus) -> None:
    await set_aside(bus, origin(station.topic))
    (event,) = await list_dead(bus, station.topic)
    with pytest.raises(NotFound, match="99999"):
        await replay_dead(bus, [event.id, f"{station.topic}.dead:0:99999"])

    assert await bus.browse(station.topic, 10) == []


@pytest.mark.parametrize("wrong", ["", "42", "t:0:1", "t.dead:0", "t.dead:x:1", "t.dead:0:-1"])
async def test_what_is_no_dead_events_id_is_refused(bus: Bus, wrong: str) -> None:
    with pytest.raises(Invalid):
        await show_dead(bus, wrong)


async def test_a_record_that_somebody_else_put_there_is_listed_and_can_be_put_back(
    station: Station, bus: Bus
) -> None:
    strange = {"ombud_dead_offset": "many", "ombud_dead_at": "yesterday"}
    await bus.publish([Message(dead_topic(station.topic), "k", b"v", strange)])
    (event,) = await list_dead(bus, station.topic)
    await replay_dead(bus, [event.id])

    assert (event.topic, event.offset, event.reason) == (station.topic, -1, "")
    assert [record.value for record in await bus.browse(station.topic, 10)] == [b"v"]


@pytest.fixture
async def replays(tmp_path: Path) -> AsyncIterator[Store[DeadReplay]]:
    async with AsyncExitStack() as stack:
        file = await stack.enter_async_context(SqliteFile.open(tmp_path / "documents.sqlite"))
        documents = SqliteDocuments(file)
        await documents.prepare([DEAD_REPLAYS])
        yield Store(documents, DEAD_REPLAYS)


async def test_a_list_tells_how_often_an_event_was_put_back(
    station: Station, bus: Bus, replays: Store[DeadReplay]
) -> None:
    clock = FakeClock()
    await set_aside(bus, origin(station.topic, 0), origin(station.topic, 1))
    events = await list_dead(bus, station.topic)
    await note_replays(replays, clock, [events[0].id])
    await clock.advance(60)
    await note_replays(replays, clock, [events[0].id])

    assert [event.replays for event in await with_replays(replays, events)] == [2, 0]
    assert (await replays.get(events[0].id)).at == START + timedelta(seconds=60)
