"""When an address is not written to, and for how long."""

from datetime import timedelta

from shared.domain.suppressions import (
    REMEMBERED,
    SOFT_BOUNCES,
    SOFT_FOR,
    Patience,
    Suppression,
    suppression_id,
)
from tests.unit.domain.samples import NOON

LATER = timedelta(days=400)


def suppression() -> Suppression:
    return Suppression(id=suppression_id("eve@example.org"), address="eve@example.org", since=NOON, version=1)


def test_one_hard_bounce_holds_all_letters_until_it_is_lifted() -> None:
    own = suppression()
    own.note_bounce("msg_1", True, "userunknown", NOON)

    assert own.holds(NOON + LATER)
    own.lift("operator", NOON)
    assert not own.holds(NOON)
    assert own.version == 3


def test_soft_bounces_hold_letters_from_the_third_on_and_for_a_week() -> None:
    own = suppression()
    for number in range(SOFT_BOUNCES):
        assert not own.holds(NOON)
        own.note_bounce(f"msg_{number}", False, "mailboxfull", NOON)

    assert own.holds(NOON + SOFT_FOR - timedelta(seconds=1))
    assert not own.holds(NOON + SOFT_FOR)


def test_soft_bounces_that_lie_long_back_are_forgotten() -> None:
    own = suppression()
    for number in range(SOFT_BOUNCES):
        own.note_bounce(f"msg_{number}", False, "mailboxfull", NOON + number * 2 * SOFT_FOR)

    assert (own.soft, own.holds(NOON + SOFT_BOUNCES * SOFT_FOR)) == (1, False)


def test_a_bounce_that_comes_again_counts_once() -> None:
    own = suppression()
    for _ in range(SOFT_BOUNCES):
        own.note_bounce("msg_1", False, "mailboxfull", NOON)

    assert (own.soft, own.version) == (1, 2)


def test_a_bounce_that_is_our_own_fault_says_nothing_of_the_address() -> None:
    own = suppression()
    own.note_bounce("msg_1", False, "spamdetected", NOON)

    assert (own.soft, own.hard, own.version) == (0, 0, 1)


def test_what_is_remembered_of_bounces_has_an_end() -> None:
    own = suppression()
    for number in range(REMEMBERED + 5):
        own.note_bounce(f"msg_{number}", True, "userunknown", NOON)

    assert len(own.counted) == REMEMBERED


def test_an_address_is_the_same_in_any_case_of_letters() -> None:
    assert suppression_id(" Eve@Example.org") == suppression_id("eve@example.org")


def test_how_many_soft_bounces_hold_letters_and_for_how_long_is_the_operators_to_say() -> None:
    own, patience = suppression(), Patience(bounces=2, remembered=timedelta(hours=1))
    own.note_bounce("msg_1", False, "mailboxfull", NOON, patience)
    assert not own.holds(NOON)
    own.note_bounce("msg_2", False, "mailboxfull", NOON, patience)

    assert own.holds(NOON + timedelta(minutes=59))
    assert not own.holds(NOON + timedelta(hours=1))


def test_a_document_from_before_the_limit_was_kept_holds_as_it_did() -> None:
    stored = suppression().model_dump(exclude={"soft_limit", "held_by", "lifted_by", "lifted_at"})
    own = Suppression.model_validate({**stored, "soft": SOFT_BOUNCES, "expires": NOON + SOFT_FOR})

    assert own.holds(NOON)


def test_who_lifted_an_address_first_is_remembered() -> None:
    own = suppression()
    own.note_bounce("msg_1", True, "userunknown", NOON)
    own.lift("user:ada", NOON)
    own.lift("user:bo", NOON + LATER)

    assert (own.lifted_by, own.lifted_at, own.version) == ("user:ada", NOON, 3)


def test_a_persons_word_holds_until_it_is_lifted_and_no_bounce_gives_another_reason() -> None:
    own = suppression()
    own.hold_back("asked by phone", "user:ada", NOON)
    own.hold_back("asked by phone", "user:bo", NOON)
    own.note_bounce("msg_1", False, "mailboxfull", NOON)

    assert own.holds(NOON + LATER)
    assert (own.held_by, own.reason, own.version) == ("user:ada", "asked by phone", 3)
    own.lift("user:bo", NOON)
    assert not own.holds(NOON)


def test_what_counts_after_a_lift_counts_from_then_on() -> None:
    own = suppression()
    own.note_bounce("msg_1", True, "userunknown", NOON)
    own.lift("user:ada", NOON)
    own.note_bounce("msg_2", True, "userunknown", NOON + LATER)

    assert own.since == NOON + LATER
