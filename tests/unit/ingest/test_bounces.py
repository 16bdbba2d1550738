"""Notices that a mail was not delivered: known as such, and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.bounces import Bounce, Outcome, bounce_of, outcome_of
from services.ingest.bounces_reason import code_of, reason_of, status_of
from services.ingest.bounces_report import recipients_in
from services.ingest.parsing import parse
from shared.domain.errors import Unreadable
from tests.unit.ingest.bounce_mails import notice, report

FAILED = "Final-Recipient: rfc822; ada@example.org\nAction: failed\nStatus: 5.1.1\n"


def test_a_report_says_whom_why_and_which_mail() -> None:
    said = "Diagnostic-Code: smtp; 550 5.1.1 <ada@example.org>... User unknown\n"

    assert bounce_of(parse(report(FAILED + said))) == Bounce(
        hard=True,
        recipients=["ada@example.org"],
        statuses=["5.1.1"],
        reply_codes=["550"],
        reason="userunknown",
        reasons=["userunknown"],
        original_message_id="let_1@example.com",
    )


def test_each_recipient_of_a_report_has_its_own_status_code_and_reason() -> None:
    fields = (
        "Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.2.2\n"
        "Diagnostic-Code: smtp; 552 mailbox full\n\n"
        "Final-Recipient: rfc822; b@example.org\nAction: failed\nStatus: 5.1.2\n"
        "Diagnostic-Code: smtp; 550 Host unknown\n"
    )

    found = bounce_of(parse(report(fields)))

    assert found.recipients == ["a@example.org", "b@example.org"]
    assert found.statuses == ["5.2.2", "5.1.2"]
    assert found.reply_codes == ["552", "550"]
    assert found.reasons == ["mailboxfull", "hostunknown"]
    assert (found.hard, found.reason) == (True, "hostunknown")


@pytest.mark.parametrize(
    "fields",
    [
        "Final-Recipient: rfc822;a@example.org\nAction: failed\nFinal-Recipient: rfc822;b@example.org\n",
        "Action: failed\nFinal-Recipient: a@example.org\n\nAction: failed\nFinal-Recipient: <b@example.org>",
        "final-recipient: RFC822; <a@example.org>\n\naction: failed\n\nFinal-Recipient: b@example.org",
        (
            "> Final-Recipient: rfc822; a@example.org\n> Original-Recipient: rfc822;a@example.org\n"
            "Final-Recipient: rfc822; b@example.org"
        ),
    ],
)
def test_a_malformed_report_names_its_recipients_all_the_same(fields: str) -> None:
    assert [one.recipient for one in recipients_in(fields)] == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("failed", Outcome.FAILED),
        ("delayed", Outcome.DELAYED),
        ("delivered", Outcome.DELIVERED),
        ("relayed", Outcome.DELIVERED),
    ],
)
def test_what_became_of_the_mail_is_what_the_report_says(action: str, outcome: Outcome) -> None:
    assert outcome_of(parse(report(FAILED.replace("failed", action)))) is outcome


@pytest.mark.parametrize(
    ("text", "recipients", "status", "code", "reason"),
    [
        (
            (
                "A message that you sent could not be delivered. The following address(es) failed:\n\n"
                "  ada@example.org\n    SMTP error from remote mail server after RCPT TO:<ada@example.org>:\n"
                "    host mx [192.0.2.1]: 550 5.1.1 <ada@example.org>... User unknown\n\n"
                "------ This is a copy of the message, including all the headers. ------\n\n"
                "To: ada@example.org\n"
            ),
            ["ada@example.org"],
            ["5.1.1"],
            ["550"],
            "userunknown",
        ),
        (
            (
                "Hi. This is the qmail-send program.\nI wasn't able to deliver your message.\n\n"
                "<ada@example.org>:\n192.0.2.1 does not like recipient.\n"
                "Remote host said: 552 disk quota exceeded\n\n"
                "--- Below this line is a copy of the message.\n\nReturn-Path: <support@example.com>\n"
            ),
            ["ada@example.org"],
            ["5.0.922"],
            ["552"],
            "mailboxfull",
        ),
        (
            (
                "I'm sorry to have to inform you that your message could not\nbe delivered. For assistance,\n"
                "please contact <postmaster@mx.example.net>\n\n"
                "<ada@example.org>: host mx said: 554 5.7.1 Service\n"
                "    unavailable; client host [192.0.2.1] blocked using dnsbl.example\n"
            ),
            ["ada@example.org"],
            ["5.7.1"],
            ["554"],
            "blocked",
        ),
        (
            (
                "Your message\n\n  To:      bob@example.com\n  Subject: Hello\n\n"
                "did not reach the following recipient(s):\n\n"
                "ada@example.org on Thu, 29 Apr 2010 00:00:00 +0000\n"
                "    The recipient name is not recognized\n"
            ),
            ["ada@example.org"],
            ["5.0.911"],
            [""],
            "userunknown",
        ),
        (
            "Ihre Nachricht konnte nicht zugestellt werden:\n\nada@example.org: 550 5.2.1 account disabled",
            ["ada@example.org"],
            ["5.2.1"],
            ["550"],
            "suspend",
        ),
        (
            (
                "   ----- Transcript of session follows -----\n550 <ada@example.org>... Host unknown\n"
                "550 <bob@example.org>... User unknown\n\n   ----- Unsent message follows -----\n"
                "To: ada@example.org\n"
            ),
            ["ada@example.org", "bob@example.org"],
            ["5.0.912", "5.0.911"],
            ["550", "550"],
            "hostunknown",
        ),
    ],
)
def test_a_notice_in_words_says_whom_and_why(
    text: str, recipients: list[str], status: list[str], code: list[str], reason: str
) -> None:
    mail = parse(notice(text))

    found = bounce_of(mail)

    assert outcome_of(mail) is Outcome.FAILED
    assert (found.recipients, found.statuses, found.reply_codes) == (recipients, status, code)
    assert found.reason == reason


def test_a_warning_of_a_delay_is_told_from_a_failure_and_is_not_hard() -> None:
    mail = parse(
        notice(
            "A message that you sent has not yet been delivered to one or more of its recipients.\n\n"
            "  ada@example.org\n    Delay reason: 450 try again later\n",
            subject="Warning: message 1 delayed 24 hours",
        )
    )

    assert outcome_of(mail) is Outcome.DELAYED
    assert bounce_of(mail).hard is False


@pytest.mark.parametrize(
    ("sender", "subject", "text"),
    [
        (
            "Ada <ada@example.org>",
            "My parcel was not delivered",
            "Your mail could not be delivered, they wrote.",
        ),
        ("Ada <ada@example.org>", "Fwd: Undeliverable: Hello", "I got this: mail to <b@example.org> failed."),
        ("Ada <ada@example.org>", "Delivery problem", "The van did not come."),
        (
            "Ada <ada@example.org>",
            "Re: mailbox",
            "My mailbox is full and the user is unknown, what can I do?",
        ),
    ],
)
def test_a_person_who_writes_about_delivery_is_no_mail_system(sender: str, subject: str, text: str) -> None:
    assert outcome_of(parse(notice(text, sender=sender, subject=subject))) is None


def test_a_reply_code_in_the_place_of_the_status_is_a_reply_code() -> None:
    told = "Final-Recipient: rfc822; ada@example.org\nAction: failed\nStatus: 553 too big\n"

    assert bounce_of(parse(report(told))).reply_codes == ["553"]


@pytest.mark.parametrize("kind", ["message/rfc822", "message/partial", "text/rfc822", "text/rfc822-header"])
def test_the_mail_that_came_back_is_named_whatever_its_part_is_called(kind: str) -> None:
    raw = report(FAILED).replace(b"text/rfc822-headers", kind.encode())

    assert bounce_of(parse(raw)).original_message_id == "let_1@example.com"


def test_the_mail_that_came_back_is_named_also_when_it_stands_in_the_text() -> None:
    text = "<ada@example.org>: 550 no such user\n\n--- Original message\n\nMessage-Id: <let_9@example.com>\n"

    assert bounce_of(parse(notice(text))).original_message_id == "let_9@example.com"


@pytest.mark.parametrize(
    ("stated", "said", "status"),
    [
        ("5.0.0", "smtp; 550 5.1.1 unknown", "5.1.1"),
        ("5.1.1", "smtp; 550 go away", "5.1.1"),
        ("4.4.7", "smtp; 554 4.4.7 expired <421 4.4.2 Connection timed out>", "4.4.2"),
        ("", "host 192.5.1.1 said nothing", ""),
    ],
)
def test_the_status_is_the_server_s_own_word_where_it_has_one(stated: str, said: str, status: str) -> None:
    assert status_of(stated, said) == status


@pytest.mark.parametrize("said", ["host[192.0.2.1]:587 said nothing", "id 550e8400-e29b", "2024-550-12", ""])
def test_a_number_that_is_no_answer_of_a_server_is_no_reply_code(said: str) -> None:
    assert code_of(said) == ""


def test_a_reason_is_not_read_out_of_addresses_or_links() -> None:
    assert (
        reason_of("", "550 refused mailbox.full@quota.example https://example.org/spam/blocked") == "rejected"
    )


PIECES = st.sampled_from(
    [
        "Final-Recipient: rfc822; a@b.org",
        "Status: 5.1.1",
        "Action: failed",
        "<a@b.org>:",
        "550 5.1.1 no such user",
        "-- copy of the message",
        "\t",
        "",
        "@" * 50,
        "<" * 50,
        "Content-Type: message/delivery-status",
        "--b",
        '"notificationType":"Bounce"',
    ]
)


@given(st.lists(PIECES | st.text(max_size=40), max_size=30), st.booleans())
def test_no_notice_however_broken_raises(lines: list[str], parts: bool) -> None:
    text = "\n".join(lines)
    raw = report(text, text) if parts else notice(text)
    try:
        mail = parse(raw)
    except Unreadable:
        return

    found = bounce_of(mail)

    assert outcome_of(mail) in (*Outcome, None)
    assert len(found.statuses) == len(found.reply_codes) == len(found.reasons)
