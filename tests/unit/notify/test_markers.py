"""What is signed into a letter, and where."""

from email import policy
from email.parser import BytesParser

import pytest

from services.notify import markers, mime
from services.notify.composer import Composer, Occasion, Thread
from services.notify.rules import acknowledgement
from shared.domain.letters import Letter
from shared.domain.signed import Signer
from shared.runtime.settings import MailboxSettings
from tests.unit.notify.desk import TEMPLATES
from tests.unit.notify.samples import NOW, SECRET, SUPPORT, opened

SIGNER = Signer(SECRET)
MARK = "[ref:t.1.x]"
TICKET = "tkt_0000000001"
ADA = "ada@customer.example"


def acknowledged(**mailbox: object) -> Letter:
    """The acknowledgement that a mailbox with these settings writes."""
    box = MailboxSettings.model_validate({"address": SUPPORT, **mailbox})
    wanted = acknowledgement(opened(), [])
    assert wanted is not None
    about = Occasion(opened(), "", "main", Thread(), {"number": 10_042})
    return Composer(TEMPLATES, {"main": box}, SECRET).compose(wanted, about, NOW)


def test_a_letter_names_its_ticket_and_addressee_in_id_reply_address_text_and_html() -> None:
    letter = acknowledged()
    by_id = SIGNER.in_message_id(letter.message_id)
    found = [
        by_id,
        *SIGNER.in_addresses([letter.reply_to], 5),
        *SIGNER.in_body(letter.text, 5),
        *SIGNER.in_body(letter.html, 5),
    ]

    assert [one.ticket_id for one in found if one is not None] == [TICKET] * 4
    assert all(one is not None and SIGNER.made_for(one, ADA) for one in found)


def test_what_is_signed_stands_in_the_mail_as_it_leaves() -> None:
    letter = acknowledged()
    message = BytesParser(policy=policy.default).parsebytes(mime.built(letter, SECRET).content)

    assert message["Message-ID"] == f"<{letter.message_id}>"
    assert message["Reply-To"].addresses[0].addr_spec == letter.reply_to
    for part in message.iter_parts():
        (found,) = SIGNER.in_body(part.get_content(), 5)
        assert found.ticket_id == TICKET


def test_a_mailbox_whose_server_takes_no_tags_gets_its_answers_untagged() -> None:
    assert acknowledged(plus_address=False).reply_to == ""


def test_an_address_too_long_for_a_tag_gets_none_and_the_letter_is_still_written() -> None:
    letter = acknowledged(address=f"{'department' * 4}@example.org")

    assert letter.reply_to == ""
    assert mime.built(letter, SECRET).recipient == ADA


def test_the_marker_stands_before_the_signature_that_is_not_quoted() -> None:
    assert markers.in_text("Hello\n\n-- \nAda", MARK) == f"Hello\n\n{MARK}\n\n-- \nAda"
    assert (
        markers.in_text("Hello\n-- \nnot yet\n-- \nAda", MARK) == f"Hello\n-- \nnot yet\n\n{MARK}\n\n-- \nAda"
    )


def test_a_text_without_a_signature_ends_with_the_marker() -> None:
    assert markers.in_text("Hello\n", MARK) == f"Hello\n\n{MARK}"


@pytest.mark.parametrize("end", ["</body></html>", "</BODY>", ""])
def test_the_marker_is_hidden_inside_the_body_of_the_html(end: str) -> None:
    html = markers.in_html(f"<p>İ</p>{end}", MARK)

    assert html.endswith(f"{MARK}</div>\n{end}")
    assert html.startswith('<p>İ</p><div style="display:none;')
