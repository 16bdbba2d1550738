"""An SMTP server whose answers are data: refusals, dropped connections and silence, in the order given.

A real aiosmtpd on a free port. Each verb (`MAIL`, `RCPT`, `DATA`) takes its answers one after the other; when
they are used up, and for verbs without any, it accepts. `RCPT` and `DATA` may map recipients (of `DATA` the
first) to answers of their own.
Special answers: `DROP` closes the connection without an answer; `SILENCE` never answers.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from services.sandbox.smtp_server import Session, SmtpServer

DROP = "DROP"
SILENCE = "SILENCE"

Answers = Mapping[str, Sequence[str] | Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Received:
    """A mail whose bytes arrived whole; `answer` is what the server said, `DROP` and `SILENCE` included."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    answer: str

    @property
    def accepted(self) -> bool:
        """Whether the sender was told that we have it."""
        return self.answer.startswith("250")


class ScriptedSmtp:
    """The server; use it with `async with`. `received` holds every mail that came, the refused ones too."""

    def __init__(self, answers: Answers | None = None, host: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self._script = _Script(answers or {})
        self._server = SmtpServer(host, 0, self, hostname="scripted.localhost")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to."""
        return self._server.address

    @property
    def connections(self) -> int:
        """How many connections clients have opened so far."""
        return self._server.connections

    @property
    def accepted(self) -> list[Received]:
        """The mails that were answered with 250."""
        return [mail for mail in self.received if mail.accepted]

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, session: Session, _details: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = await _said(session, self._script.next("MAIL", "250 OK"))
        if answer.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, session: Session, _details: object, envelope: Any, address: str, _options: list[str]
    ) -> str:
        answer = await _said(session, self._script.next("RCPT", "250 OK", address))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, session: Session, _details: object, envelope: Any) -> str:  # noqa: N802  # its name
        answer = self._script.next("DATA", "250 OK", envelope.rcpt_tos[0])
        mail = Received(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content, answer)
        self.received.append(mail)
        return await _said(session, answer)


class _Script:
    def __init__(self, answers: Answers) -> None:
        self._left: dict[tuple[str, str], list[str]] = {}
        for verb, given in answers.items():
            by_recipient = given if isinstance(given, Mapping) else {"": given}
            for recipient, sequence in by_recipient.items():
                self._left[verb, recipient] = list(sequence)

    def next(self, verb: str, otherwise: str, recipient: str = "") -> str:
        for key in ((verb, recipient), (verb, "")):
            if self._left.get(key):
                return self._left[key].pop(0)
        return otherwise


async def _said(session: Session, answer: str) -> str:
    """The answer; a special one never comes: the session's task ends here with its connection."""
    if answer == DROP:
        session.hang_up()
    if answer in (DROP, SILENCE):
        await asyncio.Event().wait()
    return answer
