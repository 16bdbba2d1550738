"""How many mails are fetched at a time."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.batches import Care, batches
from services.ingest.ports import Waiting


def test_a_batch_ends_at_the_number_or_at_the_bytes() -> None:
    waiting = [Waiting(uid, size) for uid, size in enumerate([10, 10, 10, 60, 60, 10], start=1)]

    assert [[mail.uid for mail in batch] for batch in batches(waiting, 2, 100)] == [[1, 2], [3, 4], [5, 6]]


def test_a_mail_larger_than_a_batch_goes_alone() -> None:
    waiting = [Waiting(1, 10), Waiting(2, 500), Waiting(3, 10)]

    assert [[mail.uid for mail in batch] for batch in batches(waiting, 9, 100)] == [[1], [2], [3]]


@given(st.lists(st.integers(0, 200)), st.integers(1, 10), st.integers(1, 300))
def test_no_mail_is_left_out_or_moved(sizes: list[int], most: int, most_bytes: int) -> None:
    waiting = [Waiting(uid, size) for uid, size in enumerate(sizes, start=1)]
    found = list(batches(waiting, most, most_bytes))

    assert [mail for batch in found for mail in batch] == waiting
    assert all(len(batch) == 1 or sum(mail.size for mail in batch) <= most_bytes for batch in found)
    assert all(0 < len(batch) <= most for batch in found)


def test_after_a_failed_batch_its_mails_are_fetched_one_by_one_until_they_are_settled() -> None:
    care = Care(most=3, tries=2)
    care.failed([1, 2, 3])

    assert care.most == 1
    for uid in (1, 2, 3):
        care.settled([uid])
    assert care.most == 3


def test_a_mail_is_hopeless_after_so_many_failures_of_its_own() -> None:
    care = Care(most=3, tries=2)
    care.failed([1, 2, 3])
    care.failed([2])
    assert not care.hopeless(2)

    care.failed([2])

    assert care.hopeless(2)
    assert not care.hopeless(1)


def test_a_mail_that_was_fetched_in_the_end_begins_anew() -> None:
    care = Care(most=3, tries=2)
    care.failed([2])
    care.settled([2])
    care.failed([2])

    assert not care.hopeless(2)


def test_while_a_mail_is_suspected_the_smallest_other_one_is_the_probe() -> None:
    waiting = [Waiting(1, 10), Waiting(2, 30), Waiting(3, 20)]
    care = Care(most=3, tries=2)
    assert care.probe(waiting) is None

    care.failed([1])

    assert care.probe(waiting) == 3
    care.cleared(3)
    assert care.probe(waiting) == 3


def test_a_probe_that_was_not_given_is_not_asked_again() -> None:
    waiting = [Waiting(1, 10), Waiting(2, 30), Waiting(3, 20)]
    care = Care(most=3, tries=2)
    care.failed([1])

    assert [care.probe(waiting) for _ in range(3)] == [3, 2, None]
    assert not care.hopeless(3)
