"""Parsing: mails of 8 KB read a second on one core, beside the standard library's `compat32` parse alone.

The limit finds the parts and nothing else: it decodes no words, no transfer encoding, no charset, walks no
HTML and makes no digests. Also a mail of nearly the largest size, and what a process apart adds to it.
"""

import random
import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, compat32
from pathlib import Path

from bench.mails import WORDS, mail
from bench.options import Options
from bench.stage import ADDRESS
from bench.table import Row
from services.ingest.parse_workers import ParseWorkers
from services.ingest.parsing import parse
from services.ingest.settings import MIB, Limits

MAILS = 300
RUNS = 5
LARGE = 36 * MIB
"""Bytes of a file; 49 MB as a mail."""

_HTML = "<div><p>{}</p><blockquote>{}</blockquote></div>"


async def measure(folder: Path, options: Options) -> list[Row]:
    """Plain mails, HTML alone, and alternatives with a file, by themselves and as a mix; then a large one."""
    chance = random.Random(8)
    kinds = {
        "plain": [mail(number, ADDRESS) for number in range(MAILS)],
        "HTML alone": [_composed(chance, html=7_000) for _ in range(MAILS)],
        "alternatives and a file": [_composed(chance, 1_500, 2_500, 2_000) for _ in range(MAILS)],
    }
    kinds["mix of these, 8 KB"] = [one for three in zip(*kinds.values(), strict=True) for one in three]
    library = BytesParser(policy=compat32).parsebytes
    rows = []
    for kind, raws in kinds.items():
        goal = ">= 2,000 /s" if kind.startswith("mix") else ""
        rows.append(
            Row(f"parse, {kind}", _rate(parse, raws), "/s", _rate(library, raws), "compat32 alone", goal)
        )
    return rows + await _large(chance)


async def _large(chance: random.Random) -> list[Row]:
    raw = _composed(chance, 1_000, 0, LARGE)
    here = 1 / _rate(parse, [raw])
    workers = ParseWorkers(Limits(), 1)
    try:
        started = time.perf_counter()
        await workers.parse(mail(0, ADDRESS))
        first = time.perf_counter() - started
        started = time.perf_counter()
        await workers.parse(raw)
        apart = time.perf_counter() - started
    finally:
        await workers.close()
    size = f"{len(raw) / MIB:.0f} MB"
    return [
        Row(f"a mail of {size}, in a process apart", apart, "s", here, "in this process", "< 10 s"),
        Row("start of a process apart, to its first answer", first, "s"),
    ]


def _rate(read: Callable[[bytes], object], raws: Sequence[bytes]) -> float:
    """Mails a second of processor time, the best of several runs."""
    best = float("inf")
    for _ in range(RUNS):
        started = time.process_time()
        for raw in raws:
            read(raw)
        best = min(best, time.process_time() - started)
    return len(raws) / best


def _composed(chance: random.Random, plain: int = 0, html: int = 0, file: int = 0) -> bytes:
    """A mail of so many characters and bytes, as a mail client composes it."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = "Zoë Müller <zoe@example.org>", ADDRESS, "Grüße über alles"
    if plain:
        made.set_content(_lines(chance, plain))
    if html:
        half = _lines(chance, html // 2)
        text = _HTML.format(half.replace("\n", "<br>\n"), half)
        made.add_alternative(text, subtype="html") if plain else made.set_content(text, subtype="html")
    if file:
        data = chance.randbytes(file)
        made.add_attachment(data, maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    return made.as_bytes()


def _lines(chance: random.Random, size: int) -> str:
    words = " ".join(chance.choices(WORDS, k=size // 5))
    return "\n".join(words[at : at + 70] for at in range(0, len(words), 70)) + " für später\n"
