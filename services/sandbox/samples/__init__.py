"""Mails to try Ombud with, of people who do not exist: a question, an outage, an invoice, a machine …

Each is a raw mail with CRLF line ends, ready for SMTP, IMAP APPEND or a Maildir. A
thread comes in its order: a reply after the mail that it answers.
"""

import re
from datetime import datetime
from email.utils import format_datetime
from importlib.resources import files

ORDER = ("login", "outage", "invoice", "html-only", "login-reply", "thanks", "out-of-office")

_IDS = re.compile(rb"^(Message-ID|In-Reply-To|References): <([^@>]+)@", re.MULTILINE)
_DATE = re.compile(rb"^Date: [^\n]*$", re.MULTILINE)


def samples(*, run: str = "", sent: datetime | None = None) -> list[tuple[str, bytes]]:
    """The sample mails as (name, raw mail).

    Args:
        run: put into every message id, so that sending them once more opens new tickets; letters and digits.
        sent: the moment to date them with (with a time zone); None leaves the dates of the files.
    """
    return [(name, _made(files(__name__).joinpath(f"{name}.eml").read_bytes(), run, sent)) for name in ORDER]


def _made(raw: bytes, run: str, sent: datetime | None) -> bytes:
    header, blank, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    if run:
        header = _IDS.sub(rb"\1: <\2." + run.encode("ascii") + rb"@", header)
    if sent is not None:
        header = _DATE.sub(b"Date: " + format_datetime(sent).encode("ascii"), header)
    return (header + blank + body).replace(b"\n", b"\r\n")
