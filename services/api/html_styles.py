"""Inline styles of strangers' HTML, declaration by declaration, by what is known to be harmless. Pure; never
raises.

A declaration stays when its property is on the list and its value is made of plain words, numbers, strings
and colours: no escapes, no functions but those of colours, nothing that loads, moves over other things or
runs. Pictures (`url(…)`) are taken out of the value, so that a colour beside them stays, and told.
"""

import re
from dataclasses import dataclass, field

LONGEST_STYLE = 4096
"""Characters of a style attribute; a longer one is left out whole."""

PROPERTIES = frozenset(
    """background background-color background-image background-position background-repeat background-size
    border border-bottom border-bottom-color border-bottom-style border-bottom-width border-collapse
    border-color border-left border-left-color border-left-style border-left-width border-radius border-
    right border-right-color border-right-style border-right-width border-spacing border-style border-
    top border-top-color border-top-style border-top-width border-width box-sizing caption-side clear
    color direction display empty-cells float font font-family font-size font-style font-variant font-
    weight height letter-spacing line-height list-style list-style-position list-style-type margin
    margin-bottom margin-left margin-right margin-top max-height max-width min-height min-width opacity
    overflow overflow-wrap padding padding-bottom padding-left padding-right padding-top table-layout
    text-align text-decoration text-indent text-transform vertical-align visibility white-space width
    word-break word-spacing word-wrap""".split()
)

_URL = re.compile(r"""url\(\s*+(?:"([^"]*+)"\s*+|'([^']*+)'\s*+|([^"')]*+))\)""", re.IGNORECASE)
_REMOTE = re.compile(r"(?:https?:)?//[^/]", re.IGNORECASE)
# Nothing that ends a string, a declaration or a function, whatever stands around it.
_PLAIN_URL = re.compile(r"https?://[\w\-.~:/?#@!$&*+,=%\[\]]+", re.IGNORECASE | re.ASCII)
_VALUE = re.compile(
    r"""(?:(?:rgb|rgba|hsl|hsla)\([\d\s.,%/+-]*\)
    |url\("https?://[\w\-.~:/?\#@!$&*+,=%\[\]]+"\)
    |[\w\s#%.,!/+-]|"[\w\s.,-]*"|'[\w\s.,-]*')++""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(slots=True)
class Pictures:
    """The remote pictures that were met, each address once; `shown`: whether they may be loaded."""

    shown: bool
    met: set[str] = field(default_factory=set)

    def url(self, written: str) -> str | None:
        """The address to load it from; None when it is not to be shown. It is no remote one: None, too."""
        address = written.strip()
        if not _REMOTE.match(address):
            return None
        if address.startswith("//"):
            address = f"https:{address}"
        self.met.add(address)
        return address if self.shown else None


def harmless(style: str, pictures: Pictures) -> str | None:
    """The style without what is not known to be harmless; None when nothing is left."""
    if len(style) > LONGEST_STYLE:
        return None
    without = _URL.sub(lambda found: _picture(found, pictures), style)
    kept = [one.strip() for one in without.split(";") if _is_harmless(one)]
    return "; ".join(kept) or None


def _picture(found: re.Match[str], pictures: Pictures) -> str:
    address = pictures.url(found[1] or found[2] or found[3] or "")
    if address is None:
        return ""
    address = address.replace(";", "%3B").replace("'", "%27").replace("(", "%28").replace(")", "%29")
    return f'url("{address}")' if _PLAIN_URL.fullmatch(address) else ""


def _is_harmless(declaration: str) -> bool:
    name, colon, value = declaration.partition(":")
    if not colon or name.strip().lower() not in PROPERTIES:
        return False
    return bool(value.strip()) and _VALUE.fullmatch(value) is not None
