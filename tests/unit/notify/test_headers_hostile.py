"""A letter whose every word a stranger wrote: its header block is ours all the same, or there is no letter.

Read by the bytes, by the standard library, and written anew by CPython's own generator, which lets an encoded
line end begin a header (CVE-2024-6923, mended after 3.11.7): what we write gives it none.
"""

import re
from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from services.notify import mime
from shared.domain.errors import Invalid
from shared.domain.ticket import Contact
from tests.unit.notify.samples import NOW, SECRET, letter
from tests.unit.notify.test_headers import ANY_TEXT, NASTY_TEXT

OURS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Reply-To", "Auto-Submitted",
    "X-Auto-Response-Suppress", "X-Ombud-Loop", "MIME-Version", "Content-Type",
}  # fmt: skip
HOSTILE = st.one_of(ANY_TEXT, NASTY_TEXT)
ID = st.one_of(st.just("a@b.example"), HOSTILE, NASTY_TEXT.map(lambda text: f"<a{text}@b.example>"))
ADDRESS = st.one_of(
    st.just("ada@customer.example"), NASTY_TEXT.map(lambda text: f"ada{text}@customer.example")
)


@given(
    names=st.tuples(HOSTILE, HOSTILE),
    subject=HOSTILE,
    ids=st.tuples(ID, st.lists(ID, max_size=5)),
    addresses=st.tuples(ADDRESS, st.one_of(st.just(""), ADDRESS)),
    automatic=st.booleans(),
)
def test_no_header_but_ours_leaves_whatever_strangers_wrote(
    names: tuple[str, str],
    subject: str,
    ids: tuple[str, list[str]],
    addresses: tuple[str, str],
    *,
    automatic: bool,
) -> None:
    to, reply_to = addresses
    own = letter(
        at=NOW,
        automatic=automatic,
        to=Contact(address=to, name=names[0]),
        sender=Contact(address="support@example.org", name=names[1]),
        subject=subject,
        in_reply_to=ids[0],
        references=ids[1],
        reply_to=reply_to,
    )
    try:
        mail = mime.built(own, SECRET)
    except Invalid:
        return
    block = mail.content.partition(b"\r\n\r\n")[0]
    lines = re.sub(rb"\r\n[ \t]", b" ", block).split(b"\r\n")
    found = [line.partition(b":")[0].decode("ascii") for line in lines]

    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", block)
    assert len(found) == len(set(found))
    assert set(found) <= OURS
    assert (mail.sender, mail.recipient) == ("support@example.org", to)
    read = message_from_bytes(mail.content, policy=policy.default)
    assert not any("\r" in str(value) or "\n" in str(value) for value in read.values())
    written = message_from_bytes(read.as_bytes(), policy=policy.default)
    assert written.keys() == found
