"""What stands in a mail's headers: decoded words, addresses, ids.

Every function takes the raw field body as the parser gives it (folded, 8-bit bytes as surrogates) and never
raises: what cannot be read is left out or kept as it stands. All take time linear in their input; the
standard library's parser of addresses does not (cpython#136063).
"""

import re
from collections.abc import Sequence
from email.quoprimime import header_decode
from typing import NamedTuple

from services.ingest.text import decode, one_line
from shared.domain.transfer import decoded

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_BREAK = re.compile(r"[\r\n]+")
_WORD = re.compile(
    r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,30})?\?([bBqQ])\?((?:[^?]|(?<!=)\?(?!=)){0,20000})\?="
)  # a question mark within the text is forbidden and common
_ID = re.compile(r"<([^<>]{1,998})>")
_MOST_GAPS = 3
_ESCAPED_ANGLES = {"&lt;": "<", "&gt;": ">"}
_BARE_ID = re.compile(r"(?<![^<>\s,;\"()@])[^<>\s,;\"()@]{1,500}@[^<>\s,;\"()@]{1,497}")
_LONE_WORD = re.compile(r"^\s*(?=[^\s\d]{0,200}\d)([^\s<>,;]{4,500})\s*$")
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*")|<(?P<angle>[^<>]*)>|(?P<comment>\0)|(?P<end>[,;])
    |(?P<word>=\?[^?\s]{1,90}\?[bBqQ]\?[^?]{0,2000}\?=)|(?P<text>(?:(?!=\?)[^"<>,;\\\0]|\\.)+)|.""",
    re.VERBOSE | re.DOTALL,
)
_GROUP = re.compile(r"^[^@:\[]*:")
_COMMENT_MARK = re.compile(r"\\.|[()\"]", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_QUOTED = r'"(?:[^"\\]|\\.){0,64}"'
_ADDRESS = re.compile(rf"(?:(?<![^\s@<>,;\"])[^\s@<>,;\"]+|{_QUOTED})@[^\s@<>,;\"]+", re.DOTALL)
_ROUTE = re.compile(r"@[^@:\[]*(?:\[[^\]]*\])?\s*(?:,[\s,]*@[^@:\[]*(?:\[[^\]]*\])?\s*)*:")
_SPACES_OUTSIDE = re.compile(rf"({_QUOTED})|\s+", re.DOTALL)
_ESCAPED_MARK = re.compile(r"\\([^\w\s])")
# Each pattern above begins where its run begins (the look-behinds) or is bounded: else it were quadratic.
_SPACE = re.compile(r"\s+")


class Address(NamedTuple):
    """An address in lower case, and the name that was written with it."""

    address: str
    name: str = ""


def unfolded(raw: str) -> str:
    """One line of it, white space as it was (RFC 5322 §2.2.3)."""
    return _BREAK.sub(" ", _FOLD.sub("", raw)) if "\n" in raw or "\r" in raw else raw


def text_of(raw: str) -> str:
    """An unstructured field as a person reads it: one clean line, encoded words decoded (RFC 2047)."""
    return one_line(_words(_eight_bit(unfolded(raw))))


def _eight_bit(raw: str) -> str:
    """Bytes that no charset was declared for, which the parser keeps as surrogates."""
    if raw.isascii():
        return raw
    return decode(raw.encode("utf-8", "surrogateescape"))


def _words(value: str) -> str:
    """Decode the encoded words. Those that follow one another are joined before decoding when they have one
    charset, for many senders split a character between two of them."""
    if "=?" not in value:
        return value
    done: list[str] = []
    charset, pending, end = "", b"", 0
    for found in _WORD.finditer(value):
        gap = value[end : found.start()]
        follows = end > 0 and not gap.strip()
        if not follows or found[1].lower() != charset:
            done.append(decode(pending, charset) if pending else "")
            pending = b""
        if not follows:
            done.append(gap)
        charset = found[1].lower()
        pending += _payload(found[2], found[3])
        end = found.end()
    done.append(decode(pending, charset) if pending else "")
    done.append(value[end:])
    return "".join(done)


def _payload(encoding: str, text: str) -> bytes:
    if encoding in "qQ":
        return header_decode(text).encode("latin-1", "replace")
    return decoded(text.encode("ascii", "ignore"), "base64")


def without_comments(value: str) -> tuple[str, list[str]]:
    """The value with one NUL for each comment, and the comments' texts in order (RFC 5322 §3.2.2).

    Comments may hold comments. One that is never closed is none.
    """
    value = value.replace("\0", "")
    if "(" not in value:
        return value, []
    kept: list[str] = []
    comments: list[str] = []
    depth, begin, copied, quoted = 0, 0, 0, False
    for mark in _COMMENT_MARK.finditer(value):
        if mark[0] == '"' and depth == 0:
            quoted = not quoted
        elif mark[0] == "(" and not quoted:
            begin = begin if depth else mark.start()
            depth += 1
        elif mark[0] == ")" and depth:
            depth -= 1
            if depth == 0:
                kept += [value[copied:begin], "\0"]
                comments.append(value[begin + 1 : mark.start()])
                copied = mark.end()
    return "".join([*kept, value[copied:]]), comments


def addresses(raw: str, most: int = 500) -> tuple[Address, ...]:
    """The mailboxes of an address field (RFC 5322 §3.4), groups opened up, at most `most` of them.

    What is quoted is a name, whatever stands in it, unless it is the local part of an address, or the one
    address that there is. A route before an address is left out, as RFC 5322 §4.4 has it.
    """
    found: list[Address] = []
    value, comments = without_comments(_eight_bit(unfolded(raw)))
    passed = 0
    one = _Mailbox()
    for token in _TOKEN.finditer(value + ","):
        kind = token.lastgroup
        if kind == "end":
            address = one.address()
            if address is not None:
                found.append(address)
                if len(found) >= most:
                    break
            one = _Mailbox()
        elif kind == "angle":
            one.angle = token["angle"] if one.angle is None else one.angle
        elif kind == "word" and (one.angle is None or not one.words):
            one.add_encoded(token[0])
        elif kind == "quoted":
            one.add_quoted(token[0], before_at=value.startswith("@", token.end()))
        elif kind != "comment" and (one.angle is None or not one.words):
            one.add(token[0])
        if comments:
            within = token[0].count("\0")
            one.said += (_ESCAPED.sub(r"\1", said) for said in comments[passed : passed + within])
            passed += within
    return tuple(found)


class _Mailbox:
    """What stands between two commas: `words`, of which `bare` are those that are not quoted; what stands in
    the first angle brackets; and the comments, which are shown behind the name, for people tell by them who
    writes: "(Sales)"."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.bare: list[str] = []
        self.angle: str | None = None
        self.said: list[str] = []

    def add(self, more: str) -> None:
        """Words; what names a group, or is said of it, is none of them."""
        begun = _GROUP.match(more)
        if begun:
            self.words.clear()
            self.bare.clear()
            self.said.clear()
            more = more[begun.end() :]
        more = _ESCAPED_MARK.sub(r"\1", more)
        self.words.append(more)
        self.bare.append(more)

    def add_encoded(self, word: str) -> None:
        """An encoded word, in which commas and colons part nothing (RFC 2047 §6.2)."""
        self.words.append(word)
        self.bare.append(word)

    def add_quoted(self, written: str, before_at: bool) -> None:
        """A quoted word; `before_at`: it is the local part of an address."""
        self.words.append(written if before_at else _ESCAPED.sub(r"\1", written[1:-1]))
        self.bare.append(written if before_at else " ")

    def address(self) -> Address | None:
        """The mailbox; None when there is no address in it."""
        written = "".join(self.words)
        if self.angle is not None and "@" in self.angle:
            return Address(_bare(self.angle), _name(written, self.said))
        shown = one_line(_words(written))
        found = _ADDRESS.search(one_line(_words("".join(self.bare)))) or _ADDRESS.search(shown)
        if found is None:  # some senders encode "Name <address>" as a whole
            return None
        return Address(_bare(found[0]), _name(shown[: shown.rfind(found[0])].strip(' <"'), self.said))


def _bare(address: str) -> str:
    """Without white space that is not quoted, the route before it, and the root's dot behind it."""
    spaceless = _SPACES_OUTSIDE.sub(lambda gap: gap[1] or "", one_line(_words(address)).replace("\0", ""))
    routed = _ROUTE.match(spaceless) if spaceless.startswith("@") else None
    return spaceless[routed.end() if routed else 0 :].lower().rstrip(".")


def _name(written: str, said: Sequence[str] = ()) -> str:
    name = one_line(_SPACE.sub(" ", _words(written))).strip("\"' ").removesuffix("<").rstrip()
    comment = one_line(_SPACE.sub(" ", " ".join(map(_words, said)))).strip()
    return f"{name} ({comment})" if name and comment else name or comment.strip("\"' ")


def ids(raw: str) -> list[str]:
    """The message ids of a field, without `<>`, in the order written, each once (RFC 5322 §3.6.4).

    Some programs write neither `<>` nor `@`: a lone word is an id if a digit is in it, so that `none` is not.
    Others encode the field (a long id of Exchange's comes so), fold within an id, or write `&lt;`. Of a
    sentence ("ada@example.org's message of Monday") an address is no id.
    """
    value = one_line(_words(_eight_bit(unfolded(raw))))
    for written, meant in _ESCAPED_ANGLES.items():
        value = value.replace(written, meant)
    found = [one for inner in _ID.findall(value) if (one := _id_within(inner))]
    found = found or _bare_ids(value) or _LONE_WORD.findall(value)
    return list(dict.fromkeys(found))


def _id_within(inner: str) -> str:
    """What stands between angle brackets, if it is an id."""
    if not _SPACE.search(inner):
        return inner
    one = _SPACES_OUTSIDE.sub(lambda gap: gap[1] or "", inner)
    return one if "@" in one and len(_SPACE.findall(inner.strip())) <= _MOST_GAPS else ""


def _bare_ids(value: str) -> list[str]:
    found: list[str] = _BARE_ID.findall(value)
    if not found or all("@" in word or word == "," for word in value.split()):
        return found
    return [one for one in found if any(map(str.isdigit, one)) and not one.endswith("'s")]


def own_id(raw: str) -> str:
    """The mail's Message-ID without `<>`; whatever one word stands there, if it is not well formed."""
    found = ids(raw)
    if found:
        return found[0]
    written = one_line(_eight_bit(unfolded(raw))).strip("<> ")
    return written if written and not _SPACE.search(written) and len(written) <= 998 else ""
