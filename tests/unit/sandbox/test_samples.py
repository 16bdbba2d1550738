"""The sample mails are what they claim to be, or a newcomer's first try would mislead him."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from services.sandbox.samples import samples


def parsed(**options: object) -> dict[str, EmailMessage]:
    return {
        name: message_from_bytes(raw, policy=policy.default)
        for name, raw in samples(**options)  # type: ignore[arg-type]  # passed on as given
    }


def test_every_sample_is_a_whole_mail_without_defects() -> None:
    for name, mail in parsed().items():
        assert mail.defects == [], name
        for header in ("From", "To", "Subject", "Date", "Message-ID"):
            assert mail[header] is not None, (name, header)
            assert mail[header].defects == (), (name, header)


def test_every_sample_has_an_id_of_its_own() -> None:
    ids = {mail["Message-ID"] for mail in parsed().values()}

    assert len(ids) == len(samples()) >= 6


def test_every_person_in_them_lives_at_an_example_domain() -> None:
    for name, mail in parsed().items():
        for header in ("From", "To", "Cc"):
            for address in mail[header].addresses if mail[header] else ():
                assert address.domain.endswith(("example.com", "example.org")), name


def test_all_lines_end_as_smtp_wants_them() -> None:
    for name, raw in samples():
        assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r"), name


def test_the_reply_belongs_to_the_login_problem_and_comes_after_it() -> None:
    names = [name for name, _ in samples()]
    mails = parsed()

    assert mails["login-reply"]["In-Reply-To"] == mails["login"]["Message-ID"]
    assert mails["login-reply"]["References"] == mails["login"]["Message-ID"]
    assert names.index("login") < names.index("login-reply")


def test_the_invoice_question_reads_as_german_with_its_umlauts() -> None:
    mail = parsed()["invoice"]

    assert mail["Subject"] == "Frage zur Rechnung 2026-1187 (doppelte Gebühr)"
    assert mail["From"].addresses[0].display_name == "Jürgen Grotheß"
    assert mail["Content-Transfer-Encoding"] == "quoted-printable"
    assert "Grundgebühr für Oktober zweimal (je 49,00 €)" in mail.get_content()


def test_the_html_mail_has_no_plain_text() -> None:
    assert parsed()["html-only"].get_body(("plain",)) is None


def test_the_machine_says_that_it_is_one() -> None:
    """It must get no answer, or two machines would write to each other for ever (RFC 3834)."""
    assert parsed()["out-of-office"]["Auto-Submitted"] == "auto-replied"
    assert [name for name, mail in parsed().items() if mail["Auto-Submitted"]] == ["out-of-office"]


def test_sent_once_more_they_are_new_mails_but_the_thread_holds_together() -> None:
    first, second = parsed(), parsed(run="r2")

    assert {mail["Message-ID"] for mail in first.values()}.isdisjoint(
        mail["Message-ID"] for mail in second.values()
    )
    assert second["login-reply"]["References"] == second["login"]["Message-ID"]
    assert second["login"].get_content() == first["login"].get_content()


def test_they_can_be_dated_with_the_moment_of_sending() -> None:
    moment = datetime(2026, 11, 20, 21, 0, 5, tzinfo=UTC)

    assert {mail["Date"].datetime for mail in parsed(sent=moment).values()} == {moment}


def test_a_run_that_does_not_fit_into_an_id_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        samples(run="ü")
