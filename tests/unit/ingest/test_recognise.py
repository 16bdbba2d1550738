"""What a mail is, and whether a machine may answer it."""

import pytest

from services.ingest.parsing import parse
from services.ingest.recognise import Kind, Recognised, recognise
from shared.domain.loop_mark import HEADER, loop_mark
from tests.unit.ingest.mails import mail

SECRET = b"s" * 32
OWN = {"support@example.com"}


def recognised(sender: str = "ada@example.org", subject: str = "Help", **headers: str) -> Recognised:
    """What a mail with these headers is; `_` in a name stands for `-`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return recognise(parse(mail(sender=sender, subject=subject, headers=fields)), OWN, SECRET)


def test_a_person_s_mail_is_a_message_that_may_be_answered() -> None:
    assert recognised() == Recognised(Kind.MESSAGE, automatic=False, may_auto_respond=True)


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"Auto_Submitted": "auto-replied"}, Kind.AUTO_REPLY),
        ({"Auto_Submitted": "Auto-Replied (vacation)"}, Kind.AUTO_REPLY),
        ({"Auto_Submitted": "auto-replied", "subject": "Abwesenheitsnotiz: Help"}, Kind.OUT_OF_OFFICE),
        ({"Auto_Submitted": "auto-generated", "subject": "Out of office: Help"}, Kind.OUT_OF_OFFICE),
        ({"Auto_Submitted": "auto-generated"}, Kind.MESSAGE),
        ({"Auto_Submitted": "auto-notified; owner-email=x"}, Kind.MESSAGE),
        ({"X_Autoreply": "yes"}, Kind.AUTO_REPLY),
        ({"X_Autorespond": "1"}, Kind.AUTO_REPLY),
        ({"Precedence": "auto_reply"}, Kind.AUTO_REPLY),
        ({"Precedence": "bulk"}, Kind.MESSAGE),
        ({"Precedence": "Junk"}, Kind.MESSAGE),
        ({"Return_Path": "<>"}, Kind.MESSAGE),
        ({"sender": "MAILER-DAEMON@example.org"}, Kind.BOUNCE),
        ({"sender": "postmaster@example.org"}, Kind.BOUNCE),
        ({"Content_Type": "multipart/report; report-type=delivery-status; boundary=x"}, Kind.BOUNCE),
        ({"Content_Type": "multipart/report; boundary=x"}, Kind.BOUNCE),
        (
            {"Content_Type": 'multipart/report; boundary=x; report-type="disposition-notification"'},
            Kind.READ_RECEIPT,
        ),
        ({"Content_Type": "multipart/report; boundary=x; report-type=feedback-report"}, Kind.FEEDBACK_REPORT),
    ],
)
def test_a_machine_s_mail_moves_nothing_and_is_not_answered(headers: dict[str, str], kind: Kind) -> None:
    found = recognised(**headers)

    assert (found.kind, found.automatic, found.may_auto_respond) == (kind, True, False)
    assert found.reasons


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"List_Id": "<announce.example.org>"}, Kind.LIST),
        ({"List_Post": "<mailto:a@example.org>"}, Kind.LIST),
        ({"Precedence": "list"}, Kind.LIST),
        ({"List_Unsubscribe": "<mailto:a@example.org>"}, Kind.MESSAGE),
        ({"Feedback_ID": "1:2:3"}, Kind.MESSAGE),
        ({"X_Auto_Response_Suppress": "OOF, AutoReply"}, Kind.MESSAGE),
        ({"sender": "noreply@example.org"}, Kind.MESSAGE),
        ({"sender": "do-not-reply@example.org"}, Kind.MESSAGE),
        ({"sender": "bounces+12@example.org"}, Kind.MESSAGE),
        ({"sender": "owner-list@example.org"}, Kind.MESSAGE),
        ({"sender": "list-request@example.org"}, Kind.MESSAGE),
        ({"sender": ""}, Kind.MESSAGE),
    ],
)
def test_a_mail_that_may_be_a_person_s_moves_states_but_no_machine_answers_it(
    headers: dict[str, str], kind: Kind
) -> None:
    found = recognised(**headers)

    assert (found.kind, found.automatic, found.may_auto_respond) == (kind, False, False)
    assert found.reasons


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "no"},
        {"X_Auto_Response_Suppress": "None"},
        {"X_Autoreply": "no"},
        {"Precedence": "normal"},
        {"Return_Path": "<ada@example.org>"},
        {"subject": "Out of office printer is broken"},
        {"sender": "requests@example.org"},
    ],
)
def test_a_person_is_not_taken_for_a_machine(headers: dict[str, str]) -> None:
    assert recognised(**headers).may_auto_respond


def test_a_letter_of_ours_that_comes_back_is_a_loop() -> None:
    found = recognised(**{HEADER: loop_mark(SECRET, "tkt_1")})

    assert (found.kind, found.may_auto_respond) == (Kind.OWN_LOOP, False)


def test_a_loop_mark_that_we_did_not_sign_hides_no_mail() -> None:
    assert recognised(**{HEADER: loop_mark(b"other" * 8, "tkt_1")}).kind is Kind.MESSAGE


def test_a_mail_from_one_of_our_own_addresses_is_a_loop() -> None:
    assert recognised(sender="Us <Support@Example.com>").kind is Kind.OWN_LOOP


def test_a_mail_that_went_through_a_hundred_servers_is_a_loop() -> None:
    raw = b"Received: by x; now\r\n" * 100 + mail()

    assert recognise(parse(raw), OWN, SECRET).kind is Kind.OWN_LOOP
