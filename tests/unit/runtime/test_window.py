"""The window: order within a key, the watermark, and what it holds at most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ports.bus import Partition
from shared.runtime.window import RECORD_OVERHEAD, Chain, Rewound, Window
from tests.unit.runtime.records import record

ZERO, ONE = Partition("t", 0), Partition("t", 1)
LARGE = 1 << 40


def taken(window: Window, *offsets: int, partition: int = 0) -> list[Chain]:
    """Each offset under a key of its own, so that each is a chain."""
    chains = [window.take(record(offset, key=f"k{offset}", partition=partition)) for offset in offsets]
    return [chain for chain in chains if chain is not None]


def committable(window: Window) -> dict[Partition, int]:
    return {lane.partition: lane.committable() for lane in window.lanes}


def test_records_of_one_key_form_one_chain_in_the_order_they_came() -> None:
    window = Window(10, LARGE)

    first = window.take(record(0, key="a"))
    behind = window.take(record(1, key="a"))

    assert first is not None
    assert behind is None
    assert [held.offset for held in first.records] == [0, 1]


def test_the_same_key_in_two_partitions_makes_two_chains() -> None:
    window = Window(10, LARGE)

    assert window.take(record(0, key="a", partition=0)) is not None
    assert window.take(record(0, key="a", partition=1)) is not None


def test_a_key_whose_chain_has_ended_begins_a_new_one() -> None:
    window = Window(10, LARGE)
    (chain,) = taken(window, 0)
    window.finish(chain)

    assert window.take(record(1, key="k0")) is not None


def test_a_record_that_is_passed_over_takes_no_room_and_hides_no_unfinished_one() -> None:
    window = Window(10, LARGE)
    window.pass_over(record(5))
    assert committable(window) == {ZERO: 6}

    (chain,) = taken(window, 6)
    window.pass_over(record(7))
    assert (window.held, committable(window)) == (1, {ZERO: 6})

    window.finish(chain)
    assert committable(window) == {ZERO: 8}


def test_a_record_passed_over_is_behind_the_last_one_or_the_partition_was_rewound() -> None:
    window = Window(10, LARGE)
    taken(window, 5)

    with pytest.raises(Rewound):
        window.pass_over(record(5))


def test_a_partition_that_is_being_closed_commits_nothing_that_is_passed_over_in_it() -> None:
    window = Window(10, LARGE)
    taken(window, 5)
    window.close([ZERO])
    window.pass_over(record(6))

    assert committable(window) == {ZERO: 5}


def test_the_lowest_unfinished_record_is_a_boundary_whatever_finishes_behind_it() -> None:
    window = Window(10, LARGE)
    first, second, third = taken(window, 5, 6, 7)

    window.finish(second)
    window.finish(third)
    assert committable(window) == {ZERO: 5}

    window.finish(first)
    assert committable(window) == {ZERO: 8}


def test_offsets_that_the_bus_leaves_out_do_not_hold_up_the_watermark() -> None:
    """Kafka leaves gaps behind compaction and transactions."""
    window = Window(10, LARGE)
    first, second = taken(window, 3, 90)
    window.finish(first)

    assert committable(window) == {ZERO: 90}

    window.finish(second)
    assert committable(window) == {ZERO: 91}


def test_a_record_that_comes_again_is_told_and_not_mixed_in() -> None:
    """A partition that was rewound without a word must not move the watermark back and forth."""
    window = Window(10, LARGE)
    taken(window, 4, 5)

    with pytest.raises(Rewound):
        window.take(record(5, key="other"))


def test_what_finishes_in_a_forgotten_partition_counts_for_nothing() -> None:
    window = Window(10, LARGE)
    (late,) = taken(window, 4)
    window.close([ZERO])
    window.forget([ZERO])

    taken(window, 9)  # the partition came back
    window.finish(late)

    assert committable(window) == {ZERO: 9}
    assert window.held == 1


def test_nothing_is_taken_into_a_closed_partition() -> None:
    window = Window(10, LARGE)
    taken(window, 0)
    window.close([ZERO])

    assert taken(window, 1) == []
    assert window.held == 1


def test_nothing_is_taken_into_a_closed_partition_that_no_record_came_from_until_it_comes_back() -> None:
    window = Window(10, LARGE)
    window.close([ZERO])
    assert taken(window, 0) == []

    window.forget([ZERO])

    assert len(taken(window, 0)) == 1


def test_the_other_partitions_go_on_when_one_is_forgotten() -> None:
    window = Window(10, LARGE)
    taken(window, 0, 1)
    (other,) = taken(window, 7, partition=1)
    window.close([ZERO])
    window.forget([ZERO])
    window.finish(other)

    assert committable(window) == {ONE: 8}
    assert (window.held, window.octets) == (0, 0)


def test_a_full_window_pauses_all_partitions_until_a_quarter_is_free() -> None:
    window = Window(8, LARGE)
    both = frozenset({ZERO, ONE})
    chains = taken(window, *range(3)) + taken(window, *range(3), partition=1)
    assert window.to_pause(both) == frozenset()

    chains += taken(window, 3) + taken(window, 3, partition=1)
    assert window.to_pause(both) == both
    assert window.room == 0

    window.finish(chains.pop())
    window.finish(chains.pop(0))
    assert window.to_pause(both) == both

    for chain in chains[:3]:
        window.finish(chain)
    assert window.to_pause(both) == frozenset()


def test_bytes_fill_the_window_as_records_do() -> None:
    window = Window(1000, 10_000)
    both = frozenset({ZERO, ONE})
    first = window.take(record(0, value=b"x" * (6_500 - RECORD_OVERHEAD)))
    window.take(record(0, partition=1, value=b"x" * (3_500 - RECORD_OVERHEAD)))

    assert window.to_pause(both) == both
    assert window.room == 0

    assert first is not None
    window.finish(first)
    assert window.to_pause(both) == frozenset()


def test_there_is_room_for_fewer_records_the_larger_they_are() -> None:
    window = Window(1_000, 10_000)
    assert window.room == 1_000

    window.take(record(0, value=b"x" * (2_000 - RECORD_OVERHEAD)))
    assert window.room == 4


def test_a_hot_key_pauses_its_own_partition_and_no_other() -> None:
    window = Window(8, LARGE)
    both = frozenset({ZERO, ONE})
    hot = window.take(record(0, key="hot"))
    for offset in range(1, 4):
        window.take(record(offset, key="hot"))

    assert window.to_pause(both) == frozenset({ZERO})

    assert hot is not None
    window.finish(hot)
    window.finish(hot)
    assert window.to_pause(both) == frozenset()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "finish", "finish", "forget"]),
        st.integers(0, 2),  # which partition
        st.integers(0, 4),  # which key, or which of the chains
        st.integers(1, 3),  # how far to the next offset
    ),
    max_size=120,
)


@given(OPERATIONS)
def test_the_watermark_never_passes_an_unfinished_record_and_never_stands_before_a_finished_one(
    operations: list[tuple[str, int, int, int]],
) -> None:
    """Against the plain truth: a set of unfinished offsets and the last one taken, for each partition."""
    window = Window(1_000, LARGE)
    chains: list[Chain] = []
    unfinished: dict[Partition, set[int]] = {}
    last: dict[Partition, int] = {}
    for verb, number, choice, step in operations:
        partition = Partition("t", number)
        if verb == "take":
            offset = last.get(partition, -1) + step
            chain = window.take(record(offset, key=f"k{choice}", partition=number))
            if chain is not None:
                chains.append(chain)
            last[partition] = offset
            unfinished.setdefault(partition, set()).add(offset)
        elif verb == "finish" and chains:
            chain = chains[choice % len(chains)]
            done = chain.records[0].offset
            assert not any(o.offset < done for o in chain.records)
            window.finish(chain)
            if not chain.lane.closed:
                unfinished[chain.lane.partition].discard(done)
            if not chain.records:
                chains.remove(chain)
        elif verb == "forget":
            window.close([partition])
            window.forget([partition])
            unfinished.pop(partition, None)
        for at, offsets in unfinished.items():
            assert committable(window)[at] == min(offsets, default=last[at] + 1)
        assert window.held == sum(map(len, unfinished.values()))
    assert set(committable(window)) == set(unfinished)


@given(st.permutations(range(30)), st.lists(st.integers(0, 5), min_size=30, max_size=30))
def test_when_all_is_finished_in_any_order_everything_is_committable_and_nothing_is_held(
    order: list[int], keys: list[int]
) -> None:
    window = Window(100, LARGE)
    by_key: dict[str, Chain] = {}
    for offset, key in enumerate(keys):
        chain = window.take(record(offset, key=str(key)))
        if chain is not None:
            by_key[str(key)] = chain
    for turn in order:
        window.finish(by_key[str(keys[turn])])

    assert committable(window) == {ZERO: 30}
    assert (window.held, window.octets) == (0, 0)
