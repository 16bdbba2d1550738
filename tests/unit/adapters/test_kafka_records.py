"""Messages to Kafka's bytes and back."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.kafka_records import decoded, encoded, theirs
from shared.domain.errors import Invalid, Permanent
from shared.ports.bus import Message, Partition

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MESSAGES = st.builds(Message, st.just("topic"), TEXT, st.binary(), st.dictionaries(TEXT, TEXT))
LARGEST = 1_000_000


def as_kafka_gives_it(**changes: Any) -> SimpleNamespace:
    given_by_kafka = {
        "topic": "topic",
        "partition": 3,
        "offset": 17,
        "timestamp": 1_700_000_000_123,
        "key": b"key",
        "value": b"value",
        "headers": (("name", b"text"),),
    }
    return SimpleNamespace(**{**given_by_kafka, **changes})


@given(MESSAGES)
def test_a_message_comes_back_as_it_went(message: Message) -> None:
    content = encoded(message, LARGEST)

    record = decoded(as_kafka_gives_it(key=content.key, value=content.value, headers=tuple(content.headers)))

    assert (record.key, record.value, record.headers) == (message.key, message.value, message.headers)


def test_a_record_carries_its_place_and_its_time_in_utc() -> None:
    record = decoded(as_kafka_gives_it())

    assert (record.partition, record.offset) == (Partition("topic", 3), 17)
    assert record.published_at == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)


@pytest.mark.parametrize(
    ("changes", "key", "value", "headers"),
    [
        ({"key": None, "value": None}, "", b"", {"name": "text"}),
        ({"key": b"\xff\xfe"}, "\ufffd\ufffd", b"value", {"name": "text"}),
        ({"headers": (("name", None), ("other", b"\xff"))}, "key", b"value", {"name": "", "other": "\ufffd"}),
        ({"headers": (("name", b"first"), ("name", b"last"))}, "key", b"value", {"name": "last"}),
    ],
)
def test_what_others_wrote_is_read_whatever_it_is(
    changes: dict[str, Any], key: str, value: bytes, headers: dict[str, str]
) -> None:
    """A consumer must get past a record that is not ours."""
    record = decoded(as_kafka_gives_it(**changes))

    assert (record.key, record.value, record.headers) == (key, value, headers)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_no_message_beyond_the_limit_is_let_through(size: int, header: int) -> None:
    message = Message("topic", "key", bytes(size), {"name": "x" * header})

    try:
        content = encoded(message, 2000)
    except Permanent:
        assert size + header > 1800
    else:
        assert size + header < 2000
        assert content.size >= size + header


@pytest.mark.parametrize(
    "message",
    [Message("topic", "\ud800", b""), Message("topic", "key", b"", {"name": "\ud800"})],
)
def test_a_key_or_header_that_is_not_text_is_invalid(message: Message) -> None:
    with pytest.raises(Invalid):
        encoded(message, LARGEST)


def test_a_partition_has_the_same_name_on_both_sides() -> None:
    assert Partition(*theirs(Partition("topic", 5))) == Partition("topic", 5)


@given(st.integers(-(2**63), 2**63 - 1))
def test_there_is_no_time_that_keeps_a_record_from_being_read(milliseconds: int) -> None:
    record = decoded(as_kafka_gives_it(timestamp=milliseconds))

    assert record.published_at.tzinfo is UTC


def test_a_time_that_no_calendar_has_reads_as_1970() -> None:
    assert decoded(as_kafka_gives_it(timestamp=-(10**15))).published_at == datetime(1970, 1, 1, tzinfo=UTC)
