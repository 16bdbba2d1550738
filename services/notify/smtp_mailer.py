"""The mailer port over SMTP (aiosmtplib); the promises are those of services/notify/ports.py.

On failure: a reply of 4yz is LATER, 5yz NEVER (RFC 5321 §4.2.1), but for those that ask us to log in or to
encrypt (RFC 4954 §6), which no letter can help: `Unavailable`. A connection that ends, or an answer that
stays away, is LATER until the end of the content was sent and UNCERTAIN from then on; a kept connection that
turns out dead at its first command is replaced and the mail tried on another. Each kind of library error is
told apart here and in `smtp_pool.py` alone.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any

from aiosmtplib import SMTPException, SMTPResponseException

from services.notify import smtp_content
from services.notify.ports import Answer, Gate, Mail, Verdict
from services.notify.settings import NotifySettings
from services.notify.smtp_pool import Line, SmtpPool
from shared.domain.errors import Unavailable
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach_beside
from shared.runtime.settings import SmtpSettings

CLOSING = 421
WANTS_LOGIN = frozenset({454, 530, 534, 535, 538})

_LOST = (SMTPException, OSError, TimeoutError)


class SmtpMailer:
    """See the module. `hello` is our name in EHLO; `tls`: see `SmtpPool`."""

    def __init__(
        self, relay: SmtpSettings, settings: NotifySettings, hello: str, tls: ssl.SSLContext | None = None
    ) -> None:
        self._pool = SmtpPool(relay, settings, hello, tls)
        self._settings = settings

    async def send(self, mail: Mail, gate: Gate) -> Answer:
        """Try once; see the port. Raises `Unavailable`."""
        while True:
            async with self._pool.lend() as line:
                refusal = await self._begin(line, mail)
                if line.broken and not line.fresh:
                    continue
                refusal = refusal or await self._name(line, mail) or await self._content(line, mail)
                if refusal is None:
                    return await self._end(line, gate)
                await _clear(line)
                return refusal

    async def ping(self) -> None:
        """Return if the relay answers; see the port."""
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                async with self._pool.lend():
                    return
        except TimeoutError as late:
            raise Unavailable("smtp", "every connection is busy and none came free") from late

    async def close(self) -> None:
        """Part from the relay."""
        await self._pool.close()

    async def _begin(self, line: Line, mail: Mail) -> Answer | None:
        if not mail.utf8:
            return await self._asked(line, line.smtp.mail(mail.sender))
        if line.smtp.supports_extension("smtputf8"):
            return await self._asked(
                line, line.smtp.mail(mail.sender, options=["SMTPUTF8"], encoding="utf-8")
            )
        return Answer(Verdict.NEVER, text="the relay takes no address that is not ASCII (SMTPUTF8)")

    async def _name(self, line: Line, mail: Mail) -> Answer | None:
        encoding = "utf-8" if mail.utf8 else "ascii"
        return await self._asked(line, line.smtp.rcpt(mail.recipient, encoding=encoding))

    async def _content(self, line: Line, mail: Mail) -> Answer | None:
        begun = smtp_content.begin(line.smtp, mail.content)
        return await self._asked(line, begun, self._settings.accept_seconds)

    async def _asked(
        self, line: Line, command: Coroutine[Any, Any, object], seconds: float | None = None
    ) -> Answer | None:
        """None when the relay agrees, else what speaks against it. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(seconds or self._settings.answer_seconds):
                await command
        except SMTPResponseException as refusal:
            if refusal.code in WANTS_LOGIN:
                line.broken = True
                raise Unavailable("smtp", f"{refusal.code} {refusal.message}") from refusal
            return _refused(line, refusal, otherwise=Verdict.LATER)
        except ValueError as fault:
            return Answer(Verdict.NEVER, text=f"the address cannot be sent: {fault}")
        except _LOST as fault:
            line.broken = True
            return Answer(Verdict.LATER, text=_told(fault))
        return None

    async def _end(self, line: Line, gate: Gate) -> Answer:
        """Ask the gate, then let the relay have the mail."""
        if not await gate():
            line.broken = True  # to hang up is the only way out of a content that was begun
            return Answer(Verdict.WITHHELD)
        if not line.smtp.is_connected:
            return Answer(Verdict.LATER, text="the relay hung up before the end of the content")
        patience = self._settings.accept_seconds
        try:
            async with asyncio.timeout(patience):
                taken = await reach_beside(Site.LETTER_ENDED, smtp_content.end(line.smtp, patience))
        except SMTPResponseException as refusal:
            answer = _refused(line, refusal, otherwise=Verdict.UNCERTAIN)
            await _clear(line)
            return answer
        except _LOST as fault:
            line.broken = True
            return Answer(Verdict.UNCERTAIN, text=_told(fault))
        line.mails += 1
        return Answer(Verdict.TAKEN, taken.code, taken.message)


def _refused(line: Line, refusal: SMTPResponseException, otherwise: Verdict) -> Answer:
    """The verdict of a reply code; `otherwise` for one that SMTP does not know here."""
    known = {4: Verdict.LATER, 5: Verdict.NEVER}.get(refusal.code // 100)
    line.broken = refusal.code == CLOSING or known is None
    return Answer(known or otherwise, refusal.code, refusal.message)


async def _clear(line: Line) -> None:
    """End the mail that was begun, so that the connection can take another."""
    if line.broken:
        return
    try:
        await line.smtp.rset()
    except _LOST:
        line.broken = True


def _told(fault: BaseException) -> str:
    return str(fault) or type(fault).__name__
