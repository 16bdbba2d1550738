"""The marker of a letter's body, put where it survives being quoted. Pure.

It is put in after the template was filled, so that no operator's template can leave it out. In text it is a
line before the signature, for mail programs leave the signature out of what they quote (RFC 3676 §4.3); in
HTML it is hidden, and what quotes the HTML keeps it.
"""

import re

_SIGNATURE = "\n-- \n"
_BODY_END = re.compile("</body>", re.IGNORECASE)
_HIDDEN = (
    '<div style="display:none;max-height:0;overflow:hidden;font-size:0;mso-hide:all" aria-hidden="true">'
)


def in_text(text: str, marker: str) -> str:
    """The text with the marker on a line of its own."""
    before, signature, after = text.rpartition(_SIGNATURE)
    if not signature:
        return f"{text.rstrip()}\n\n{marker}"
    return f"{before.rstrip()}\n\n{marker}\n{signature}{after}"


def in_html(html: str, marker: str) -> str:
    """The HTML with the marker at the end of its body; `marker` needs no escaping."""
    ends = [found.start() for found in _BODY_END.finditer(html)]
    at = ends[-1] if ends else len(html)
    return f"{html[:at]}{_HIDDEN}{marker}</div>\n{html[at:]}"
