"""How often a letter's content goes out when answers are lost and senders die."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.notify.settings import NotifySettings
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Unavailable
from shared.domain.letters import Letter, LetterState
from shared.stores.collections import LETTERS
from shared.stores.store import PublishingStore
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.servers.smtp import DROP, SILENCE, ScriptedSmtp
from tests.unit.notify.conftest import Published
from tests.unit.notify.samples import QUICK, automatic, delivering, dying, letter
from tests.unit.notify.watching import SLOW_ANSWER, after_the_lease, in_state, killed_while_sending, types


@pytest.mark.parametrize("cut", [DROP, SILENCE])
async def test_an_automatic_letter_whose_answer_was_lost_is_given_up(
    stores: Stores, published: Published, cut: str
) -> None:
    async with ScriptedSmtp({"DATA": [cut]}) as relay:
        await stores.letters.add(automatic())
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.FAILED, "1"))

        assert (await stores.letters.get("let_1")).reason.startswith("uncertain: ")
        assert types(published) == ["ombud.letter.failed.v1"]
        assert len(relay.received) == 1


@pytest.mark.parametrize("cut", [DROP, SILENCE])
async def test_a_reply_whose_answer_was_lost_goes_out_again_as_the_same_mail(
    stores: Stores, cut: str
) -> None:
    async with ScriptedSmtp({"DATA": [cut]}) as relay:
        await stores.letters.add(letter())
        async with delivering(stores, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        first, second = relay.received
        assert first.content == second.content
        assert second.accepted


async def test_a_reply_whose_sender_was_killed_goes_out_again_as_the_same_mail(stores: Stores) -> None:
    died = await killed_while_sending(stores, letter())
    async with ScriptedSmtp() as relay:
        async with delivering(stores, relay.address, clock=after_the_lease()):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert [one.content for one in relay.accepted] == [one.content for one in died.received]


async def test_an_automatic_letter_whose_sender_was_killed_never_goes_out_twice(
    stores: Stores, published: Published
) -> None:
    await killed_while_sending(stores, automatic())
    async with ScriptedSmtp() as relay:
        async with delivering(stores, relay.address, clock=after_the_lease()):
            await eventually(lambda: in_state(stores, LetterState.FAILED, "1"))

        assert (await stores.letters.get("let_1")).reason.startswith("uncertain: ")
        assert relay.received == []
        assert types(published) == ["ombud.letter.failed.v1"]


async def test_a_letter_being_sent_by_another_is_not_taken_before_the_relays_time_is_over(
    stores: Stores,
) -> None:
    await killed_while_sending(stores, letter())
    async with ScriptedSmtp() as relay:
        await stores.letters.add(letter("other"))
        early = FakeClock(datetime.now(UTC) + timedelta(seconds=SLOW_ANSWER.accept_seconds))
        async with delivering(stores, relay.address, clock=early):
            await eventually(lambda: in_state(stores, LetterState.SENT, "other"))

        assert await in_state(stores, LetterState.SENDING, "1")
        assert len(relay.received) == 1


async def test_letters_in_the_memory_of_a_killed_process_come_due_again(stores: Stores) -> None:
    own = QUICK.model_copy(update={"connections": 1, "accept_seconds": 30.0})
    names = [str(number) for number in range(1, 6)]
    async with ScriptedSmtp({"DATA": [SILENCE]}) as relay:
        for name in names:
            await stores.letters.add(letter(name))
        async with dying(stores, relay.address, own):
            await eventually(lambda: relay.received)

    async with ScriptedSmtp() as relay:
        async with delivering(stores, relay.address, clock=after_the_lease(NotifySettings())):
            await eventually(lambda: in_state(stores, LetterState.SENT, *names))
        assert len(relay.accepted) == 5


async def test_whoever_has_lost_a_letter_sends_nothing_of_it(stores: Stores) -> None:
    async with ScriptedSmtp() as relay, delivering(stores, relay.address) as deliverer:
        now = datetime.now(UTC)
        stale = letter(at=now, wake_at=now + timedelta(hours=1))
        await stores.letters.add(stale.model_copy(deep=True))
        await stores.letters.change("let_1", lambda another: another.touch())
        deliverer.offer(stale)
        await stores.letters.add(letter("next"))
        await eventually(lambda: in_state(stores, LetterState.SENT, "next"))
        await eventually(lambda: stale.state is LetterState.SENDING)

    assert await in_state(stores, LetterState.QUEUED, "1")
    assert len(relay.received) == 1


async def test_two_processes_send_each_letter_once(tmp_path: Path, stores: Stores) -> None:
    names = [str(number) for number in range(100)]
    for name in names:
        await stores.letters.add(automatic(name))
    async with ScriptedSmtp() as relay, SqliteFile.open(tmp_path / "ombud.sqlite") as file:
        second = Stores.over(SqliteDocuments(file), Published())
        async with delivering(stores, relay.address), delivering(second, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, *names))

        sent = Counter(one.content.split(b"Message-ID: ")[1].split(b"\r\n")[0] for one in relay.received)
        assert len(sent) == 100
        assert set(sent.values()) == {1}
        assert relay.connections <= 2 * QUICK.connections


class Lossy(PublishingStore[Letter]):
    """A store whose answer to one save is lost, as the port allows: it was made, its caller cannot know."""

    def __init__(self, stores: Stores, published: Published, losing: LetterState) -> None:
        super().__init__(stores.documents, LETTERS, published)
        self._losing: LetterState | None = losing

    async def save(self, document: Letter, if_version: int) -> None:
        await super().save(document, if_version)
        if document.state is self._losing:
            self._losing = None
            raise Unavailable("store", "its answer was lost")


@pytest.mark.parametrize("losing", [LetterState.SENDING, LetterState.SENT])
async def test_a_save_whose_answer_was_lost_neither_loses_nor_doubles_an_automatic_letter(
    stores: Stores, published: Published, losing: LetterState
) -> None:
    lossy = replace(stores, letters=Lossy(stores, published, losing))
    async with ScriptedSmtp() as relay:
        await stores.letters.add(automatic())
        async with delivering(lossy, relay.address):
            await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert len(relay.received) == 1
