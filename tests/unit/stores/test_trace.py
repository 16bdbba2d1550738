"""A trace tells all that is known of one mail, and nothing of any other."""

from datetime import timedelta

import pytest

from shared.domain.errors import NotFound
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.domain.letters import Letter
from shared.domain.messages import Direction, Message
from shared.domain.ticket import Contact
from shared.stores.stores import Stores
from shared.stores.trace import trace
from tests.unit.domain.samples import NOON, opened


async def seen(stores: Stores, message_id: str, uid: int, ticket_id: str | None = None) -> LedgerEntry:
    return await stores.ledger.add(
        LedgerEntry(
            id=entry_id("support", 7, uid),
            mailbox="support",
            uidvalidity=7,
            uid=uid,
            digest="d" * 64,
            fingerprint="f" * 64,
            message_id=message_id,
            outcome=Outcome.INGESTED if ticket_id else Outcome.IGNORED,
            reason="a reason",
            ticket_id=ticket_id,
            fetched_at=NOON,
            at=NOON,
        )
    )


async def said(stores: Stores, message_id: str, ticket_id: str = "tkt_1") -> Message:
    return await stores.messages.add(
        Message(
            id=f"msg_{message_id}",
            ticket_id=ticket_id,
            direction=Direction.INBOUND,
            author="customer",
            message_id=message_id,
            at=NOON,
        )
    )


async def sent(stores: Stores, name: str, ticket_id: str = "tkt_1", minutes: int = 0) -> Letter:
    return await stores.letters.add(
        Letter(
            id=f"let_{name}",
            ticket_id=ticket_id,
            kind="reply",
            automatic=False,
            to=Contact(address="eve@example.org"),
            sender=Contact(address="support@example.org"),
            subject="Re: Help",
            text="Try water.",
            html="",
            message_id=f"{name}@us",
            created_at=NOON + timedelta(minutes=minutes),
        )
    )


async def test_a_mail_is_traced_from_the_mailbox_to_the_letters_of_its_ticket(stores: Stores) -> None:
    await stores.tickets.add(opened())
    entry, message = await seen(stores, "one@x", 1, "tkt_1"), await said(stores, "one@x")
    letters = [await sent(stores, "b", minutes=5), await sent(stores, "a", minutes=9)]
    found = await trace(stores, "one@x")

    assert (found.message_id, found.ledger, found.messages) == ("one@x", [entry], [message])
    assert [ticket.id for ticket in found.tickets] == ["tkt_1"]
    assert found.letters == letters, "letters come in the order they were written"


@pytest.mark.parametrize("asked", ["one@x", "<one@x>", " <one@x>\n"])
async def test_a_message_id_is_found_however_it_was_copied(stores: Stores, asked: str) -> None:
    await seen(stores, "one@x", 1)

    assert (await trace(stores, asked)).message_id == "one@x"


async def test_what_belongs_to_other_mails_is_left_out(stores: Stores) -> None:
    await stores.tickets.add(opened())
    await seen(stores, "one@x", 1, "tkt_1")
    await seen(stores, "two@x", 2, "tkt_2")
    await said(stores, "two@x", "tkt_2")
    await sent(stores, "a", "tkt_2")
    found = await trace(stores, "one@x")

    assert [entry.uid for entry in found.ledger] == [1]
    assert (found.messages, found.letters) == ([], [])
    assert [ticket.id for ticket in found.tickets] == ["tkt_1"]


async def test_a_letter_of_ours_is_traced_by_its_own_message_id(stores: Stores) -> None:
    await stores.tickets.add(opened())
    own, other = await sent(stores, "own"), await sent(stores, "other", minutes=1)
    found = await trace(stores, "own@us")

    assert [ticket.id for ticket in found.tickets] == ["tkt_1"]
    assert found.letters == [own, other], "each letter once"


async def test_a_mail_in_two_mailboxes_has_both_its_entries(stores: Stores) -> None:
    await seen(stores, "one@x", 1, "tkt_1")
    await seen(stores, "one@x", 2, "tkt_1")

    assert sorted(entry.uid for entry in (await trace(stores, "one@x")).ledger) == [1, 2]


async def test_a_mail_that_was_set_aside_is_traced_though_it_has_no_ticket(stores: Stores) -> None:
    await seen(stores, "one@x", 1)
    found = await trace(stores, "one@x")

    assert ([entry.outcome for entry in found.ledger], found.tickets) == ([Outcome.IGNORED], [])


async def test_a_ticket_that_is_not_saved_yet_is_no_error(stores: Stores) -> None:
    """Its message is stored first; a process may die in between."""
    await said(stores, "one@x")
    found = await trace(stores, "one@x")

    assert (len(found.messages), found.tickets) == (1, [])


async def test_a_mail_that_nobody_saw_is_not_found(stores: Stores) -> None:
    await seen(stores, "one@x", 1)

    with pytest.raises(NotFound, match="<two@x>"):
        await trace(stores, "two@x")


@pytest.mark.parametrize("asked", ["", "<>", "  "])
async def test_mails_without_a_message_id_are_not_all_taken_for_one(stores: Stores, asked: str) -> None:
    await seen(stores, "", 1)

    with pytest.raises(NotFound, match="digest"):
        await trace(stores, asked)
