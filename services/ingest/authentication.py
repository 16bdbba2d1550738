"""Whether a mail comes from where its From says, as far as the server says that took it in. Pure.

Only what our own server wrote is believed: the topmost `Authentication-Results` that bears the configured
authserv-id (RFC 8601 §5 and §7.1). All others are a stranger's text; without a configured name all of them
are, and nothing is known of any mail. Exchange Online writes no name: with `UNNAMED` the mail's topmost field
is believed if it bears none, for a server puts its own above all that came.

DMARC decides where it was asked; else a signature (DKIM) or a path (SPF) of the very domain in From, or of
one above it. Reading never raises, and takes time linear in the header.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from services.ingest.headers import addresses
from services.ingest.parsing import ParsedMail
from shared.domain.errors import Refused
from shared.runtime.settings import MailboxSettings

LONGEST_FIELD = 16 * 1024
"""Characters; a longer field is none that a server writes."""

UNNAMED = "unnamed"
"""In place of an authserv-id: our own server writes none."""

_HEADER = "authentication-results"
_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*"|[(;]|[^"(;]+|"', re.DOTALL)
_INSIDE = re.compile(r"\\.|[()]|[^()\\]+|\\", re.DOTALL)
_NAME = re.compile(r"(?:\s|\([^()]*\))*\"?([^\s;\"()]+)")
_SPACE = re.compile(r"\s")
_METHOD = re.compile(r"\s*([a-z0-9-]+)(?:\s*/\s*\d+)?\s*=\s*([a-z0-9-]+)", re.IGNORECASE)
_PROPERTY = re.compile(
    r"(?<!\S)([a-z]{1,20})\s{0,5}\.\s{0,5}([a-z0-9_-]{1,40})\s{0,5}=\s{0,5}(\S+)", re.IGNORECASE
)


class Said(StrEnum):
    """What is known of the address in From."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Authentication:
    """See the module. `reason` is a sentence for people; `methods` is each method's result as written."""

    said: Said
    reason: str
    methods: dict[str, str]


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom a mailbox believes. `required`: of whom nothing is known is not believed."""

    authserv_id: str = ""
    required: bool = False

    def believes(self, found: Authentication) -> bool:
        """Whether the address in From may stand for the person."""
        return found.said is Said.PASSED or (found.said is Said.UNKNOWN and not self.required)


def policy_of(name: str, mailbox: MailboxSettings) -> Policy:
    """Whom this mailbox believes. Raises `Refused` when it requires what nobody is named to say."""
    if mailbox.require_authentication and not mailbox.authserv_id.strip():
        variable = f"OMBUD_MAILBOXES__{name.upper()}"
        raise Refused(
            f"mailbox {name} requires authentication, and nobody is believed about it: set "
            f"{variable}__AUTHSERV_ID to the name your mail server writes into Authentication-Results"
        )
    return Policy(mailbox.authserv_id, mailbox.require_authentication)


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    result: str
    properties: dict[str, str]


def authenticate(mail: ParsedMail, authserv_id: str) -> Authentication:
    """What the server of this name found out about the mail."""
    field = _believed(mail, authserv_id)
    if field is None:
        return Authentication(Said.UNKNOWN, "no server of ours says where it comes from", {})
    who = "our server" if _is_unnamed(authserv_id) else authserv_id
    results = _results(field)
    if results is None:
        return Authentication(Said.FAILED, f"what {who} says of it cannot be read", {})
    methods = {one.method: one.result for one in reversed(results)}
    domain = _from_domain(mail)
    if not domain:
        return Authentication(Said.FAILED, "its From does not name one sender", methods)
    said, what = _judged(results, domain)
    return Authentication(said, f"{who} says {what}", methods)


def _judged(results: list[_Result], domain: str) -> tuple[Said, str]:
    for one in results:
        if one.method == "dmarc" and one.result in ("pass", "fail"):
            about = one.properties.get("header.from", domain).lower()
            if one.result == "fail":
                return Said.FAILED, f"that it fails the DMARC policy of {about}"
            if not _covers(about, domain):
                return Said.FAILED, f"that it comes from {about}, which is not its From"
            return Said.PASSED, f"that it passes the DMARC policy of {about}"
    for one in results:
        signed = _domain_of(one)
        if one.result == "pass" and signed and _covers(signed, domain):
            return Said.PASSED, f"{one.method}=pass for {signed}"
    return Said.UNKNOWN, "nothing that confirms its From"


def _domain_of(result: _Result) -> str:
    """The domain that a signature or a path vouches for."""
    names = {"dkim": ("header.d", "header.i"), "spf": ("smtp.mailfrom",)}.get(result.method, ())
    found = next((result.properties[name] for name in names if name in result.properties), "")
    return found.rpartition("@")[2].lower().rstrip(".")


def _covers(above: str, domain: str) -> bool:
    """Whether `above` is the domain or one above it. One above it is aligned as DMARC has it, unless it is a
    public suffix; and those sign nothing."""
    return "." in above and (domain == above or domain.endswith("." + above))


def _from_domain(mail: ParsedMail) -> str:
    """The domain of the one address in the one From; empty when there are more, for who says whose it is?"""
    fields = mail.headers.get("from", [])
    named = addresses(fields[0], 2) if len(fields) == 1 else ()
    return named[0].address.rpartition("@")[2] if len(named) == 1 else ""


def _believed(mail: ParsedMail, authserv_id: str) -> str | None:
    """The topmost field of this server, which opens with its name."""
    wanted, fields = authserv_id.strip().lower(), mail.headers.get(_HEADER, [])
    if _is_unnamed(authserv_id):
        return f"{UNNAMED}; {fields[0]}" if fields and not _name_of(fields[0]) else None
    return next((one for one in fields if wanted and _name_of(one) == wanted), None)


def _is_unnamed(authserv_id: str) -> bool:
    return authserv_id.strip().lower() == UNNAMED


def _name_of(field: str) -> str:
    """The authserv-id; empty where a result stands in its place."""
    named = _NAME.match(field)
    return "" if named is None or "=" in named[1] else named[1].lower()


def _results(field: str) -> list[_Result] | None:
    """What each method found; None when the field is broken, so that nobody hides a part of it."""
    if len(field) > LONGEST_FIELD:
        return None
    sections: list[list[str]] = [[]]
    position, depth = 0, 0
    while found := (_INSIDE if depth else _OUTSIDE).match(field, position):
        piece, position = found[0], found.end()
        if piece == "(":
            sections[-1].append(" ")
            depth += 1
        elif depth:  # comments may be nested, and quotes mean nothing there (RFC 5322 §3.2.2)
            depth -= piece == ")"
        elif piece == ";":
            sections.append([])
        else:
            # What is quoted is one value, whatever looks like another one in it.
            sections[-1].append(_SPACE.sub("_", piece) if piece.startswith('"') else piece)
    if depth:
        return None
    return [one for pieces in sections[1:] if (one := _result("".join(pieces))) is not None]


def _result(section: str) -> _Result | None:
    found = _METHOD.match(section)
    if found is None:
        return None
    properties: dict[str, str] = {}
    for one in _PROPERTY.finditer(section, found.end()):
        properties.setdefault(f"{one[1]}.{one[2]}".lower(), one[3].strip('"'))
    return _Result(found[1].lower(), found[2].lower(), properties)
