"""Mails of somebody who wants into another's ticket: it stays as it was, byte for byte.

What such a mail becomes is a ticket of its own, which says what it claims, or an entry in the ledger
(reliability.md, row 21).
"""

import random

import pytest

from services.ingest.authentication import Policy
from shared.domain.ids import derived, thread_id_for
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.loop_mark import loop_mark
from shared.domain.signed import Signer
from shared.domain.status import Status
from shared.runtime.service import Platform
from shared.stores.collections import ThreadId
from tests.unit.ingest.desk import STRANGER, Helpdesk, cause
from tests.unit.ingest.mails import CUSTOMER, SUPPORT, answer, mail

OURS = "mx.example.com"
PASS = "dmarc=pass header.from=example.org"
FAIL = "dmarc=fail header.from=example.org"
OLD_LETTER = f"{derived('let', 'before ids were signed')}@example.com"
GUESSING = Signer(b"not the secret")


@pytest.fixture
def guarded(platform: Platform) -> Helpdesk:
    return Helpdesk(platform, policies={"support": Policy(OURS)})


async def target(helpdesk: Helpdesk) -> LedgerEntry:
    """A customer's ticket that was answered by a letter of before ids were signed."""
    first = await helpdesk.take(mail(headers={"Authentication-Results": f"{OURS}; {PASS}"}))
    letter = ThreadId(id=thread_id_for(OLD_LETTER), ticket_id=str(first.ticket_id), carried=True)
    await helpdesk.stores.thread_ids.add(letter)
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.WAITING, cause("wait")))
    return first


def spoofs(ticket_id: str, number: int) -> dict[str, bytes]:
    """Mails without anything that we signed. `name` is the customer's: From alone says so."""
    guessed = [GUESSING.message_id(ticket_id, CUSTOMER, "let_0", "example.com"), f"t.{ticket_id[4:]}.0@x"]
    guessed_address = GUESSING.reply_address(SUPPORT, ticket_id, CUSTOMER)
    name = {"Authentication-Results": f"{OURS}; {FAIL}"}
    below = {"Authentication-Results": f"{OURS}; {FAIL}\r\nAuthentication-Results: {OURS}; {PASS}"}
    elsewhere = {"Authentication-Results": f"mx.evil.example; {PASS}"}
    thread = {"In-Reply-To": "<one@example.org>", "References": "<one@example.org>"}
    control = {"X-Ombud-Ticket": ticket_id, "X-Ombud-Status": "closed", "X-Ombud-Assignee": STRANGER}
    looped = {"X-Ombud-Loop": loop_mark(b"not the secret", ticket_id)}
    return {
        "in-reply-to of the customer's mail": answer("s@x", "one@example.org", sender=STRANGER),
        "in-reply-to of a letter": answer("s@x", OLD_LETTER, sender=STRANGER),
        "a guessed message-id": answer("s@x", *guessed, sender=STRANGER),
        "a guessed reply address": mail("s@x", sender=STRANGER, to=guessed_address),
        "a guessed mark": mail("s@x", sender=STRANGER, body=GUESSING.marker(ticket_id, CUSTOMER)),
        "the number in the subject": mail("s@x", sender=STRANGER, subject=f"Re: [#{number}] Fire"),
        "a header of ours": mail("s@x", sender=STRANGER, headers=control),
        "a loop mark that we did not make": mail("s@x", sender=STRANGER, headers=looped),
        "a machine that quotes the customer": answer(
            "s@x", "one@example.org", sender=STRANGER, subject="Out of office", body="away"
        ).replace(b"\r\n\r\n", b"\r\nAuto-Submitted: auto-replied\r\n\r\n", 1),
        "the customer's name": mail("s@x", headers={**name, **thread}),
        "the customer's name and number": mail("s@x", subject=f"[#{number}]", headers=name),
        "authentication by another server": mail(
            "s@x", sender=STRANGER, headers={**elsewhere, **thread}, subject=f"[#{number}]"
        ),
        "authentication below ours": mail("s@x", headers={**below, **thread}),
        "two senders, the customer first": mail(
            "s@x",
            sender=f"{CUSTOMER}, {STRANGER}",
            headers={"Authentication-Results": f"{OURS}; dmarc=pass header.from=example.net", **thread},
        ),
        "two senders": mail("s@x", sender=f"{STRANGER}, {CUSTOMER}", headers=thread),
        "the customer's own mail again, changed": answer(
            "one@example.org", "one@example.org", sender=STRANGER
        ),
    }


NAMES = list(spoofs("tkt_0", 0))


@pytest.mark.parametrize("spoof", NAMES)
async def test_a_spoof_leaves_the_ticket_as_it_was_byte_for_byte(guarded: Helpdesk, spoof: str) -> None:
    first = await target(guarded)
    before = await guarded.ticket_of(first)
    messages = await messages_of(guarded, before.id)
    entry = await guarded.take(spoofs(before.id, before.number)[spoof])

    assert (await guarded.ticket_of(first)).model_dump_json() == before.model_dump_json()
    assert await messages_of(guarded, before.id) == messages
    assert entry.outcome is Outcome.INGESTED
    assert entry.ticket_id != before.id
    own = await guarded.ticket_of(entry)
    assert own.claims_to_belong_to in (None, before.id)
    assert own.status is Status.NEW


@pytest.mark.parametrize("spoof", NAMES)
async def test_after_a_spoof_the_customer_s_answer_still_finds_the_ticket(
    guarded: Helpdesk, spoof: str
) -> None:
    first = await target(guarded)
    before = await guarded.ticket_of(first)
    await guarded.take(spoofs(before.id, before.number)[spoof])
    passed = b"Authentication-Results: mx.example.com; dmarc=pass header.from=example.org\r\n"

    assert (await guarded.take(passed + answer("two@x", "one@example.org"))).ticket_id == before.id
    assert (await guarded.take(passed + answer("three@x", OLD_LETTER))).ticket_id == before.id


async def messages_of(helpdesk: Helpdesk, ticket_id: str) -> list[str]:
    page = await helpdesk.stores.messages.find({"ticket_id": ticket_id}, limit=100)
    return [message.model_dump_json() for message in page.items]


async def test_a_letter_that_comes_back_is_stopped_and_one_that_only_says_so_is_not(
    guarded: Helpdesk,
) -> None:
    first = await target(guarded)
    before = await guarded.ticket_of(first)
    marked = mail("s@x", headers={"X-Ombud-Loop": loop_mark(guarded.platform.secret, before.id)})
    entry = await guarded.take(marked)

    assert (entry.outcome, entry.ticket_id) == (Outcome.IGNORED, None)
    assert await guarded.ticket_of(first) == before


async def test_nobody_guesses_what_we_sign(guarded: Helpdesk) -> None:
    """Ten thousand random seals, and each that differs from a true one in a single place."""
    first = await target(guarded)
    ticket = str(first.ticket_id)
    seal = guarded.signer.reply_address(SUPPORT, ticket, CUSTOMER).partition("@")[0].rpartition(".")[2]
    symbols = "0123456789abcdefghjkmnpqrstvwxyz"
    chance = random.Random(1)
    guesses = ["".join(chance.choices(symbols, k=len(seal))) for _ in range(10_000)]
    guesses += [
        f"{seal[:at]}{symbol}{seal[at + 1 :]}"
        for at in range(len(seal))
        for symbol in symbols
        if symbol != seal[at]
    ]
    addresses = [f"support+t.{ticket[4:]}.{guess}@example.com" for guess in guesses]

    assert guarded.signer.in_addresses(addresses, len(addresses)) == []
