"""A real SMTP server that sends nothing on: what it takes lies in a folder, or in a local mailbox.

Promises:
- A mail that was answered with 250 is on the disk (`services/sandbox/maildrop.py`); one that was not may be
  there, and its sender tries again: nothing is lost, and a repeat carries the same Message-ID.
- A recipient in `local` gets the mail into that Maildir; `name+anything@host` counts as `name@host`, letter
  case does not matter. The mail then opens with `Return-Path` and `Delivered-To`, as after any last delivery.
- The mail for all other recipients is one file in `outbox` that opens with the envelope: an `X-Envelope-From`
  and an `X-Envelope-To` for each recipient. Below that the bytes are the ones received.
- Mails in 8 bits and addresses in UTF-8 are taken as they are (8BITMIME, SMTPUTF8); no TLS, no login.

Failures: a full disk is answered with 451, a mail above the size limit with 552.

`python -m services.sandbox.smtp_sink --port 2525 --outbox DIR --local support@example.com=MAILDIR` runs it as
a process; SIGTERM ends it.
"""

import argparse
import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
import uvloop

from services.sandbox.maildrop import deliver, letters, make_maildir, post_all
from services.sandbox.smtp_server import SmtpServer
from shared.adapters.gather import Gatherer

HOST_NAME = "sandbox.localhost"
SIZE_LIMIT = 40 * 1024 * 1024  # bytes; what large providers take, after encoding
SILENT_AFTER = 300.0  # seconds until a client that says nothing is hung up on (RFC 5321, section 4.5.3.2.7)

log = structlog.get_logger()


class SmtpSink:
    """The server; it lives in the event loop that runs when `start()` is called."""

    def __init__(
        self,
        host: str,
        port: int,
        outbox: Path,
        local: Mapping[str, Path] | None = None,
        *,
        size_limit: int = SIZE_LIMIT,
    ) -> None:
        self.outbox = outbox
        self._local = {address.casefold(): maildir for address, maildir in (local or {}).items()}
        self._server = SmtpServer(
            host,
            port,
            _Handler(outbox, self._local),
            data_size_limit=size_limit,
            hostname=HOST_NAME,
            ident="Ombud sandbox",
            timeout=SILENT_AFTER,
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to; with port 0 the one chosen by `start()`."""
        return self._server.address

    def letters(self) -> list[Path]:
        """The files of the letters that left, oldest first."""
        return letters(self.outbox)

    async def start(self) -> None:
        """Listen; raises `Refused` when the port is taken."""
        self.outbox.mkdir(parents=True, exist_ok=True)
        for maildir in self._local.values():
            make_maildir(maildir)
        await self._server.start()
        log.info("sink.listening", port=self.address[1])

    async def stop(self) -> None:
        """Stop listening and hang up on everybody; harmless when it does not listen."""
        await self._server.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Handler:
    """What aiosmtpd calls for each command; `handle_DATA` is where a mail becomes a file."""

    def __init__(self, outbox: Path, local: Mapping[str, Path]) -> None:
        self._outbox = outbox
        self._local = local
        self._posts: Gatherer[bytes, Path] = Gatherer(self._post_all)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        try:
            await self._keep(envelope.mail_from, envelope.rcpt_tos, envelope.content)
        except OSError as error:
            log.warning("sink.refused", reason=str(error))
            return "451 4.3.0 the mail could not be stored, try again"
        log.info("sink.received", bytes=len(envelope.content), recipients=len(envelope.rcpt_tos))
        return "250 2.0.0 stored"

    # aiosmtpd gives the empty sender as `<>` and every other one bare.
    async def _keep(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        away = []
        for recipient in recipients:
            maildir = self._local.get(without_tag(recipient))
            if maildir is None:
                away.append(recipient)
            else:
                opening = [f"Return-Path: <{sender.strip('<>')}>", f"Delivered-To: {recipient}"]
                await asyncio.to_thread(deliver, maildir, _headed(opening, content))
        if away:
            opening = [f"X-Envelope-From: {sender}", *(f"X-Envelope-To: {recipient}" for recipient in away)]
            await self._posts.ask(_headed(opening, content))

    async def _post_all(self, raws: list[bytes]) -> list[Path | BaseException]:
        return list(await asyncio.to_thread(post_all, self._outbox, raws))


def without_tag(address: str) -> str:
    """The mailbox behind an address: `Support+T-7@Example.com` is `support@example.com` (RFC 5233)."""
    name, _, host = address.casefold().rpartition("@")
    return f"{name.partition('+')[0]}@{host}"


def _headed(opening: Sequence[str], content: bytes) -> bytes:
    lines = "".join(f"{line}\r\n" for line in opening)
    return lines.encode("utf-8", "surrogateescape") + content


async def serve(sink: SmtpSink) -> None:
    """Run the sink until SIGTERM or Ctrl-C."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with sink:
        await ended.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """The sink as a process of its own."""
    parser = argparse.ArgumentParser(prog="smtp_sink", description="An SMTP server that keeps all it gets.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0: a free one, told in the log")
    parser.add_argument("--outbox", type=Path, required=True, help="folder for letters that leave")
    parser.add_argument(
        "--local", action="append", default=[], metavar="ADDRESS=MAILDIR", help="a mailbox that lives here"
    )
    parser.add_argument("--size-limit", type=int, default=SIZE_LIMIT, metavar="BYTES")
    options = parser.parse_args(arguments)
    local = {}
    for pair in options.local:
        address, equals, maildir = pair.partition("=")
        if not equals or "@" not in address:
            parser.error(f"--local {pair}: expected ADDRESS=MAILDIR")
        local[address] = Path(maildir)
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd tells addresses at info
    sink = SmtpSink(options.host, options.port, options.outbox, local, size_limit=options.size_limit)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sink))


if __name__ == "__main__":
    main()
