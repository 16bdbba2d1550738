"""Batches as aiokafka reads them, and past what it gives up on."""

import struct
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from cramjam import DecompressionError
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.adapters.kafka_batches import Batches
from tests.contract.odd_names import ODD, STAND_IN, Raw, batch_of, spoilt

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="#"))
HEADERS = st.lists(st.tuples(TEXT, st.none() | st.binary()), max_size=3)
RECORDS = st.lists(st.tuples(st.none() | st.binary(), st.none() | st.binary(), HEADERS), max_size=5)
ODD_ONE: Raw = (b"k", None, [("first", None), (STAND_IN, b"x")])
RECORDS_AT = 61
LZ4 = 3
UNREADABLE = {"event": "bus.batch_unreadable", "log_level": "error", "offset": 0}


def read(batches: Any) -> list[tuple[Any, ...]]:
    """What a fetcher makes of them: of each offset the record that comes first, for it passes over others."""
    found: dict[int, tuple[Any, ...]] = {}
    while batches.has_next():
        batch = batches.next_batch()
        assert batch.validate_crc()
        for one in batch:
            found.setdefault(one.offset, (one.offset, one.timestamp, one.key, one.value, list(one.headers)))
    return list(found.values())


@given(RECORDS, RECORDS, st.booleans())
def test_of_a_batch_with_an_odd_name_all_else_is_read_as_aiokafka_reads_it(
    before: list[Raw], behind: list[Raw], packed: bool
) -> None:
    batch = batch_of([*before, ODD_ONE, *behind])
    expected = read(MemoryRecords(batch))
    *told, headers = expected[len(before)]
    assert headers[1] == (STAND_IN, b"x")
    expected[len(before)] = (*told, [headers[0], (ODD.decode("utf-8", "replace"), b"x")])

    assert read(Batches(spoilt(batch, packed=packed))) == expected


def test_the_batches_behind_an_odd_one_are_read_too_and_one_that_is_cut_off_is_left_to_the_next_fetch() -> (
    None
):
    later = bytearray(batch_of([(b"later", b"", [])]))
    later[:8] = struct.pack(">q", 7)
    content = spoilt(batch_of([ODD_ONE])) + bytes(later) + bytes(later)[:-1]

    assert [(offset, key) for offset, _, key, *_ in read(Batches(content))] == [(0, b"k"), (7, b"later")]


def test_a_wrong_checksum_is_told_with_its_place() -> None:
    content = bytearray(spoilt(batch_of([ODD_ONE, ODD_ONE])))
    content[-1] ^= 1

    with capture_logs() as logs:
        assert not Batches(bytes(content)).next_batch().validate_crc()
    assert logs == [UNREADABLE | {"next_offset": 2, "reason": "checksum"}]


@given(st.data())
def test_whatever_the_bytes_of_a_batch_are_its_reading_ends_and_fails_in_one_way_alone(
    data: st.DataObject,
) -> None:
    """With the right checksum, so nothing was damaged on the way: somebody wrote it so."""
    content = bytearray(batch_of([ODD_ONE, (b"key", b"value", [("a", b"b")])]))
    places = st.integers(RECORDS_AT, len(content) - 1)
    for place, byte in data.draw(
        st.dictionaries(places, st.integers(0, 255), min_size=1, max_size=4)
    ).items():
        content[place] = byte

    try:
        found = read(Batches(spoilt(bytes(content))))
    except CorruptRecordException:
        return
    assert len(found) <= 2 * 2, "each record once in each of two ways of reading"


def test_what_cannot_be_unpacked_is_told_with_its_offsets_and_not_passed_over() -> None:
    content = bytearray(batch_of([ODD_ONE]))
    content[22] |= LZ4

    with capture_logs() as logs, pytest.raises(DecompressionError):
        read(Batches(spoilt(bytes(content))))
    assert logs == [UNREADABLE | {"next_offset": 1, "reason": "DecompressionError"}]
