"""What the answer to one try does to a letter. Pure.

A reply is sent at least once, an automatic letter at most once: when nobody knows whether the relay has it,
the reply is tried again, with the same Message-ID, and the automatic letter is given up.
"""

from datetime import datetime, timedelta

from services.notify.ports import Answer, Verdict
from services.notify.rules import pause_before_next
from services.notify.settings import RetrySettings
from shared.domain.letters import Attempt, Letter

LONGEST_ANSWER = 300

SENDER_DIED = Answer(Verdict.UNCERTAIN, text="its sender died while it was being sent")


def note(letter: Letter, answer: Answer, at: datetime, retry: RetrySettings) -> str:
    """Put the answer on the letter and return the outcome that `ombud_letters_total` counts."""
    attempt = Attempt(at=at, code=answer.code, answer=answer.text[:LONGEST_ANSWER])
    match answer.verdict:
        case Verdict.TAKEN:
            letter.sent(attempt)
            return "sent"
        case Verdict.NEVER:
            letter.failed(attempt, f"refused: {_said(attempt)}")
            return "failed"
        case Verdict.UNCERTAIN if letter.automatic:
            letter.failed(attempt, f"uncertain: the relay may have it ({_said(attempt)})")
            return "uncertain"
        case _:
            postponed = _postpone(letter, attempt, retry)
            if postponed and answer.verdict is Verdict.UNCERTAIN:
                return "uncertain"
            return "postponed" if postponed else "failed"


def _postpone(letter: Letter, attempt: Attempt, retry: RetrySettings) -> bool:
    """Set the next try, or give the letter up when it would come too late."""
    tries = len(letter.attempts) + 1
    pause = pause_before_next(tries, letter.id, retry.first_pause, retry.longest_pause)
    until = attempt.at + timedelta(seconds=pause)
    if until - letter.created_at > timedelta(seconds=retry.give_up_after):
        letter.failed(attempt, f"given up after {tries} tries: {_said(attempt)}")
        return False
    letter.postponed(attempt, until)
    return True


def _said(attempt: Attempt) -> str:
    return " ".join(part for part in (str(attempt.code or ""), attempt.answer) if part) or "no answer"
