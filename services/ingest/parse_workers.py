"""Large and suspicious mails are parsed in processes of their own; see `shared/runtime/workers.py`.

A mail that takes longer than `parse_seconds` is `Unreadable`; so is one that takes more than `parse_memory`,
and one that a process died of twice. Raises `Unavailable` when no process can be started, which says nothing
of the mail.
"""

import asyncio
import pickle

from services.ingest.parse_worker import Answer
from services.ingest.parsing import ParsedMail, is_heavy, parse
from services.ingest.settings import Limits
from shared import metrics
from shared.domain.errors import TookTooLong, Unreadable
from shared.runtime.workers import IDLE_SECONDS, Work, Workers

_PROGRAM = "from services.ingest.parse_worker import main; main()"  # not -m: pickles name modules


class ParseWorkers:
    """See the module. `most` processes at a time; further mails wait, and their time does not run yet."""

    def __init__(self, limits: Limits, most: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limits = limits
        work = Work("parse worker", _PROGRAM, limits.model_dump_json(), limits.parse_seconds, _count)
        self._workers = Workers(work, most, idle_seconds)

    @property
    def idle(self) -> list[int]:
        """The process ids of those that wait for a mail."""
        return self._workers.idle

    async def parse(self, raw: bytes) -> ParsedMail:
        """Read a mail. Raises `Unreadable` and `Unavailable`."""
        try:
            said = await self._workers.ask(raw)
        except TookTooLong as fault:
            limit = f"parse_seconds={self._limits.parse_seconds:g}"
            raise Unreadable(f"reading it takes longer than {limit}") from fault
        answer: Answer = pickle.loads(said)  # noqa: S301 (our own process wrote it)
        _count("read" if answer.mail is not None else "unreadable")
        if answer.mail is None:
            raise Unreadable(answer.reason)
        return answer.mail

    async def close(self) -> None:
        """End those that wait; nothing may be parsed any more."""
        await self._workers.close()


async def parsed(raw: bytes, limits: Limits, workers: ParseWorkers | None) -> ParsedMail:
    """Read a mail: here, or by `workers` when it may take long; without them a thread reads it, which no
    limit of time can end. Raises `Unreadable` and `Unavailable`."""
    if not is_heavy(raw, limits):
        return parse(raw, limits)
    if workers is not None:
        return await workers.parse(raw)
    return await asyncio.to_thread(parse, raw, limits)


def _count(outcome: str) -> None:
    metrics.MAIL_PARSE_WORKERS.labels(outcome).inc()
