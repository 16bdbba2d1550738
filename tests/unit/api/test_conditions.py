"""What a call says about versions and repeats, and what is signed."""

import pytest

from services.api import commands
from services.api.bodies import NewNote, NewReply, NewTicket
from services.api.conditions import Deed, check_match, is_known
from services.api.context import Call
from services.api.cursors import Cursors
from services.api.problems import ProblemRaised
from shared.domain.messages import Direction, Message
from shared.stores.collections import ApiKey
from tests.unit.api.house import AT, House

CALL = Call(ApiKey(id="k", name="ada", secret_digest="", scopes=[], created_at=AT), "request-1", "")
DEED = Deed("call_1", "payload", CALL)


@pytest.mark.parametrize("header", [None, "*", '"3"', '"1", "3"', ' "3" '])
def test_a_call_for_this_version_or_any_passes(header: str | None) -> None:
    check_match(header, 3)


@pytest.mark.parametrize("header", ["", '"2"', 'W/"3"', "3", '"33"', '"3', "**"])
def test_a_call_for_another_version_or_a_weak_one_does_not_pass(header: str) -> None:
    with pytest.raises(ProblemRaised) as refused:
        check_match(header, 3)

    assert refused.value.kind.code == "precondition_failed"


@pytest.mark.parametrize(
    ("header", "known"),
    [(None, False), ("*", True), ('"3"', True), ('W/"3"', True), ('"2", W/"3"', True), ('"2"', False)],
)
def test_a_reader_knows_a_version_by_a_weak_tag_as_well(header: str | None, known: bool) -> None:
    assert known is is_known(header, 3)


def test_the_cause_of_a_deed_names_who_when_and_which_call() -> None:
    cause = DEED.cause(AT)

    assert (cause.actor, cause.at, cause.correlation_id) == ("user:ada", AT, "request-1")
    assert cause.key == "api:call_1:payload"


@pytest.mark.parametrize(
    ("left", "refused"),
    [
        ("api:call_1:payload", False),
        ("api:call_1:payload:priority", False),
        ("api:call_2:other", False),
        ("triage:evt", False),
        ("api:call_1:other", True),
    ],
)
def test_a_key_is_used_again_only_where_another_payload_came_under_it(left: str, refused: bool) -> None:
    if not refused:
        DEED.check_reuse([left])
        return
    with pytest.raises(ProblemRaised):
        DEED.check_reuse(["triage:evt", left])


@pytest.mark.parametrize("after", ["", "a", "é\n\x00", "x" * 500])
def test_a_cursor_gives_back_what_was_signed(after: str) -> None:
    cursors = Cursors(b"secret" * 6)

    assert after == cursors.read("question", cursors.sign("question", after))


def test_a_cursor_of_another_question_or_secret_is_refused() -> None:
    mine, theirs = Cursors(b"secret" * 6), Cursors(b"other" * 6)
    cursor = mine.sign("question", "after")

    for cursors, question in ((mine, "question "), (mine, ""), (theirs, "question")):
        with pytest.raises(ProblemRaised):
            cursors.read(question, cursor)


def test_every_changed_letter_of_a_cursor_is_noticed() -> None:
    cursors = Cursors(b"secret" * 6)
    cursor = cursors.sign("question", "after")

    for index in range(len(cursor) - 1):  # the last letter may carry bits that say nothing
        other = "A" if cursor[index] != "A" else "B"
        with pytest.raises(ProblemRaised):
            cursors.read("question", cursor[:index] + other + cursor[index + 1 :])


async def test_a_repeat_sends_the_reply_whose_message_a_dead_process_left(house: House) -> None:
    ticket = await house.ticket()
    left = Message(
        id=DEED.message_id,
        ticket_id=ticket.id,
        direction=Direction.OUTBOUND,
        author="agent",
        text="Try again.",
        origin=DEED.origin,
        at=AT,
    )
    await house.platform.stores.messages.add(left)

    done = await commands.reply(house.api, ticket.id, NewReply(text="Try again."), DEED, None)

    assert (done.ticket.status, done.replayed) == ("waiting", False)
    assert done.message is not None
    assert (done.message.id, done.message.at) == (left.id, AT)
    assert done.ticket.outbox[-1].type == "ombud.ticket.agent_replied.v1"


async def test_a_message_that_another_call_left_is_not_taken_for_this_ones(house: House) -> None:
    ticket = await house.ticket()
    await commands.note(house.api, ticket.id, NewNote(text="one"), DEED, None)
    other = Deed(DEED.name, "another payload", CALL)
    body = NewTicket.model_validate(
        {"mailbox": "support", "subject": "s", "text": "t", "customer": {"address": "a@b.c"}}
    )

    with pytest.raises(ProblemRaised) as refused:
        await commands.open_ticket(house.api, body, other)

    assert refused.value.kind.code == "idempotency_key_reused"
