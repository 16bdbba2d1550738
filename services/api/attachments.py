"""The files that came with a mail, cut out of the raw mail as they are asked for.

They are streamed: the memory used does not grow with the file. What is sent is compared with the SHA-256 that
intake has noted; where it differs, the raw mail was damaged, and the answer is broken off before its end.

What a stranger's file calls itself is not believed: it is saved, not opened; only pictures that the mail
itself shows are shown, and only of types that run nothing.
"""

import base64
import hashlib
import mimetypes
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from urllib.parse import quote

from shared.domain.errors import NotFound, Unreadable
from shared.domain.messages import Attachment, Message, Place
from shared.domain.transfer import decoder
from shared.ports.blobs import Blobs

LONGEST_NAME = 120
"""Characters of a file's name as it is proposed to whoever saves it."""

_LONGEST_SUFFIX = 12
_UNKNOWN = "application/octet-stream"
_RASTER = {name: name for name in ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")}
_RASTER |= {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_OFFICE = "application/vnd.openxmlformats-officedocument"
_SAVED = frozenset(
    f"""application/gzip application/json application/msword application/pdf application/rtf
    application/vnd.ms-excel application/vnd.ms-powerpoint application/zip audio/mpeg audio/ogg audio/wav
    image/heic image/tiff message/rfc822 text/calendar text/csv text/plain text/vcard video/mp4 video/webm
    {_OFFICE}.presentationml.presentation {_OFFICE}.spreadsheetml.sheet
    {_OFFICE}.wordprocessingml.document""".split()
)
_FORBIDDEN = frozenset('<>:"|?*%')
_DEVICES = frozenset("aux con nul prn".split()) | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
"""Names that Windows takes for devices, whatever their suffix."""


def path_of(message: Message, number: int) -> str:
    """Where the file with this number, from 1, is to be had."""
    return f"/v1/tickets/{message.ticket_id}/messages/{message.id}/attachments/{number}"


def pictures_of(message: Message) -> Iterator[tuple[str, int, Attachment]]:
    """The pictures that the mail's HTML may show: Content-ID, number and file."""
    for number, one in enumerate(message.attachments, start=1):
        if one.content_id and one.place is not None and raster_type(one) is not None:
            yield one.content_id, number, one


def raster_type(attachment: Attachment) -> str | None:
    """The media type of a picture that browsers may show; None for any other file."""
    return _RASTER.get(attachment.content_type.lower())


def headers_of(attachment: Attachment, number: int) -> dict[str, str]:
    """How the file is to be taken: its type if it is harmless, its name, and that nothing of it runs."""
    picture = raster_type(attachment)
    kind = attachment.content_type.lower()
    shown = "inline" if picture is not None and attachment.inline else "attachment"
    return {
        "Content-Type": picture or (kind if kind in _SAVED else _UNKNOWN),
        "Content-Length": str(attachment.size),
        "Content-Disposition": disposition(shown, safe_name(attachment, number)),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, max-age=3600",
    }


def disposition(shown: str, name: str) -> str:
    """A Content-Disposition (RFC 6266), its name also beyond ASCII (RFC 8187)."""
    plain = "".join(sign if " " <= sign <= "~" and sign not in '"\\' else "_" for sign in name)
    beyond = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{shown}; filename="{plain}"{beyond}'


def safe_name(attachment: Attachment, number: int) -> str:
    """A name that is a name on every system: no path, no signs that are not seen, not endless, not empty."""
    name = attachment.filename.replace("\\", "/").rpartition("/")[2]
    seen = (sign for sign in unicodedata.normalize("NFC", name) if _is_seen(sign))
    name = " ".join("".join(seen).split()).strip(". ")
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    name = f"{stem[: LONGEST_NAME - len(dot + suffix)].rstrip()}.{suffix}" if suffix else stem[:LONGEST_NAME]
    if not name:
        return f"attachment-{number}{mimetypes.guess_extension(attachment.content_type.lower()) or ''}"
    return f"_{name}" if name.partition(".")[0].lower() in _DEVICES else name


def _is_seen(sign: str) -> bool:
    """Not so controls, and the signs that turn the direction of a name, so that its suffix looks another."""
    return sign not in _FORBIDDEN and unicodedata.category(sign)[0] != "C"


async def cut_out(
    blobs: Blobs, raw: str, attachment: Attachment, place: Place
) -> AsyncGenerator[bytes, None]:
    """The bytes of a file that lies in the raw mail.

    Raises `NotFound`, `Unavailable`, and `Unreadable` at its end when they are not those that were listed.
    """
    undoing, hashed = decoder(place.encoding), hashlib.sha256()
    async with aclosing(_stretch(blobs, raw, place)) as stretch:
        async for piece in stretch:
            data = undoing.feed(piece)
            hashed.update(data)
            yield data
    data = undoing.finish()
    hashed.update(data)
    if hashed.hexdigest() != attachment.sha256:
        raise Unreadable(f"a file in blob {raw} is not the one that was listed: the blob is damaged")
    yield data


async def embedded(blobs: Blobs, message: Message, most: int) -> Mapping[str, str]:
    """The mail's own pictures as `data:` addresses by Content-ID, as many as have `most` bytes together.

    One that is missing or damaged is left out. Raises `Unavailable`.
    """
    found: dict[str, str] = {}
    for content_id, _, one in pictures_of(message):
        if one.place is None or one.size > most:
            continue
        try:
            data = b"".join([piece async for piece in cut_out(blobs, message.raw, one, one.place)])
        except (NotFound, Unreadable):
            continue
        most -= one.size
        found[content_id] = f"data:{raster_type(one)};base64,{base64.b64encode(data).decode()}"
    return found


async def _stretch(blobs: Blobs, raw: str, place: Place) -> AsyncGenerator[bytes, None]:
    left = place.end - place.begin
    pieces = blobs.stream(raw, place.begin)
    try:
        while left > 0 and (piece := await anext(pieces, b"")):
            yield piece[:left]
            left -= len(piece)
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
