"""Logs: one JSON line an event, a name with fields; no bodies, no addresses, no secrets at info.

JSON also stops forged lines: a line break in a field is escaped. On a terminal, or with
`OMBUD_LOG__FORMAT=text`, the same events are readable lines.
"""

import logging
import sys
import time
from typing import TextIO

import orjson
import structlog

from shared.runtime.settings import LogSettings

LONGEST_FIELD = 2_000
"""Characters of a field that are kept."""

SAID_AGAIN = 10.0
"""Seconds before a library's message of one kind is written again."""

MOST_KINDS = 1_000
"""Kinds of messages to remember; some libraries put everything into the message itself."""

# Without the frames' variables: they hold secrets and mails.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def set_up(settings: LogSettings, service: str, stream: TextIO | None = None) -> None:
    """Configure structlog for this process, and lead the libraries' warnings into it.

    Args:
        settings: level and format.
        service: named in each line.
        stream: where to; by default stdout.

    """
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    target = stream or sys.stdout
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if settings.format == "text"
        else structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=str).decode()
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            _TRACEBACKS if settings.format == "json" else _unchanged,
            _capped,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(max(level, logging.WARNING))


def _unchanged(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return event


def _capped(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST_FIELD:
            event[name] = value[:LONGEST_FIELD] + "…"
    return event


class _Bridge(logging.Handler):
    """Libraries log through the standard library: their warnings become events of ours.

    aiokafka says the same a hundred times a second while a broker is away: what was said within
    `SAID_AGAIN` is left out, and counted in `repeated` when it is said again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        kind = (record.name, str(record.msg))
        since, left_out = self._said.get(kind, (-SAID_AGAIN, 0))
        now = time.monotonic()
        if now - since < SAID_AGAIN:
            self._said[kind] = (since, left_out + 1)
            return
        if len(self._said) >= MOST_KINDS:
            self._said.clear()
        self._said[kind] = (now, 0)
        repeated = {"repeated": left_out} if left_out else {}
        structlog.get_logger().log(
            record.levelno,
            "library.says",
            library=record.name,
            text=record.getMessage().partition("\n")[0][:300],
            **repeated,
        )
