"""What the relay says, and what that makes of the mail (RFC 5321)."""

import pytest

from services.notify.ports import Answer, Verdict
from services.notify.settings import NotifySettings
from shared.domain.errors import Unavailable
from tests.servers.smtp import DROP, SILENCE, Answers, ScriptedSmtp
from tests.unit.notify.samples import mailer_to
from tests.unit.notify.smtp_relays import CONTENT, Crowded, Gate, mail


async def test_a_mail_arrives_byte_for_byte_with_its_envelope() -> None:
    async with (
        ScriptedSmtp({"DATA": ["250 2.0.0 queued as 4711"]}) as relay,
        mailer_to(relay.address) as mailer,
    ):
        gate = Gate()
        answer = await mailer.send(mail(), gate)

        assert answer == Answer(Verdict.TAKEN, 250, "2.0.0 queued as 4711")
        assert gate.asked == 1
        (taken,) = relay.received
        assert (taken.sender, taken.recipients) == ("support@example.org", ("ada@customer.example",))
        assert taken.content == CONTENT


REFUSALS: list[tuple[Answers, Verdict, int | None, int]] = [
    ({"MAIL": ["451 4.3.0 not now"]}, Verdict.LATER, 451, 0),
    ({"MAIL": ["550 5.7.1 not you"]}, Verdict.NEVER, 550, 0),
    ({"MAIL": ["421 4.3.2 shutting down"]}, Verdict.LATER, 421, 0),
    ({"MAIL": [DROP]}, Verdict.LATER, None, 0),
    ({"RCPT": ["451 4.7.1 greylisted"]}, Verdict.LATER, 451, 0),
    ({"RCPT": ["550 5.1.1 no such user"]}, Verdict.NEVER, 550, 0),
    ({"RCPT": ["421 4.3.2 shutting down"]}, Verdict.LATER, 421, 0),
    ({"RCPT": [DROP]}, Verdict.LATER, None, 0),
    ({"RCPT": [SILENCE]}, Verdict.LATER, None, 0),
    ({"DATA": ["451 4.3.0 disk full"]}, Verdict.LATER, 451, 1),
    ({"DATA": ["554 5.6.0 no"]}, Verdict.NEVER, 554, 1),
    ({"DATA": ["421 4.3.2 shutting down"]}, Verdict.LATER, 421, 1),
    ({"DATA": [DROP]}, Verdict.UNCERTAIN, None, 1),
    ({"DATA": [SILENCE]}, Verdict.UNCERTAIN, None, 1),
    ({"DATA": ["299 what is this"]}, Verdict.UNCERTAIN, 299, 1),
]


@pytest.mark.parametrize(("answers", "verdict", "code", "asked"), REFUSALS)
async def test_what_the_relay_says_decides_what_became_of_the_mail(
    answers: Answers, verdict: Verdict, code: int | None, asked: int
) -> None:
    gate = Gate()
    async with ScriptedSmtp(answers) as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail(), gate)

        assert (answer.verdict, answer.code) == (verdict, code)
        assert answer.text
        assert gate.asked == asked
        assert len(relay.received) == asked


@pytest.mark.parametrize("answers", [answers for answers, *_ in REFUSALS])
async def test_after_any_refusal_the_next_mail_goes_through(answers: Answers) -> None:
    async with ScriptedSmtp(answers) as relay, mailer_to(relay.address) as mailer:
        await mailer.send(mail("first@customer.example"), Gate())
        answer = await mailer.send(mail("second@customer.example"), Gate())

        assert answer.verdict is Verdict.TAKEN
        (taken,) = relay.accepted
        assert taken.recipients == ("second@customer.example",)


async def test_a_gate_that_stays_shut_costs_the_connection_and_no_other_mail() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail("first@customer.example"), Gate(opens=False))
        assert answer.verdict is Verdict.WITHHELD
        assert relay.received == []

        await mailer.send(mail("second@customer.example"), Gate())
        assert [taken.recipients for taken in relay.received] == [("second@customer.example",)]
        assert relay.connections == 2


async def test_what_the_gate_raises_is_passed_on_and_the_connection_is_not_used_again() -> None:
    async def broken() -> bool:
        raise ZeroDivisionError

    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        with pytest.raises(ZeroDivisionError):
            await mailer.send(mail(), broken)
        assert relay.received == []

        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
        assert relay.connections == 2


@pytest.mark.parametrize("code", [454, 530, 535])
async def test_a_relay_that_wants_a_login_is_unavailable_and_blames_no_mail(code: int) -> None:
    async with (
        ScriptedSmtp({"MAIL": [f"{code} 5.7.0 log in first"]}) as relay,
        mailer_to(relay.address) as mailer,
    ):
        with pytest.raises(Unavailable, match=str(code)):
            await mailer.send(mail(), Gate())


async def test_an_address_that_is_not_ascii_goes_by_smtputf8() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail("zoë@xn--bcher-kva.example", utf8=True), Gate())

        assert answer.verdict is Verdict.TAKEN
        assert relay.accepted[0].recipients == ("zoë@xn--bcher-kva.example",)


async def test_without_smtputf8_only_the_letter_that_needs_it_fails() -> None:
    async with Crowded(most=9) as relay, mailer_to(relay.address) as mailer:
        gate = Gate()
        refused = await mailer.send(mail("zoë@example.org", utf8=True), gate)
        taken = await mailer.send(mail(), gate)

        assert (refused.verdict, taken.verdict) == (Verdict.NEVER, Verdict.TAKEN)
        assert "SMTPUTF8" in refused.text
        assert gate.asked == 1


def test_the_defaults_give_the_relay_the_ten_minutes_that_rfc_5321_asks_for() -> None:
    assert NotifySettings().accept_seconds == 600
