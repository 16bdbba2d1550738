"""Connections to the relay, kept and lent out one caller at a time.

aiosmtplib's connection is strictly sequential, so there are several; one is used again while it is young,
not worn, and answers. Whatever goes wrong on a connection ends it.

On failure: what keeps a connection from being opened is `Unavailable`, with the reason. When others are open
at that moment the relay only wants no more of them: the caller waits for one of those instead.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiosmtplib import SMTP, SMTPException, SMTPHeloError

from services.notify.settings import NotifySettings
from services.notify.smtp_login import log_in
from shared.domain.errors import Unavailable
from shared.runtime.settings import SmtpSettings
from shared.runtime.tokens import token_source

PARTING = 2.0
"""Seconds for the relay's answer to QUIT."""


@dataclass
class Line:
    """A connection while it is lent out. Whoever finds it unusable sets `broken`."""

    smtp: SMTP
    opened_at: float
    used_at: float
    mails: int = 0
    broken: bool = False

    @property
    def fresh(self) -> bool:
        """Whether it was opened for this very use."""
        return self.used_at == self.opened_at


class SmtpPool:
    """See the module. `tls` is used for both kinds of TLS; None: the machine's trust store, strictly."""

    def __init__(
        self, relay: SmtpSettings, settings: NotifySettings, hello: str, tls: ssl.SSLContext | None = None
    ) -> None:
        self._relay = relay
        self._settings = settings
        self._hello = hello
        self._tls = tls or (None if relay.tls == "none" else ssl.create_default_context())
        self._tokens = token_source("smtp", "OMBUD_SMTP__OAUTH", relay.oauth)
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[Line] = []
        self._busy = 0  # lines that are lent or being opened
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Line]:
        """A connection that answered lately; ended if the caller raises. Raises `Unavailable`."""
        async with self._slots:
            line = await self._take()
            self._busy += 1
            try:
                yield line
            except BaseException:
                line.broken = True
                raise
            finally:
                self._give_back(line)
                self._no_longer_busy()

    async def close(self) -> None:
        """Part from the relay; lent connections end when they come back."""
        while self._idle:
            await _part(self._idle.pop())

    async def _take(self) -> Line:
        while True:
            while self._idle:
                line = self._idle.pop()
                if await self._answers(line):
                    return line
            self._busy += 1
            try:
                return await self._open()
            except Unavailable as away:
                refusal = away
            finally:
                self._no_longer_busy()
            await self._wait_for_another(refusal)

    async def _wait_for_another(self, refusal: Unavailable) -> None:
        """Return when a line is idle; raise the refusal when there is none to wait for."""
        while not self._idle:
            if not self._busy:
                raise refusal
            self._changed.clear()
            await self._changed.wait()

    def _no_longer_busy(self) -> None:
        self._busy -= 1
        self._changed.set()

    def _give_back(self, line: Line) -> None:
        line.used_at = time.monotonic()
        if line.broken or not line.smtp.is_connected:
            line.smtp.close()
        else:
            self._idle.append(line)

    async def _answers(self, line: Line) -> bool:
        """Whether an idle connection may be used again; if not, it is ended."""
        now = time.monotonic()
        old = now - line.opened_at > self._settings.connection_seconds
        if old or line.mails >= self._settings.connection_mails:
            await _part(line)
            return False
        if line.smtp.is_connected and now - line.used_at <= self._settings.idle_seconds:
            return True
        try:
            async with asyncio.timeout(self._settings.answer_seconds):
                await line.smtp.noop()
        except (SMTPException, OSError, TimeoutError):
            line.smtp.close()
            return False
        return True

    async def _open(self) -> Line:
        if not self._relay.host:
            raise Unavailable("smtp", "no relay is configured (OMBUD_SMTP__HOST)")
        by_password = self._relay.username and self._tokens is None
        smtp = SMTP(
            hostname=self._relay.host,
            port=self._relay.port,
            username=self._relay.username if by_password else None,
            password=self._relay.password.get_secret_value() if by_password else None,
            local_hostname=self._hello,
            timeout=self._settings.answer_seconds,
            use_tls=self._relay.tls == "implicit",
            start_tls=self._relay.tls == "starttls",
            tls_context=self._tls,
        )
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await smtp.connect(timeout=self._settings.connect_seconds)
                if smtp.is_ehlo_or_helo_needed:
                    await _greet(smtp)
                if self._tokens is not None:
                    await log_in(smtp, self._relay, self._tokens)
        except (SMTPException, OSError, TimeoutError) as fault:
            smtp.close()
            raise Unavailable("smtp", str(fault) or type(fault).__name__) from fault
        except BaseException:
            smtp.close()
            raise
        now = time.monotonic()
        return Line(smtp, opened_at=now, used_at=now)


async def _greet(smtp: SMTP) -> None:
    try:
        await smtp.ehlo()
    except SMTPHeloError:
        await smtp.helo()


async def _part(line: Line) -> None:
    try:
        async with asyncio.timeout(PARTING):
            await line.smtp.quit()
    except (SMTPException, OSError, TimeoutError):
        pass
    finally:
        line.smtp.close()
