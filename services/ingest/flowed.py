"""Text that was broken into lines for the way, put together again (RFC 3676: `format=flowed`). Pure.

Never raises; time is linear. A line that ends in a space goes on in the next one, if both are quoted equally
deep. The space that protects a line's beginning is taken off; quotes are written `> > text`, so that they are
read like any other.
"""

import re

SIGNATURE = "-- "
_QUOTED = re.compile(r">+")


def unflowed(text: str, joins_words: bool = False) -> str:
    """The text in the lines that its writer saw. `text` has `\\n` at line ends; `joins_words`: the space that
    ends a line is no part of it (`DelSp=yes`)."""
    done: list[str] = []
    pending: list[str] = []
    depth = 0
    for line in text.split("\n"):
        quoted = _QUOTED.match(line)
        level = quoted.end() if quoted else 0
        rest = line[level:].removeprefix(" ")
        if pending and (level != depth or rest == SIGNATURE):
            done.append(_line(pending, depth))
            pending = []
        depth = level
        goes_on = rest.endswith(" ") and rest != SIGNATURE
        pending.append(rest[:-1] if goes_on and joins_words else rest)
        if not goes_on:
            done.append(_line(pending, depth))
            pending = []
    if pending:
        done.append(_line(pending, depth))
    return "\n".join(done)


def _line(pending: list[str], depth: int) -> str:
    text = "".join(pending)
    return "> " * depth + (text if text == SIGNATURE else text.rstrip(" "))
