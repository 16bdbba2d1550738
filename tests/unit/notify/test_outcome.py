"""What the answer to a try does to a letter: at least once for replies, at most once for automatic ones."""

from datetime import timedelta

import pytest

from services.notify import outcome
from services.notify.ports import Answer, Verdict
from services.notify.settings import RetrySettings
from shared.domain.letters import Attempt, Letter, LetterState
from tests.unit.notify.samples import NOW, letter

RETRY = RetrySettings()
S = LetterState


def sending(*, is_automatic: bool, tries: int = 0) -> Letter:
    before = [Attempt(at=NOW, code=451, answer="not now")] * tries
    return letter(at=NOW, automatic=is_automatic, state=S.SENDING, attempts=before)


@pytest.mark.parametrize(
    ("verdict", "is_automatic", "counted", "state", "comes_back"),
    [
        (Verdict.TAKEN, True, "sent", S.SENT, False),
        (Verdict.TAKEN, False, "sent", S.SENT, False),
        (Verdict.LATER, True, "postponed", S.QUEUED, True),
        (Verdict.LATER, False, "postponed", S.QUEUED, True),
        (Verdict.NEVER, True, "failed", S.FAILED, False),
        (Verdict.NEVER, False, "failed", S.FAILED, False),
        (Verdict.UNCERTAIN, True, "uncertain", S.FAILED, False),
        (Verdict.UNCERTAIN, False, "uncertain", S.QUEUED, True),
    ],
)
def test_a_verdict_decides_the_state(
    verdict: Verdict, is_automatic: bool, counted: str, state: LetterState, comes_back: bool
) -> None:
    own = sending(is_automatic=is_automatic)
    read = own.version

    assert outcome.note(own, Answer(verdict, 250, "said"), NOW, RETRY) == counted
    assert (own.state, own.wake_at is not None, len(own.attempts)) == (state, comes_back, 1)
    assert own.version == read + 1
    assert len(own.outbox) == (0 if state is S.QUEUED else 1)


@pytest.mark.parametrize(("tries", "pause"), [(0, 60), (1, 180), (4, 4_860), (9, 14_400)])
def test_each_try_waits_longer_than_the_one_before(tries: int, pause: float) -> None:
    own = sending(is_automatic=True, tries=tries)
    outcome.note(own, Answer(Verdict.LATER, 451, "not now"), NOW, RETRY)

    assert own.wake_at is not None
    assert 0.79 * pause <= (own.wake_at - NOW).total_seconds() <= 1.21 * pause


@pytest.mark.parametrize(
    ("code", "said", "greylisted"),
    [
        (451, "4.7.1 Greylisted, try again in 300 seconds", True),
        (450, "4.2.0 <ada@customer.example>: Recipient address rejected: Greylisted", True),
        (451, "4.7.1 Service unavailable", True),
        (451, "you are graylisting material", True),
        (451, "4.3.0 disk full", False),
        (451, "14.7.10 is no status", False),
        (421, "4.7.1 shutting down", False),
        (None, "greylisted", False),
    ],
)
def test_what_is_greylisted_comes_back_soon_and_again_and_what_is_not_waits_longer(
    code: int | None, said: str, *, greylisted: bool
) -> None:
    pauses = []
    for tries in range(4):
        own = sending(is_automatic=True, tries=tries)
        outcome.note(own, Answer(Verdict.LATER, code, said), NOW, RETRY)
        assert own.wake_at is not None
        pauses.append((own.wake_at - NOW).total_seconds())

    assert (pauses == [60, 120, 180, 240]) is greylisted
    assert (sum(pauses) <= 600) is greylisted


def test_a_pause_for_greylisting_is_never_longer_than_the_longest() -> None:
    own = sending(is_automatic=True, tries=300)
    outcome.note(own, Answer(Verdict.LATER, 451, "4.7.1 greylisted"), NOW, RETRY)

    assert own.wake_at == NOW + timedelta(seconds=14_400)


@pytest.mark.parametrize("verdict", [Verdict.LATER, Verdict.UNCERTAIN])
def test_after_four_days_a_letter_is_given_up_with_the_last_answer(verdict: Verdict) -> None:
    own = sending(is_automatic=False, tries=20)
    just_before = NOW + timedelta(days=4) - timedelta(minutes=1)

    assert outcome.note(own, Answer(verdict, 451, "still not now"), just_before, RETRY) == "failed"
    assert (own.state, own.reason) == (S.FAILED, "given up after 21 tries: 451 still not now")


def test_what_a_relay_says_is_kept_but_not_without_end() -> None:
    own = sending(is_automatic=True)
    outcome.note(own, Answer(Verdict.NEVER, 550, "x" * 5_000), NOW, RETRY)

    assert own.attempts[0].answer == "x" * 300
    assert len(own.reason) < 330


def test_a_letter_whose_sender_died_says_so() -> None:
    own = sending(is_automatic=True)
    outcome.note(own, outcome.SENDER_DIED, NOW, RETRY)

    assert own.reason == "uncertain: the relay may have it (its sender died while it was being sent)"
