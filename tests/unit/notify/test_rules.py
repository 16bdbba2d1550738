"""Which letters an event asks for, and when one is tried again."""

from datetime import timedelta
from typing import Any

import pytest

from services.notify import rules
from services.notify.rules import Kind, Wanted
from shared.domain.contacts import bare_address
from shared.domain.events import AgentReplied, SlaBreached
from shared.domain.ticket import Contact, Ticket
from tests.unit.notify.samples import NOW, SUPPORT, facts, opened

OURS = [SUPPORT, "hilfe@example.org"]


def ticket() -> Ticket:
    return Ticket(
        id="tkt_0000000001",
        number=10_042,
        mailbox="main",
        subject="The printer is on fire",
        customer=Contact(address="ada@customer.example", name="Ada"),
        customer_address="ada@customer.example",
        opened_at=NOW,
        updated_at=NOW,
    )


def replied(**changed: Any) -> AgentReplied:
    fields = {
        "ticket_id": "tkt_0000000001",
        "version": 2,
        "actor": "user:agent",
        "occurred_at": NOW,
        "facts": facts(status="waiting"),
        "message_id": "msg_2",
        "status_before": "new",
    }
    return AgentReplied(**{**fields, **changed})


def breached(**changed: Any) -> SlaBreached:
    fields = {
        "ticket_id": "tkt_0000000001",
        "version": 2,
        "actor": "service:escalation",
        "occurred_at": NOW,
        "facts": facts(breached=True),
        "target": "first_response",
        "due_at": NOW,
        "policy": "standard",
    }
    return SlaBreached(**{**fields, **changed})


def test_a_customers_first_mail_is_acknowledged_without_anything_he_wrote() -> None:
    wanted = rules.acknowledgement(opened(customer_name="BUY NOW http://spam.example"), OURS)

    assert wanted == Wanted(Kind.ACKNOWLEDGEMENT, Contact(address="ada@customer.example"), automatic=True)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"may_auto_respond": False}, id="a machine wrote"),
        pytest.param({"customer": SUPPORT}, id="our own address"),
        pytest.param({"customer": "Support@Example.ORG"}, id="our own address in capitals"),
        pytest.param({"customer": "support+t.abc@example.org"}, id="our own address with a tag"),
        pytest.param({"customer": "hilfe@example.org"}, id="another mailbox of ours"),
        pytest.param({"customer": ""}, id="no address, as a null sender has"),
        pytest.param({"facts": facts(status="spam")}, id="spam"),
    ],
)
def test_no_acknowledgement_goes_to(changed: dict[str, Any]) -> None:
    assert rules.acknowledgement(opened(**changed), OURS) is None


def test_an_agents_reply_goes_to_the_customer_and_is_not_automatic() -> None:
    assert rules.reply(replied(), ticket()) == Wanted(
        Kind.REPLY, Contact(address="ada@customer.example", name="Ada"), automatic=False
    )


def test_no_letter_goes_out_on_a_ticket_that_is_spam() -> None:
    assert rules.reply(replied(facts=facts(status="spam")), ticket()) is None
    assert rules.breach_notice(breached(facts=facts(status="spam")), "lead@example.org") is None


def test_a_missed_deadline_is_told_to_the_lead_and_to_nobody_when_there_is_none() -> None:
    assert rules.breach_notice(breached(), "Lead@example.org") == Wanted(
        Kind.SLA_BREACHED, Contact(address="lead@example.org"), automatic=True
    )
    assert rules.breach_notice(breached(), "") is None


def test_the_windows_of_a_brake_end_at_their_own_time() -> None:
    now = rules.windows_at(NOW)
    later = rules.windows_at(NOW + timedelta(minutes=10))
    tomorrow = rules.windows_at(NOW + timedelta(days=1))

    assert {name for name in now if now[name] != later[name]} == {"ten_minutes"}
    assert {name for name in now if now[name] != tomorrow[name]} == {"ten_minutes", "hour", "day"}


@pytest.mark.parametrize(
    ("tries", "expected"), [(1, 60), (2, 180), (3, 540), (4, 1_620), (5, 4_860), (6, 14_400), (500, 14_400)]
)
def test_the_pause_triples_up_to_the_longest_and_is_spread_by_a_fifth(tries: int, expected: float) -> None:
    pauses = [rules.pause_before_next(tries, f"let_{n}", 60, 14_400) for n in range(200)]

    assert all(0.799 * expected <= pause <= 1.201 * expected for pause in pauses)
    assert max(pauses) - min(pauses) > 0.3 * expected


def test_the_pause_of_one_letter_is_the_same_whoever_computes_it() -> None:
    assert rules.pause_before_next(3, "let_1", 60, 14_400) == rules.pause_before_next(3, "let_1", 60, 14_400)


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("Ada@Example.org", "ada@example.org"),
        ("ada+shop@example.org", "ada@example.org"),
        (" ada@example.org ", "ada@example.org"),
        ('"a@b"@example.org', '"a@b"@example.org'),
        ("nobody", "nobody"),
    ],
)
def test_people_are_told_apart_by_their_bare_address(address: str, bare: str) -> None:
    assert bare_address(address) == bare
