"""What the person wrote now: a mail's text without quotes and signature; and what was forwarded. Pure.

Every line of the text gets one role. Quotes are told by the structure of the HTML, by `>`, and by what opens
them (services/ingest/quotes.py); they are cut from the end upwards, and so are signatures. A quote that has
something of its own below it stays, because it is what the answer answers; but one attributed quote above
all of the answer goes, and so does a gateway's warning above the text. When in doubt nothing is cut: the
worst that may happen is a line too much.

Nothing is invented: reply, quoted text and signature are lines of the text, each line in one of them (white
space at their ends aside). Never raises, and takes time linear in text and markup.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.ingest.banners import banner_end
from services.ingest.forwards import Forwarded, inner_mail, is_forward, opening_within
from services.ingest.quote_attributions import has_date_and_time
from services.ingest.quote_openers import ENDS, WRAPPED_AT, Opener, Opening
from services.ingest.quote_words import WROTE, folded
from services.ingest.quotes import is_marked, openings, rule_above, unmarked
from services.ingest.quotes_html import Role, roles
from services.ingest.signatures import letter_after_device, signature_start

MOST_ROUNDS = 10
"""Signatures and quotes at the end that are cut one after the other; text that has more is not a mail's."""

_LINK_AND_MARK = re.compile(r"\s{0,8}\(https?://[^()\s]{1,500}\) >\s{0,8}")
"""A link that one program moves before the mark of its line."""


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a text. `reply_text` is all of it when nothing was cut, and empty if all of it is quoted.

    `quotes_removed_text`: the reply with its signature. `forwarded`: the inner mail, when `is_forward`.
    `decisions` say what was cut and why.
    """

    reply_text: str
    quoted_text: str = ""
    signature: str = ""
    quotes_removed_text: str = ""
    is_forward: bool = False
    forwarded: Forwarded | None = None
    decisions: list[str] = field(default_factory=list)


def split(text: str, html: str = "", subject: str = "") -> Split:
    """Tell the parts of a mail's clean text apart. `html` is the mail's own, where it has any.

    `subject` helps to tell a forward from a reply (see services/ingest/forwards.py).
    """
    return _Splitter(text, html, subject).result()


class _Splitter:
    def __init__(self, text: str, html: str, subject: str) -> None:
        self._lines = text.split("\n")
        self._subject = subject
        self._roles = [Role.OWN] * len(self._lines)
        self._decisions: list[str] = []
        marked = _marked(self._lines)
        # A text with marked quotes is the plain text that a client made: it tells more than the HTML does.
        by_html = None if any(marked) else roles(self._lines, html)
        self._by_html = by_html is not None
        self._signed = [role is Role.SIGNATURE for role in by_html] if by_html else [False] * len(marked)
        self._quoted = (
            [role is Role.QUOTE for role in by_html] if by_html else _with_wrapped(self._lines, marked)
        )
        self._openings = openings(self._lines, self._quoted)
        self._above = {self._first_after(one.end): one for one in self._openings}

    def result(self) -> Split:
        tail = self._tail()
        end = len(self._lines)
        if tail is not None:
            end = rule_above(self._lines, tail.start)
            self._cut(end, len(self._lines), Role.QUOTE, tail.kind.value)
        end = self._cut_second_letter(end)
        self._cut_from_end(end)
        self._cut_leading_quote()
        self._cut_banner()
        forwarded = self._forwarded(tail)
        return Split(
            reply_text=self._text(Role.OWN),
            quoted_text=self._text(Role.QUOTE),
            signature=self._text(Role.SIGNATURE),
            quotes_removed_text=self._text(Role.OWN, Role.SIGNATURE),
            is_forward=forwarded is not None,
            forwarded=forwarded,
            decisions=self._decisions,
        )

    def _tail(self) -> Opening | None:
        """The first opening below which all is quoted: nothing there is marked, or it is our own marker."""
        starts = {one.start for one in self._openings if one.kind is not Opener.INTRODUCTION}
        for one in self._openings:
            below = self._first_after(one.end)
            if one.kind is Opener.MARKER:
                return one
            if below < len(self._lines) and self._quoted[below]:
                continue
            if one.kind is Opener.INTRODUCTION and below not in starts:
                continue
            return None if self._is_read_whole(one) else one
        return None

    def _cut_second_letter(self, end: int) -> int:
        """Cut what begins with a greeting below the line of a device: some programs quote without a sign.

        Nobody greets again below the line that ends a letter. Returns where the text ends now.
        """
        at = letter_after_device(self._lines[:end])
        if at is None or any(self._quoted[at:end]):
            return end
        self._cut(at, end, Role.QUOTE, "another letter")
        return at

    def _cut_from_end(self, end: int) -> None:
        """Cut quotes and signatures, one after the other, from the end upwards."""
        for _ in range(MOST_ROUNDS):
            while end > 0 and not self._lines[end - 1].strip():
                end -= 1
            if end == 0:
                break
            if self._quoted[end - 1]:
                first = self._run_start(end)
                start = self._with_opening(first)
                if start == first and (self._is_doubtful(first, end) or self._is_led_up_to(first)):
                    break
                self._cut(start, end, Role.QUOTE, "quote")
            else:
                found = self._signature_start(end)
                if found is None:
                    break
                start = found
                self._cut(start, end, Role.SIGNATURE, "signature")
            end = start

    def _signature_start(self, end: int) -> int | None:
        start = end
        while start > 0 and (self._signed[start - 1] or (start < end and not self._lines[start - 1].strip())):
            start -= 1
        return start if start < end else signature_start(self._lines, end)

    def _run_start(self, end: int) -> int:
        """The first line of the marked quote that ends before `end`; empty lines are no gap in it."""
        first = at = end - 1
        while at >= 0 and (self._quoted[at] or not self._lines[at].strip()):
            if self._quoted[at]:
                first = at
            at -= 1
        return first

    def _with_opening(self, first: int) -> int:
        above = self._above.get(first)
        return first if above is None else rule_above(self._lines, above.start)

    def _is_doubtful(self, first: int, end: int) -> bool:
        """One line that begins with `>` and no words may mean "greater than"."""
        written = [line for line in self._lines[first:end] if line.strip()]
        return len(written) == 1 and not unmarked(written[0]).strip()[:1].isalpha()

    def _is_led_up_to(self, first: int) -> bool:
        """The writer shows something ("The log says:"), and nothing names who wrote it, or when."""
        above = next((line.strip() for line in reversed(self._lines[:first]) if line.strip()), "")
        named = "@" in above or has_date_and_time(above) or WROTE.search(folded(above)) is not None
        return not self._by_html and above.endswith(ENDS) and not named

    def _cut_leading_quote(self) -> None:
        """Cut an attributed quote above all of the answer: the only one that is left, and whole."""
        start = self._first_after(0)
        opening = next((one for one in self._openings if one.start == start), None)
        first = at = start if opening is None else self._first_after(opening.end)
        while at < len(self._lines) and (self._quoted[at] or not self._lines[at].strip()):
            at += 1
        if opening is None and self._by_html:  # clients put the attribution into the element of the quote
            opening = opening_within(self._lines[start:at])[1]
        if opening is None or opening.kind not in (Opener.ATTRIBUTION, Opener.INTRODUCTION):
            return
        rest = range(at, len(self._lines))
        is_quote = first < len(self._lines) and self._quoted[first]
        quotes_again = any(self._quoted[at] and self._roles[at] is Role.OWN for at in rest)
        if is_quote and self._own(at, len(self._lines)) and not quotes_again:
            self._cut(start, at, Role.QUOTE, "quote above the answer")

    def _cut_banner(self) -> None:
        """Cut the warning of a gateway above the text, if there is a text."""
        end = banner_end(self._lines)
        if end and self._own(0, end) and self._own(end, len(self._lines)):
            self._cut(0, end, Role.QUOTE, "warning of a gateway")

    def _forwarded(self, tail: Opening | None) -> Forwarded | None:
        """The inner mail, if the uppermost quote is a forward; a marked one is cut wherever it stands."""
        first = next((at for at, quoted in enumerate(self._quoted) if quoted), len(self._lines))
        top = tail or next((one for one in self._openings if self._is_read_whole(one)), None)
        if top is not None and top.start < first:
            inner = inner_mail(self._lines[_content(top) :])
            alone = not self._own(0, top.start)
            return inner if is_forward(top, alone, self._subject, inner.subject) else None
        end = first
        while end < len(self._lines) and (self._quoted[end] or not self._lines[end].strip()):
            end += 1
        opening = self._above.get(first)
        if opening is not None:
            start = rule_above(self._lines, opening.start)
            told = self._lines[first if opening.fields is None else opening.fields : end]
        else:
            start = first
            told, opening = opening_within(self._lines[first:end])
            told = told[_content(opening) :] if opening is not None else told
        alone = not self._own(0, start) and not self._own(end, len(self._lines))
        inner = inner_mail(told)
        if opening is None or not is_forward(opening, alone, self._subject, inner.subject):
            return None
        if self._own(start, end):
            self._cut(start, end, Role.QUOTE, "forward")
        return inner

    def _own(self, start: int, end: int) -> bool:
        """Whether anything of these lines is left in the reply."""
        return any(self._roles[at] is Role.OWN and self._lines[at].strip() for at in range(start, end))

    def _is_read_whole(self, opening: Opening) -> bool:
        """Above all else: a forward, a form, or an answer below what it answers. Nothing would be left."""
        unmarked_quote = opening.kind in (Opener.FIELDS, Opener.ATTRIBUTION)
        return unmarked_quote and opening.start == self._first_after(0)

    def _first_after(self, start: int) -> int:
        """The first line from `start` on that is not empty."""
        while start < len(self._lines) and not self._lines[start].strip():
            start += 1
        return start

    def _cut(self, start: int, end: int, role: Role, why: str) -> None:
        self._roles[start:end] = [role] * (end - start)
        self._decisions.append(f"lines {start + 1} to {end} are cut: {why}")

    def _text(self, *wanted: Role) -> str:
        return "\n".join(
            line if role is Role.SIGNATURE else line.rstrip()
            for line, role in zip(self._lines, self._roles, strict=True)
            if role in wanted
        ).strip("\n")


def _content(opening: Opening) -> int:
    return opening.end if opening.fields is None else opening.fields


def _marked(lines: Sequence[str]) -> list[bool]:
    """Which lines are marked by `>`; one that closes an address wrapped in an attribution is not."""
    found = [is_marked(line) for line in lines]
    for at in range(1, len(lines)):
        if found[at] and not found[at - 1] and lines[at].rstrip().endswith(":"):
            above = lines[at - 1]
            found[at] = not above.rfind("<") > above.rfind(">")
    return found


def _with_wrapped(lines: Sequence[str], marked: Sequence[bool]) -> list[bool]:
    """`marked`, and the rests of marked lines that were wrapped after the marks had been put there: of long
    ones, and of those that end within a link."""
    found = list(marked)
    for at in range(1, len(lines) - 1):
        if marked[at] or not marked[at - 1] or not marked[at + 1]:
            continue
        above = lines[at - 1].rstrip()
        if len(above) >= WRAPPED_AT:
            found[at] = lines[at][:1].islower() and not above.endswith("?")
        within = above.rfind("(http") > above.rfind(")") and lines[at].rstrip().endswith(")")
        found[at] = found[at] or within or _LINK_AND_MARK.fullmatch(lines[at]) is not None
    return found
