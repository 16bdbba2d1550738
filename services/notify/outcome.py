"""What the answer to one try does to a letter. Pure.

A reply is sent at least once, an automatic letter at most once: when nobody knows whether the relay has it,
the reply is tried again, with the same Message-ID, and the automatic letter is given up.
"""

import re
from datetime import datetime, timedelta

from services.notify.ports import Answer, Verdict
from services.notify.rules import pause_before_next
from services.notify.settings import RetrySettings
from shared.domain.letters import Attempt, Letter

LONGEST_ANSWER = 300

NOT_YET_CODES = frozenset({450, 451})
_GREYLISTED = re.compile(r"gr[ea]y.?list|\b4\.7\.1\b", re.IGNORECASE)

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
    if is_greylisting(attempt):
        pause = min(retry.greylist_pause * tries, retry.longest_pause)
    until = attempt.at + timedelta(seconds=pause)
    if until - letter.created_at > timedelta(seconds=retry.give_up_after):
        letter.failed(attempt, f"given up after {tries} tries: {_said(attempt)}")
        return False
    letter.postponed(attempt, until)
    return True


def is_greylisting(attempt: Attempt) -> bool:
    """Whether strangers are only asked to come again soon (RFC 6647): to wait as for a fault is too long."""
    return attempt.code in NOT_YET_CODES and _GREYLISTED.search(attempt.answer) is not None


def _said(attempt: Attempt) -> str:
    return " ".join(part for part in (str(attempt.code or ""), attempt.answer) if part) or "no answer"
