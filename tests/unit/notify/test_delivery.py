"""Delivery to a relay that misbehaves: what becomes of the letter."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from services.notify.settings import RetrySettings
from shared import metrics
from shared.domain.letters import LetterState
from shared.domain.ticket import Contact
from shared.stores.stores import Stores
from tests.helpers import eventually
from tests.servers.smtp import DROP, SILENCE, Answers, ScriptedSmtp
from tests.unit.notify.conftest import Published
from tests.unit.notify.samples import QUICK, automatic, delivering, letter
from tests.unit.notify.watching import PATIENT, in_state, tried, types


async def test_a_letter_that_is_due_is_sent_and_that_is_told(stores: Stores, published: Published) -> None:
    async with ScriptedSmtp({"DATA": ["250 2.0.0 queued as 4711"]}) as relay:
        await stores.letters.add(letter())
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        stored = await stores.letters.get("let_1")
        assert (stored.wake_at, stored.reason) == (None, "")
        assert stored.sent_at is not None
        assert [(one.code, one.answer) for one in stored.attempts] == [(250, "2.0.0 queued as 4711")]
        assert types(published) == ["ombud.letter.sent.v1"]
        assert b"Message-ID: <let_1@example.org>\r\n" in relay.accepted[0].content


async def test_a_letter_that_is_not_due_is_left_alone(stores: Stores) -> None:
    async with ScriptedSmtp() as relay:
        await stores.letters.add(letter("later", wake_at=datetime.now(UTC) + timedelta(hours=1)))
        await stores.letters.add(letter("due"))
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "due"))

        assert await in_state(stores, LetterState.QUEUED, "later")
        assert len(relay.received) == 1


async def test_a_letter_handed_over_goes_out_without_being_claimed(stores: Stores) -> None:
    async with ScriptedSmtp() as relay, delivering(stores, relay.address) as deliverer:
        await eventually(lambda: deliverer.first_wake(datetime.now(UTC)) > datetime.now(UTC))
        now = datetime.now(UTC)
        mine = letter(at=now, wake_at=deliverer.first_wake(now))
        await stores.letters.add(mine)
        deliverer.offer(mine)

        await eventually(lambda: in_state(stores, LetterState.SENT, "1"))
        assert len(relay.received) == 1


@pytest.mark.parametrize(
    ("answers", "code", "contents"),
    [
        ({"MAIL": ["421 4.3.2 shutting down"]}, 421, 0),
        ({"RCPT": ["451 4.7.1 greylisted"]}, 451, 0),
        ({"RCPT": [DROP]}, None, 0),
        ({"RCPT": [SILENCE]}, None, 0),
        ({"DATA": ["451 4.3.0 disk full"]}, 451, 1),
        ({"DATA": ["421 4.3.2 shutting down"]}, 421, 1),
    ],
)
@pytest.mark.parametrize("is_automatic", [True, False])
async def test_what_the_relay_did_not_take_is_postponed(
    stores: Stores, answers: Answers, code: int | None, contents: int, is_automatic: bool
) -> None:
    async with ScriptedSmtp(answers) as relay:
        await stores.letters.add(letter(automatic=is_automatic))
        async with delivering(stores, relay.address, PATIENT):
            await eventually(lambda: tried(stores))

        stored = await stores.letters.get("let_1")
        assert (stored.state, len(stored.attempts)) == (LetterState.QUEUED, 1)
        assert stored.attempts[0].code == code
        assert stored.wake_at is not None
        pause = (stored.wake_at - stored.attempts[0].at).total_seconds()
        assert 48 <= pause <= 72
        assert len(relay.received) == contents


@pytest.mark.parametrize(
    "answers", [{"RCPT": ["451 greylisted"]}, {"DATA": ["451 full"]}, {"MAIL": [DROP]}, {"DATA": ["421 bye"]}]
)
async def test_what_was_postponed_goes_out_by_itself_once(stores: Stores, answers: Answers) -> None:
    async with ScriptedSmtp(answers) as relay:
        await stores.letters.add(automatic())
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert len(relay.accepted) == 1
        assert len((await stores.letters.get("let_1")).attempts) == 2


async def test_a_letter_that_nobody_takes_is_given_up_in_the_end(
    stores: Stores, published: Published
) -> None:
    hopeless = QUICK.model_copy(update={"retry": RetrySettings(first_pause=0.02, give_up_after=0.3)})
    async with ScriptedSmtp({"RCPT": ["451 not now"] * 100}) as relay:
        await stores.letters.add(letter())
        async with delivering(stores, relay.address, hopeless):
            await eventually(lambda: in_state(stores, LetterState.FAILED, "1"))

        stored = await stores.letters.get("let_1")
        assert stored.reason == f"given up after {len(stored.attempts)} tries: 451 not now"
        assert len(stored.attempts) > 1
        assert types(published) == ["ombud.letter.failed.v1"]


async def test_a_recipient_refused_is_the_failure_of_his_letter_alone(
    stores: Stores, published: Published
) -> None:
    unknown = "unknown@customer.example"
    async with ScriptedSmtp({"RCPT": {unknown: ["550 5.1.1 no such user"]}}) as relay:
        await stores.letters.add(letter("1"))
        await stores.letters.add(letter("2", to=Contact(address=unknown)))
        await stores.letters.add(letter("3"))
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1", "3"))
            await eventually(lambda: in_state(stores, LetterState.FAILED, "2"))

        failed = await stores.letters.get("let_2")
        assert (failed.reason, failed.wake_at) == ("refused: 550 5.1.1 no such user", None)
        assert Counter(types(published)) == {"ombud.letter.sent.v1": 2, "ombud.letter.failed.v1": 1}


async def test_a_letter_that_cannot_be_written_fails_and_holds_up_no_other(stores: Stores) -> None:
    async with ScriptedSmtp() as relay:
        await stores.letters.add(letter("bad", to=Contact(address="ada@example.org\r\nRCPT TO:<v@x.y>")))
        await stores.letters.add(letter("good"))
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "good"))
            await eventually(lambda: in_state(stores, LetterState.FAILED, "bad"))

        assert [taken.recipients for taken in relay.received] == [("ada@customer.example",)]


async def test_more_letters_than_find_room_all_go_out(stores: Stores) -> None:
    narrow = QUICK.model_copy(update={"queue": 2})
    names = [str(number) for number in range(20)]
    for name in names:
        await stores.letters.add(letter(name))
    async with ScriptedSmtp() as relay:
        async with delivering(stores, relay.address, narrow):
            await eventually(lambda: in_state(stores, LetterState.SENT, *names))
        assert len(relay.accepted) == 20


async def test_a_letter_made_before_the_clock_was_set_back_has_no_negative_age(stores: Stores) -> None:
    def ages() -> float:
        return metrics.REGISTRY.get_sample_value("ombud_letter_age_seconds_sum") or 0.0

    before = ages()
    now = datetime.now(UTC)
    async with ScriptedSmtp() as relay:
        await stores.letters.add(letter(at=now + timedelta(hours=1), wake_at=now))
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

    assert ages() == before
