"""Where a head ends and a body begins, and heads as senders and relays break them. Pure; linear.

A line that is no header field ends the head, for then the empty line is missing. Unless the head plainly goes
on below it: such a line was to be folded into the one before it, or came in on the way. Plainly: what follows
up to the empty line are fields, one of them at least is none that people write in a letter, and none that a
head has once is there again. What a person wrote must never be taken for a head. Nothing is raised.
"""

import re

HEAD_END = re.compile(rb"\r?\n\r?\n")
_MOST_STRAY = 10
"""Lines that are no fields in a head that goes on."""

_SPACED = (
    rb"(?:from|to|cc|subject|date|message-id|reply-to|in-reply-to|references|mime-version"
    rb"|content-[a-z-]{2,20})"
)
_NO_FIELD = re.compile(
    rb"^(?!From |[\x21-\x39\x3b-\x7e]*:|[\t ]|(?i:" + _SPACED + rb")[\t ]{1,9}:)", re.MULTILINE
)
_BEFORE_COLON = re.compile(rb"^(" + _SPACED + rb")[\t ]{1,9}:", re.MULTILINE | re.IGNORECASE)
_LONE_CR = re.compile(rb"\r(?!\n)")
_FIRST_FIELD = (
    rb"(?=(?:from|to|subject|date|message-id|received|return-path|delivered-to|mime-version|content-type"
    rb"|x-[\w-]{1,60}):)"
)
_BEFORE_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*" + _FIRST_FIELD, re.IGNORECASE)
_INDENTED = re.compile(rb"[ \t]+" + _FIRST_FIELD, re.IGNORECASE)
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,80})[ \t]{0,9}:")
_TECHNICAL = re.compile(
    rb"^(?:content-(?:type|transfer-encoding|disposition|id)|mime-version|message-id|received|return-path"
    rb"|references|in-reply-to|dkim-signature|authentication-results|x-mailer|user-agent):"
    rb"|^(?:from|to|cc|reply-to|sender):[^\r\n]{0,200}<[^\s<>@]{1,100}@[^\s<>]{1,100}>[ \t]*\r?$"
    rb"|^date:[ \t]*[a-z]{3},[ \t]+\d{1,2}[ \t]+[a-z]{3}[ \t]+\d{4}[ \t]+\d\d:\d\d:\d\d[ \t]+[+-]\d{4}",
    re.IGNORECASE | re.MULTILINE,
)
_ONCE = frozenset(b"from to cc subject date message-id mime-version content-type reply-to sender".split())


def mended(raw: bytes) -> bytes:
    """The mail from its first header field on, with line ends as they are meant."""
    if b"\r" in raw:
        if b"\n" not in raw:
            raw = raw.replace(b"\r", b"\n")
        elif raw[: raw.index(b"\n")].endswith(b"\r\r"):
            raw = raw.replace(b"\r\r\n", b"\r\n")
    if raw[:1] in b"\r\n\xef":
        before = _BEFORE_HEAD.match(raw)
        raw = raw[before.end() :] if before is not None else raw
    indented = _INDENTED.match(raw)
    return raw[indented.end() :] if indented is not None else raw


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Head and body, the empty line between them left out (RFC 5322 §2.1)."""
    end = HEAD_END.search(raw)
    return (raw, b"") if end is None else (raw[: end.start()], raw[end.end() :])


def head_of(raw: bytes, begin: int, end: int, longest: int) -> tuple[bytes, int]:
    """The head that begins at `begin`, at most `longest` bytes of it, mended; and where its body begins."""
    if raw.startswith((b"\n", b"\r\n"), begin, end):
        return b"", raw.index(b"\n", begin) + 1
    found = HEAD_END.search(raw, begin, end)
    head_end, body = (end, end) if found is None else found.span()
    no_field = _NO_FIELD.search(raw, begin, head_end)
    if no_field is None or no_field.start() >= head_end:
        return _written(raw[begin : min(head_end, begin + longest)]), body
    before, after = raw[begin : no_field.start()], raw[no_field.start() : head_end]
    could = found is not None and head_end - begin <= longest and (before or begin == 0)
    if could and _goes_on(before, after):
        return _written(_put_together(before, after)), body
    return _written(before[:longest]), no_field.start()  # the empty line is missing


def _written(head: bytes) -> bytes:
    """As the library takes it: it ends a line at a lone CR, and a field's name at a space."""
    if b"\r" in head and b"\n" in head:
        head = _LONE_CR.sub(b" ", head)
    return _BEFORE_COLON.sub(rb"\1:", head) if b" :" in head or b"\t:" in head else head


def _goes_on(before: bytes, after: bytes) -> bool:
    """Whether `after`, whose first line is no field, is the rest of the head."""
    lines = after.split(b"\n")
    fields = [line for line in lines if not _NO_FIELD.match(line)]
    stray = len(lines) - len(fields)
    if stray > min(_MOST_STRAY, len(fields)) or _NO_FIELD.match(lines[-1]):
        return False
    known, names = _names(before), _names(b"\n".join(fields))
    if any(name in known or names.count(name) > 1 for name in _ONCE.intersection(names)):
        return False
    return b"from" in names or _TECHNICAL.search(b"\n".join(fields)) is not None


def _names(head: bytes) -> list[bytes]:
    found = (_FIELD.match(line) for line in head.split(b"\n"))
    return [one[1].lower() for one in found if one is not None]


def _put_together(before: bytes, after: bytes) -> bytes:
    """One head; a line that is no field goes on with the one above it, and before the first one is none."""
    kept = [before] if before else []
    for line in after.splitlines(keepends=True):
        if not _NO_FIELD.match(line):
            kept.append(line)
        elif kept:
            kept.append(b" " + line)
    return b"".join(kept)
