"""`ombud doctor`: each dependency in one line, and exit code 1 when one does not answer."""

import asyncio
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from services.cli.console import Json, quiet, say_json, with_sandbox
from services.settings import OmbudSettings, read_settings
from shared.domain.errors import OmbudError, Refused, Unavailable
from shared.runtime.settings import MailboxSettings
from shared.runtime.wiring import open_platform

PATIENCE = 10.0
"""Seconds for each dependency."""

Check = Callable[[], Awaitable[str]]


def doctor(json: Json = False) -> None:
    """Ask every dependency for an answer and say what to do about those that give none."""
    settings = with_sandbox(read_settings())
    quiet("doctor")
    results = asyncio.run(_examine(settings))
    for name, ok, says in results:
        if json:
            say_json({"dependency": name, "ok": ok, "says": says})
        else:
            print(f"{'ok  ' if ok else 'FAIL'}  {name:<20}  {says}")
    sys.exit(0 if all(ok for _, ok, _ in results) else 1)


async def _examine(settings: OmbudSettings) -> list[tuple[str, bool, str]]:
    async with AsyncExitStack() as stack:
        try:
            wired = await open_platform(settings, stack, "doctor")
        except OmbudError as fault:
            return [("start", False, str(fault))]
        hints = {"kafka": f"OMBUD_KAFKA__BOOTSTRAP={settings.kafka.bootstrap}", "mongo": "OMBUD_MONGO__URL"}
        checks: dict[str, Check] = {
            name: _pinged(ping, hints.get(name, "")) for name, ping in wired.pings.items()
        }
        for name, mailbox in settings.mailboxes.items():
            for folder in mailbox.read_folders:
                label = f"{name}/{folder}" if folder != mailbox.folder else name
                checks[f"mailbox {label}"] = _threaded(partial(look_into, name, mailbox, settings, folder))
        checks["smtp"] = lambda: _smtp(settings)
        return [(name, *await _result(check)) for name, check in checks.items()]


async def _result(check: Check) -> tuple[bool, str]:
    try:
        return True, await asyncio.wait_for(check(), PATIENCE)
    except TimeoutError:
        return False, f"no answer within {PATIENCE:g} s"
    except OmbudError as fault:
        return False, str(fault)
    except (OSError, ssl.SSLError) as fault:
        return False, f"{type(fault).__name__}: {fault}"


def _pinged(ping: Callable[[], Awaitable[None]], hint: str) -> Check:
    async def check() -> str:
        try:
            await ping()
        except Unavailable as fault:
            raise Refused(f"{fault}; look at the server, and check {hint}" if hint else str(fault)) from fault
        return "answers"

    return check


def _threaded(look: Callable[[], str]) -> Check:
    return lambda: asyncio.to_thread(look)


def look_into(name: str, mailbox: MailboxSettings, settings: OmbudSettings, folder: str | None = None) -> str:
    """Log in and open a folder, None for the main one; say so. Raises `OmbudError` with what to do."""
    from services.ingest.mailboxes import open_mailbox

    opened = open_mailbox(name, mailbox, settings.ingest, folder)
    try:
        return f"{mailbox.maildir or mailbox.host} answers, UIDVALIDITY {opened.open()}"
    finally:
        opened.close()


async def _smtp(settings: OmbudSettings) -> str:
    import aiosmtplib

    from services.notify.smtp_login import log_in
    from shared.runtime.tokens import token_source

    smtp = settings.smtp
    if not smtp.host:
        return "not set: letters wait (OMBUD_SMTP__HOST)"
    client = aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port,
        use_tls=smtp.tls == "implicit",
        start_tls=smtp.tls == "starttls",
        timeout=PATIENCE,
    )
    try:
        async with client:
            if tokens := token_source("smtp", "OMBUD_SMTP__OAUTH", smtp.oauth):
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
                await log_in(client, smtp, tokens)
            elif smtp.username:
                await client.login(smtp.username, smtp.password.get_secret_value())
            return f"{smtp.host}:{smtp.port} answers"
    except (aiosmtplib.SMTPException, socket.gaierror) as fault:
        message = f"{smtp.host}:{smtp.port}: {fault}; check OMBUD_SMTP__*"
        raise OSError(message) from fault
