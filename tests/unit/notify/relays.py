"""Relays that answer when their test lets them."""

import asyncio
from typing import Any

from tests.servers.smtp import ScriptedSmtp


class Holding(ScriptedSmtp):
    """A relay that answers a mail's content only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.holds = False
        self.taken = 0

    async def handle_DATA(self, session: Any, details: object, envelope: Any) -> str:  # noqa: N802  # its name
        self.holds = True
        await self.let_go.wait()
        self.taken += 1
        return await super().handle_DATA(session, details, envelope)


class Asking(ScriptedSmtp):
    """A relay that accepts a recipient only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.asked = False

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, session: Any, details: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.asked = True
        await self.let_go.wait()
        return await super().handle_RCPT(session, details, envelope, address, options)


class Naming(ScriptedSmtp):
    """A relay that notes when the first recipient has been named."""

    named = False

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, session: Any, details: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.named = True
        return await super().handle_RCPT(session, details, envelope, address, options)
