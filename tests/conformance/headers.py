"""The cases of `headers/` for which the product has code, each through that code.

Left out are those for which it has none: subjects reduced to their base, priorities of headers, references in
the form of other products.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from services.ingest.dates import date_of
from services.ingest.explain import explain
from services.ingest.headers import addresses, text_of
from services.ingest.parsing import LIMITS, parse
from tests.conformance.cases import read_list
from tests.conformance.groups import Answer

CORPUS = "headers"
LINES = "automatic-mail header lines"
FIELDS = "addresses, dates, ids, content types"

_MAILBOX = re.compile(r"(?!(?:mailto|ftp|https?):).*@")
"""What is an address, and no URL of a List-* header, which that corpus reads with the same function."""

Asked = tuple[str, str, Any, Any]
"""Case, field, expected, got."""


def answers(folder: Path) -> Iterator[Answer]:
    """An answer for each case that asks for something the product does."""
    for case, field, expected, got in _asked(folder):
        yield Answer(
            CORPUS,
            f"{CORPUS}/{case}",
            field,
            "equals",
            expected,
            got,
            expected == got,
            LINES if field in _LINES else FIELDS,
        )


def _asked(folder: Path) -> Iterator[Asked]:
    yield from _cases(folder)
    here = folder / CORPUS
    for number, one in enumerate(read_list(here / "stalwart_address.json")):
        people = _people(one["expected"])
        if all(_MAILBOX.match(address) for _, address in people):
            got = [(found.name, found.address) for found in addresses(one["header"])]
            yield f"address-{number}", "address", people, got
    for number, one in enumerate(read_list(here / "stalwart_date.json")):
        yield f"date-{number}", "date", _moment(one["expected"]), date_of(one["header"])
    for number, one in enumerate(read_list(here / "stalwart_content_type.json")):
        expected = one["expected"]
        if expected and expected["c_subtype"]:
            raw = _mail(f"Content-Type: {one['header'].strip()}")
            wanted = f"{expected['c_type']}/{expected['c_subtype']}"
            yield f"content-type-{number}", "content_type", wanted, parse(raw).content_type


def _cases(folder: Path) -> Iterator[Asked]:
    for one in read_list(folder / CORPUS / "cases.json"):
        kind, given = one["kind"], one["input"]
        if kind in _LINES:
            yield one["id"], kind, one["expect"], _LINES[kind](explain(_mail(given), one["id"]))
        elif kind == "decode_header":
            yield one["id"], kind, one["expect"], text_of(given)
        elif kind == "parent_message_id":
            raw = _mail(*(f"{name}: {value}" for name, value in given.items()))
            yield one["id"], kind, one["expect"], _parent(raw)
        elif kind == "parent_message_id_of_eml":
            yield one["id"], kind, one["expect"], _parent((folder / "mail" / given).read_bytes())


_LINES: dict[str, Callable[[dict[str, Any]], bool]] = {
    # osTicket calls so whatever a machine has written
    "is_auto_reply_header": lambda told: told["is_auto_generated"],
    "is_bounce_header": lambda told: told["is_bounce"],
}


def _mail(*lines: str) -> bytes:
    """A mail with these header lines, and a sender if they name none."""
    sender = [] if any(line.lower().startswith("from:") for line in lines) else ["From: ada@example.org"]
    return "\r\n".join([*sender, *lines, "", "Hello\r\n"]).encode()


def _parent(raw: bytes) -> str | None:
    """The id of the mail that it answers."""
    return next(iter(parse(raw).referred(LIMITS.references)), None)


def _people(expected: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and address of each, groups opened up; ours are in lower case."""
    groups: Iterable[dict[str, Any]] = expected.get("Group") or [{"addresses": expected["List"]}]
    return [
        (one["name"] or "", one["address"].lower())
        for group in groups
        for one in group["addresses"]
        if one["address"]
    ]


def _moment(expected: dict[str, Any] | None) -> datetime | None:
    if expected is None:
        return None
    offset = timedelta(hours=expected["tz_hour"], minutes=expected["tz_minute"])
    zone = timezone(-offset if expected["tz_before_gmt"] else offset)
    written = (int(expected[name]) for name in ("year", "month", "day", "hour", "minute", "second"))
    year, month, day, hour, minute, second = written
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)
