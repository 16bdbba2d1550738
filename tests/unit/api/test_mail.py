"""The mail behind the tickets: raw bytes, letters, traces, timelines."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.domain.deadlines import Deadline, Target, deadline_id
from shared.domain.errors import NotFound
from shared.domain.ledger import Outcome
from shared.domain.letters import Attempt, Letter, LetterState
from shared.domain.priority import Level, Priority, Sentiment, Source
from shared.domain.status import Status
from shared.domain.ticket import Classification, Contact, Span
from shared.domain.triage import Triage
from shared.stores.trace import trace
from tests.unit.api.house import AT, House, ids, ledger_entry, open_house, problem

RAW = b"From: mia@example.com\r\nSubject: =?utf-8?q?caf=E9?=\r\n\r\n\xff\x00<script>alert(1)</script>" * 9000


async def letter(house: House, ticket_id: str, number: int, minutes: int = 0, **fields: Any) -> Letter:
    made = Letter(
        id=f"let_{number}",
        ticket_id=ticket_id,
        kind="acknowledgement",
        automatic=True,
        to=Contact(address="mia@example.com"),
        sender=Contact(address="support@example.org"),
        subject="We have it",
        text="text",
        html="<p>html</p>",
        message_id=f"out{number}@example.org",
        created_at=AT + timedelta(minutes=minutes),
        **fields,
    )
    return await house.platform.stores.letters.add(made)


async def test_a_raw_mail_comes_byte_for_byte_as_a_file_that_runs_nowhere(house: House) -> None:
    ticket = await house.ticket()
    message = await house.message(ticket.id, raw=await house.platform.blobs.put(RAW))

    answer = await house.client.get(f"/v1/tickets/{ticket.id}/raw/{message.id}")

    assert answer.content == RAW
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-length"] == str(len(RAW))
    assert answer.headers["content-disposition"] == f'attachment; filename="{message.id}.eml"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_raw_mail_is_not_found_on_another_ticket_nor_where_there_is_none(house: House) -> None:
    ticket, other = await house.ticket(), await house.ticket()
    message = await house.message(ticket.id, raw=await house.platform.blobs.put(RAW))
    spoken = await house.message(ticket.id)
    lost = await house.message(ticket.id, raw="0" * 64)

    for path in (
        f"{other.id}/raw/{message.id}",
        f"{ticket.id}/raw/{spoken.id}",
        f"{ticket.id}/raw/{lost.id}",
        f"{ticket.id}/raw/msg_none",
        f"tkt_none/raw/{message.id}",
    ):
        problem(await house.client.get(f"/v1/tickets/{path}"), 404, "not_found")


async def test_letters_are_listed_newest_first_by_ticket_and_state(house: House) -> None:
    ticket, other = await house.ticket(), await house.ticket()
    await letter(house, ticket.id, 1, 0, state=LetterState.SENT)
    await letter(house, ticket.id, 2, 1)
    await letter(house, other.id, 3, 2)

    everything = await house.client.get("/v1/letters")
    of_ticket = await house.client.get(f"/v1/letters?ticket_id={ticket.id}")
    sent = await house.client.get("/v1/letters?state=sent")
    page = await house.client.get("/v1/letters?limit=1")
    rest = await house.client.get(page.links["next"]["url"])

    assert ids(everything) == ["let_3", "let_2", "let_1"]
    assert ids(of_ticket) == ["let_2", "let_1"]
    assert ids(sent) == ["let_1"]
    assert (ids(page), ids(rest)) == (["let_3"], ["let_2"])
    assert "html" not in everything.json()["data"][0]
    problem(await house.client.get("/v1/letters?state=lost"), 422, "invalid")


async def test_a_letter_is_shown_with_what_the_relay_said_to_each_try(house: House) -> None:
    ticket = await house.ticket()
    tries = [
        Attempt(at=AT, code=451, answer="4.7.1 later"),
        Attempt(at=AT, code=250, answer="queued as 4711"),
    ]
    await letter(house, ticket.id, 1, state=LetterState.SENT, attempts=tries)

    shown = (await house.client.get("/v1/letters/let_1")).json()

    assert [(one["code"], one["answer"]) for one in shown["attempts"]] == [
        (451, "4.7.1 later"),
        (250, "queued as 4711"),
    ]
    assert "html" not in shown
    problem(await house.client.get("/v1/letters/let_9"), 404, "not_found")


async def test_a_letter_that_is_held_is_cancelled_once_and_one_that_went_is_not(house: House) -> None:
    ticket = await house.ticket()
    await letter(house, ticket.id, 1, state=LetterState.HELD)
    await letter(house, ticket.id, 2, state=LetterState.SENT)

    first = await house.client.post("/v1/letters/let_1/cancel")
    again = await house.client.post("/v1/letters/let_1/cancel")

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["state"] == "cancelled"
    assert first.json()["reason"].startswith("cancelled by user:")
    problem(await house.client.post("/v1/letters/let_2/cancel"), 409, "move_not_allowed")
    problem(await house.client.post("/v1/letters/let_9/cancel"), 404, "not_found")


async def test_a_mail_is_traced_from_the_ledger_to_its_letters_with_and_without_brackets(
    house: House,
) -> None:
    ticket, other = await house.ticket(), await house.ticket()
    message = await house.message(ticket.id, message_id="a/1@example.com")
    await ledger_entry(house, 1, Outcome.INGESTED, message_id="a/1@example.com", ticket_id=ticket.id)
    await ledger_entry(house, 2, Outcome.IGNORED, message_id="other@example.com", ticket_id=other.id)
    await letter(house, ticket.id, 1)
    await letter(house, other.id, 2)

    for written in ("a/1@example.com", "%3Ca%2F1@example.com%3E"):
        shown = (await house.client.get(f"/v1/mails/{written}")).json()

        assert shown["message_id"] == "a/1@example.com"
        assert [one["id"] for one in shown["ledger"]] == ["mail_1"]
        assert [one["id"] for one in shown["messages"]] == [message.id]
        assert [one["id"] for one in shown["tickets"]] == [ticket.id]
        assert [one["id"] for one in shown["letters"]] == ["let_1"]


async def test_a_letter_of_ours_is_traced_by_its_own_message_id(house: House) -> None:
    ticket = await house.ticket()
    await letter(house, ticket.id, 1)
    await letter(house, ticket.id, 2, 1)

    found = await trace(house.platform.stores, "out2@example.org")

    assert [one.id for one in found.letters] == ["let_1", "let_2"]
    assert (found.ledger, [one.id for one in found.tickets]) == ([], [ticket.id])


async def test_a_mail_that_nobody_saw_is_not_found(house: House) -> None:
    await ledger_entry(house, 1, message_id="")
    problem(await house.client.get("/v1/mails/none@example.com"), 404, "not_found")
    for written in ("", "<>", "  "):
        with pytest.raises(NotFound):
            await trace(house.platform.stores, written)


async def test_the_timeline_tells_everything_that_happened_in_order(house: House) -> None:
    ticket = await house.ticket(
        history=[
            Span(status=Status.NEW, since=AT),
            Span(status=Status.WAITING, since=AT + timedelta(minutes=4)),
        ]
    )
    stores = house.platform.stores
    await house.message(ticket.id, 0)
    found = Classification(
        category="login", severity=Level.HIGH, urgency=Level.LOW, sentiment=Sentiment.NEUTRAL
    )
    await stores.triages.add(
        Triage(
            id="tri_1",
            ticket_id=ticket.id,
            found=found,
            priority=Priority.HIGH,
            rung=Source.RULES,
            reasons=["the word password"],
            input_digest="0",
            at=AT + timedelta(minutes=1),
        )
    )
    await stores.deadlines.add(
        Deadline(
            id=deadline_id(ticket.id, Target.RESOLUTION, 1),
            ticket_id=ticket.id,
            mailbox="support",
            target=Target.RESOLUTION,
            policy="high",
            started_at=AT,
            due_at=AT + timedelta(hours=8),
            ticket_version=1,
            explanation="8 hours, around the clock",
        )
    )
    await letter(
        house,
        ticket.id,
        1,
        2,
        state=LetterState.FAILED,
        reason="no such user",
        attempts=[Attempt(at=AT, code=550)],
    )
    await house.message((await house.ticket()).id)

    shown = (await house.client.get(f"/v1/tickets/{ticket.id}/timeline")).json()

    assert [one["kind"] for one in shown["data"]] == [
        "message",
        "status",
        "triage",
        "letter",
        "status",
        "deadline",
    ]
    assert shown["complete"] is True
    triage, written, deadline = shown["data"][2], shown["data"][3]["letter"], shown["data"][5]
    assert (triage["reasons"], triage["category"]) == (["the word password"], "login")
    assert (written["state"], written["attempts"][0]["code"]) == ("failed", 550)
    assert (deadline["state"], deadline["explanation"]) == ("running", "8 hours, around the clock")


async def test_a_timeline_that_is_cut_off_says_so(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path, stack, timeline_limit=4)
        whole, cut = await house.ticket(), await house.ticket()
        for minute in range(5):
            await house.message(cut.id, minute)
        for minute in range(4):
            await house.message(whole.id, minute)

        shown = (await house.client.get(f"/v1/tickets/{cut.id}/timeline")).json()
        all_shown = (await house.client.get(f"/v1/tickets/{whole.id}/timeline")).json()

    assert sum(one["kind"] == "message" for one in shown["data"]) == 4
    assert (shown["complete"], all_shown["complete"]) == (False, True)
