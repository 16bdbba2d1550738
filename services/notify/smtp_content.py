"""A mail's content on its way to the relay, in two steps: all of it but its end, then the end.

The end is the line with a single dot. A relay delivers nothing before it has that line, whatever becomes of
the connection (RFC 5321 §4.1.1.4), so a sender may still decide after the first step: to send the end, or to
hang up, which is the only way out of a content that was begun.

Raises what aiosmtplib raises; a reply that is not the one hoped for is `SMTPDataError` with its code.
"""

import asyncio
import re
from typing import cast

from aiosmtplib import SMTP, SMTPDataError, SMTPResponse, SMTPServerDisconnected

GO_ON = 354
TAKEN = 250

LOOK_EVERY = 0.01
"""Seconds between two looks whether a content has left; what the socket takes at once is not waited for."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_DOT_FIRST = re.compile(rb"(?m)^\.")


def as_lines(content: bytes) -> bytes:
    """The content as it goes over the wire: lines ended by CRLF, a leading dot doubled (RFC 5321 §4.5.2)."""
    lines = _LINE_END.sub(b"\r\n", content)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return _DOT_FIRST.sub(b"..", lines)


async def begin(smtp: SMTP, content: bytes) -> None:
    """Send DATA and the content without its end; return when it has left this process."""
    reply = await smtp.execute_command(b"DATA")
    if reply.code != GO_ON:
        raise SMTPDataError(reply.code, reply.message)
    if smtp.protocol is None:
        raise SMTPServerDisconnected("the relay hung up after DATA")
    smtp.protocol.write(as_lines(content))
    await _left(smtp)


async def end(smtp: SMTP, seconds: float) -> SMTPResponse:
    """Send the end of the content; what the relay says within `seconds`, which is that it has the mail."""
    reply = await smtp.execute_command(b".", timeout=seconds)
    if reply.code != TAKEN:
        raise SMTPDataError(reply.code, reply.message)
    return reply


async def _left(smtp: SMTP) -> None:
    transport = cast("asyncio.WriteTransport", smtp.transport)
    while smtp.is_connected and transport.get_write_buffer_size():  # noqa: ASYNC110 (the library alone is told)
        await asyncio.sleep(LOOK_EVERY)
    if not smtp.is_connected:
        raise SMTPServerDisconnected("the relay hung up during the content")
