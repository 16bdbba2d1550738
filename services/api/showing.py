"""A message as a page of its own, for a frame: its HTML made harmless, else its text.

What is too long, takes too long or too much memory is shown as text, under a sentence that says so: no mail
can hold the API up, and none is left out. Raises `Unavailable` when no process can be started.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from services.api.html_safe import Asked, Safe
from services.api.settings import ShowingSettings
from shared import metrics
from shared.domain.errors import TookTooLong, Unreadable
from shared.domain.messages import Message
from shared.runtime.workers import IDLE_SECONDS, Work, Workers

_PROGRAM = "from services.api.showing_worker import main; main()"  # not -m: pickles name modules

_LOADS_NOTHING = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; img-src 'self' data:"
)
_LOADS_PICTURES = f"{_LOADS_NOTHING} https: http:"

# Mails are written for a white ground. Plain text takes the reader's colours.
_STYLE = (
    "html{{color-scheme:{scheme}}}body{{margin:0;padding:12px;font:14px/1.5 system-ui,sans-serif;"
    "overflow-wrap:anywhere}}img{{max-width:100%;height:auto}}table{{max-width:100%}}"
    "pre{{white-space:pre-wrap;font:inherit;margin:0}}"
    ".ombud-notice{{border-left:4px solid #b45309;margin:0 0 12px;padding:4px 8px}}"
)
_ON_WHITE = _STYLE.format(scheme="light") + "html{background:#fff;color:#111}"
_AS_READER_LIKES = _STYLE.format(scheme="light dark")


@dataclass(frozen=True, slots=True)
class Page:
    """A document to be shown. `policy` is its Content-Security-Policy; `remote`: see `html_safe.Safe`."""

    document: str
    policy: str
    remote: int = 0


class Showing:
    """Makes pages of messages; one a process."""

    def __init__(self, settings: ShowingSettings, idle_seconds: float = IDLE_SECONDS) -> None:
        self._settings = settings
        argument = f"{settings.seconds} {settings.memory}"
        work = Work("showing worker", _PROGRAM, argument, settings.seconds, _count)
        self._workers = Workers(work, settings.workers, idle_seconds)

    @property
    def idle(self) -> list[int]:
        """The process ids of those that wait for a mail."""
        return self._workers.idle

    async def page(self, message: Message, pictures: Mapping[str, str], *, remote_images: bool) -> Page:
        """The message as a page. `pictures`: where those of the mail itself are to be had, by Content-ID."""
        if not message.html:
            _count("text")
            return _of_text(message)
        size = len(message.html.encode())
        if size > self._settings.html_bytes:
            _count("too_large")
            most = self._settings.html_bytes
            return _of_text(message, f"has {size} bytes, more than the {most} that are shown")
        limits = self._settings
        asked = Asked(message.html, pictures, remote_images, limits.data_bytes, limits.page_bytes)
        try:
            answer = await self._workers.ask(pickle.dumps(asked))
        except TookTooLong:
            return _of_text(message, f"takes longer than {self._settings.seconds:g} seconds to make harmless")
        except Unreadable:
            return _of_text(message, "takes more memory to make harmless than it may")
        safe: Safe | None = pickle.loads(answer)  # noqa: S301 (our own process wrote it)
        if safe is None:
            _count("too_large")
            return _of_text(message, f"has more than {limits.page_bytes} bytes once it is harmless")
        _count("html")
        policy = _LOADS_PICTURES if remote_images else _LOADS_NOTHING
        return Page(_document(message, safe.html, policy, _ON_WHITE), policy, safe.remote)

    async def close(self) -> None:
        """End the processes that wait; nothing may be asked any more."""
        await self._workers.close()


def _of_text(message: Message, left_out: str = "") -> Page:
    notice = ""
    if left_out:
        notice = (
            f'<p class="ombud-notice">This mail\'s HTML is left out here, for it {escape(left_out)}. '
            "This is its text. The raw mail has all of it.</p>"
        )
    body = f"{notice}<pre>{escape(message.text)}</pre>"
    return Page(_document(message, body, _LOADS_NOTHING, _AS_READER_LIKES), _LOADS_NOTHING)


def _document(message: Message, body: str, policy: str, style: str) -> str:
    # The policy stands in the document, too: one that is put into a frame by its text has no headers.
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        # Else browsers look up the names of links before a click: whose they are learns that it is read.
        '<meta http-equiv="x-dns-prefetch-control" content="off">'
        f"<title>{escape(message.subject)}</title><style>{style}</style></head><body>{body}</body></html>"
    )


def _count(outcome: str) -> None:
    metrics.HTML_SHOWN.labels(outcome).inc()
