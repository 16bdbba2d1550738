"""A letter from its first try to its last word, and what it tells of itself."""

from datetime import timedelta

import pytest

from shared.domain import events
from shared.domain.errors import MoveNotAllowed
from shared.domain.letters import Attempt, Letter, LetterState, letter_id
from shared.domain.ticket import Contact
from tests.unit.domain.samples import NOON

TRY = Attempt(at=NOON + timedelta(minutes=1), code=250, answer="2.0.0 queued")


def letter() -> Letter:
    return Letter(
        id="let_1",
        version=1,
        ticket_id="tkt_1",
        kind="reply",
        automatic=False,
        to=Contact(address="eve@example.org"),
        sender=Contact(address="support@example.org"),
        subject="Re: Help",
        text="Try water.",
        html="",
        message_id="let_1@example.org",
        created_at=NOON,
        wake_at=NOON,
        correlation_id="corr",
        traceparent="00-trace",
    )


def test_the_id_of_a_letter_follows_from_what_caused_it_and_whom_it_is_for() -> None:
    ids = {
        letter_id(event, kind, addressee)
        for event in ("tkt_1.1", "tkt_1.2")
        for kind in ("reply", "acknowledgement")
        for addressee in ("eve@example.org", "bo@example.org")
    }

    assert len(ids) == 8
    assert letter_id("tkt_1.1", "reply", "eve@example.org") in ids


def test_a_letter_that_was_taken_sleeps_and_tells_it_once_as_part_of_what_began_it() -> None:
    own = letter()
    own.start_sending()
    own.sent(TRY)
    (told,) = own.outbox
    event = events.parse_event(told.type, told.data)

    assert (own.state, own.sent_at, own.wake_at, own.version) == (LetterState.SENT, TRY.at, None, 3)
    assert isinstance(event, events.LetterSent)
    assert (event.letter_id, event.ticket_id, event.version, event.kind) == ("let_1", "tkt_1", 3, "reply")
    assert (told.id, told.key) == ("let_1.3", "tkt_1"), "ordered with the events of its ticket"
    assert (told.correlation_id, told.traceparent) == ("corr", "00-trace")


def test_a_letter_that_failed_sleeps_and_says_why() -> None:
    own = letter()
    own.failed(Attempt(at=TRY.at, code=550, answer="no such user"), "refused: 550")
    event = events.parse_event(own.outbox[0].type, own.outbox[0].data)

    assert (own.state, own.reason, own.wake_at) == (LetterState.FAILED, "refused: 550", None)
    assert isinstance(event, events.LetterFailed)
    assert event.reason == "refused: 550"


def test_a_letter_that_was_postponed_waits_and_tells_nobody() -> None:
    own, until = letter(), NOON + timedelta(minutes=9)
    own.start_sending()
    own.postponed(TRY, until)

    assert (own.state, own.wake_at, own.outbox) == (LetterState.QUEUED, until, [])
    assert own.attempts == [TRY]


def test_a_letter_tried_again_by_hand_keeps_what_was_tried_and_may_tell_of_its_second_end() -> None:
    own = letter()
    own.failed(TRY, "refused: 550")
    own.retried(NOON + timedelta(hours=1))
    assert (own.state, own.reason, own.wake_at) == (LetterState.QUEUED, "", NOON + timedelta(hours=1))

    own.start_sending()
    own.sent(TRY)
    assert [one.id for one in own.outbox] == ["let_1.2", "let_1.5"]
    assert len(own.attempts) == 2


@pytest.mark.parametrize("state", [LetterState.QUEUED, LetterState.SENDING, LetterState.SENT])
def test_a_letter_that_has_not_failed_is_not_tried_by_hand(state: LetterState) -> None:
    own = letter().model_copy(update={"state": state})
    with pytest.raises(MoveNotAllowed, match=f"let_1 is {state.value}, not failed"):
        own.retried(NOON)

    assert (own.state, own.version, own.wake_at) == (state, 1, NOON)


def test_every_step_of_a_letter_raises_its_version_by_one() -> None:
    own = letter()
    versions = []
    for step in (
        own.start_sending,
        lambda: own.postponed(TRY, NOON),
        own.start_sending,
        lambda: own.failed(TRY, "no"),
        lambda: own.retried(NOON),
        own.start_sending,
        lambda: own.sent(TRY),
    ):
        step()
        versions.append(own.version)

    assert versions == list(range(2, 9))
