"""Dead events: what could not be handled, set aside whole with its reason, to be looked at and put back.

A dead event lies on `<topic>.dead` with the key, value and headers it had, and `ombud_dead_…` headers
besides. Its id is `<dead topic>:<partition>:<offset>`. Putting one back publishes it on its own topic again,
behind what is there now; the dead event stays, and `replays` tells that it was put back. Of a record that the
bus does not take a second time, for somebody else wrote it larger or packed it tighter than we do, the dead
event tells the place alone: it lies there for as long as its topic keeps it, and cannot be put back by us.

The reason and the trace quote an exception and may hold what the event holds: they are as private as it.
"""

import re
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from shared.domain.errors import Invalid, NotFound, OmbudError
from shared.ports.bus import Bus, Message, Record
from shared.ports.clock import Clock
from shared.stores.collections import DeadReplay
from shared.stores.store import Store

DEAD_SUFFIX = ".dead"
PREFIX = "ombud_dead_"
REPLAYED_FROM = "ombud_replayed_from"
CUT = "cut"
"""After the prefix: how many bytes the value has that was left out."""

REASON_LIMIT = 500
"""Characters of the reason; some errors quote what they were given."""

TRACE_LIMIT = 4_000
"""Characters of the traceback, its end: where it happened."""

KEY_LIMIT = 200
"""Characters of the key of a record of which the place alone is told."""

MOST_CUT = 2
"""Of `dead_message`."""

_PAGE = 500
_ID = re.compile(r"(?P<topic>[^:]+):(?P<partition>\d+):(?P<offset>\d+)")


class DeadEvent(BaseModel):
    """A dead event as people and programs see it. `topic`, `partition`, `offset`: where it came from.

    `value` is None in lists; elsewhere it is the event as text, bytes that are no UTF-8 replaced.
    """

    id: str
    topic: str
    partition: int
    offset: int
    group: str
    key: str
    type: str
    reason: str
    trace: str
    attempts: int
    at: datetime
    size: int
    headers: dict[str, str]
    value: str | None = None
    replays: int = 0


def dead_topic(topic: str) -> str:
    """Where the dead events of a topic lie."""
    return topic if topic.endswith(DEAD_SUFFIX) else topic + DEAD_SUFFIX


def code_of(fault: BaseException) -> str:
    """A word for the kind of fault, for metrics: the error's code, `unexpected` for what is not ours."""
    return fault.code if isinstance(fault, OmbudError) else "unexpected"


def dead_message(
    record: Record, group: str, fault: BaseException, attempts: int, at: datetime, *, cut: int = 0
) -> Message:
    """The record as it goes to the dead topic.

    `cut` leaves out what makes it too large: 1 the texts that we add, 2 also all that the record holds.
    """
    told = {
        "reason": code_of(fault) if cut else f"{code_of(fault)}: {_sentence(fault)}",
        "trace": "" if cut else _trace(fault),
        "topic": record.partition.topic,
        "partition": str(record.partition.number),
        "offset": str(record.offset),
        "group": group,
        "attempts": str(attempts),
        "at": at.isoformat(),
    }
    if cut == MOST_CUT:
        told["reason"] = f"{told['reason']}: too large to be set aside, look at its place"
        told[CUT] = str(len(record.value))
        headers = {PREFIX + name: _clean(text) for name, text in told.items()}
        return Message(dead_topic(record.partition.topic), record.key[:KEY_LIMIT], b"", headers)
    headers = {**record.headers, **{PREFIX + name: _clean(text) for name, text in told.items()}}
    return Message(dead_topic(record.partition.topic), record.key, record.value, headers)


async def list_dead(bus: Bus, topic: str, limit: int = 100) -> list[DeadEvent]:
    """The oldest dead events of a topic, without their values. Raises `Unavailable`."""
    records = await bus.browse(dead_topic(topic), limit)
    return [_dead_event(record) for record in records]


async def show_dead(bus: Bus, event_id: str) -> DeadEvent:
    """One dead event with its value. Raises `NotFound`, `Invalid` for what is no id, `Unavailable`."""
    (record,) = await _find(bus, [event_id])
    event = _dead_event(record)
    return event.model_copy(update={"value": record.value.decode("utf-8", "replace")})


async def replay_dead(bus: Bus, event_ids: Sequence[str]) -> list[DeadEvent]:
    """Put dead events back on the topics they came from, in the order they had there.

    Returns when they are durable. Raises `NotFound` or `Invalid` before any was put back, `Unavailable` when
    some may have been: to put one back twice does no harm, for handlers leave the same state.
    """
    records = await _find(bus, list(dict.fromkeys(event_ids)))
    events = [(_dead_event(record), record) for record in records]
    if cut := [event.id for event, record in events if PREFIX + CUT in record.headers]:
        raise Invalid(f"{', '.join(cut)}: too large to be set aside, so there is nothing to put back")
    events.sort(key=lambda pair: (pair[0].topic, pair[0].partition, pair[0].offset))
    await bus.publish([_revived(event, record) for event, record in events])
    return [event for event, _ in events]


async def note_replays(replays: Store[DeadReplay], clock: Clock, event_ids: Sequence[str]) -> None:
    """Remember that these were put back. Raises `Unavailable`."""
    for event_id in event_ids:
        first = DeadReplay(id=event_id, at=clock.now())
        if await replays.add(first) is not first:
            await replays.change(event_id, lambda replay: _count(replay, clock.now()))


async def with_replays(replays: Store[DeadReplay], events: Sequence[DeadEvent]) -> list[DeadEvent]:
    """The same events, each knowing how often it was put back. Raises `Unavailable`."""
    known = await replays.get_many([event.id for event in events])
    return [
        event.model_copy(update={"replays": known[event.id].times}) if event.id in known else event
        for event in events
    ]


def _count(replay: DeadReplay, at: datetime) -> None:
    replay.times += 1
    replay.at = at
    replay.touch()


def _sentence(fault: BaseException) -> str:
    if isinstance(fault, OmbudError):
        return str(fault)[:REASON_LIMIT]
    # Not str(): an exception whose own text cannot be made must not keep its event from being set aside.
    return "".join(traceback.format_exception_only(fault)).strip()[:REASON_LIMIT]


def _trace(fault: BaseException) -> str:
    return "".join(traceback.format_exception(fault))[-TRACE_LIMIT:]


def _clean(text: str) -> str:
    """Text that is sure to be encoded: an exception may quote half a surrogate pair out of a mail."""
    return text.encode("utf-8", "replace").decode()


def _event_id(record: Record) -> str:
    return f"{record.partition.topic}:{record.partition.number}:{record.offset}"


def _dead_event(record: Record) -> DeadEvent:
    """Read it leniently: somebody may have put a record of his own there."""
    told = record.headers
    origin = record.partition.topic.removesuffix(DEAD_SUFFIX)
    return DeadEvent(
        id=_event_id(record),
        topic=told.get(PREFIX + "topic", origin),
        partition=_number(told.get(PREFIX + "partition")),
        offset=_number(told.get(PREFIX + "offset")),
        group=told.get(PREFIX + "group", ""),
        key=record.key,
        type=told.get("ce_type", ""),
        reason=told.get(PREFIX + "reason", ""),
        trace=told.get(PREFIX + "trace", ""),
        attempts=_number(told.get(PREFIX + "attempts")),
        at=_instant(told.get(PREFIX + "at"), record.published_at),
        size=max(len(record.value), _number(told.get(PREFIX + CUT))),
        headers={name: text for name, text in told.items() if not name.startswith(PREFIX)},
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else -1


def _instant(text: str | None, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(text or "").astimezone(UTC)
    except ValueError:
        return otherwise


def _revived(event: DeadEvent, record: Record) -> Message:
    return Message(event.topic, record.key, record.value, {**event.headers, REPLAYED_FROM: event.id})


async def _find(bus: Bus, event_ids: Sequence[str]) -> list[Record]:
    """The records of these ids, in their order; each dead topic is read through at most once."""
    by_topic: dict[str, set[str]] = {}
    for event_id in event_ids:
        by_topic.setdefault(_topic_of(event_id), set()).add(event_id)
    found: dict[str, Record] = {}
    for topic, wanted in by_topic.items():
        found |= await _search(bus, topic, wanted)
    if missing := [event_id for event_id in event_ids if event_id not in found]:
        raise NotFound(f"there is no dead event {', '.join(missing)}")
    return [found[event_id] for event_id in event_ids]


async def _search(bus: Bus, topic: str, wanted: set[str]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    seen: dict[int, int] = {}
    while len(found) < len(wanted) and (page := await bus.browse(topic, _PAGE, seen)):
        for record in page:
            number = record.partition.number
            seen[number] = max(record.offset, seen.get(number, -1))
            if _event_id(record) in wanted:
                found[_event_id(record)] = record
    return found


def _topic_of(event_id: str) -> str:
    match = _ID.fullmatch(event_id)
    if match is None or not match["topic"].endswith(DEAD_SUFFIX):
        raise Invalid(f"{event_id!r} is no dead event's id: <topic>{DEAD_SUFFIX}:<partition>:<offset>")
    return match["topic"]
