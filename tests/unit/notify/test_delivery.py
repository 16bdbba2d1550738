"""Delivery to a relay that misbehaves: what becomes of the letter, and how often its content goes out."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.notify.delivery import ANSWER_MARGIN
from services.notify.settings import NotifySettings, RetrySettings
from services.sandbox.smtp_sink import SmtpSink
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Unavailable
from shared.domain.letters import Letter, LetterState
from shared.domain.ticket import Contact
from shared.stores.collections import COLLECTIONS, LETTERS
from shared.stores.store import PublishingStore
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually, free_port
from tests.servers.smtp import DROP, SILENCE, Answers, ScriptedSmtp
from tests.unit.notify.conftest import Published
from tests.unit.notify.samples import QUICK, automatic, delivering, dying, letter

PATIENT = QUICK.model_copy(update={"retry": RetrySettings()})
"""Tries again in a minute, so that a test sees what the first try left."""


async def in_state(stores: Stores, state: LetterState, *names: str) -> bool:
    found = await stores.letters.get_many([f"let_{name}" for name in names])
    return len(found) == len(names) and all(one.state is state for one in found.values())


async def tried(stores: Stores, name: str = "1", times: int = 1) -> Letter | None:
    stored = await stores.letters.get(f"let_{name}")
    return stored if len(stored.attempts) >= times else None


def types(published: Published) -> list[str]:
    return [envelope.type for envelope in published.envelopes]


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


SLOW_ANSWER = QUICK.model_copy(update={"accept_seconds": 30.0})


async def killed_while_sending(stores: Stores, own: Letter) -> ScriptedSmtp:
    """A process sends the letter and is killed before the relay has answered."""
    async with ScriptedSmtp({"DATA": [SILENCE]}) as relay:
        await stores.letters.add(own)
        async with dying(stores, relay.address, SLOW_ANSWER):
            await eventually(lambda: relay.received)
    assert await in_state(stores, LetterState.SENDING, "1")
    return relay


def after_the_lease(settings: NotifySettings = SLOW_ANSWER) -> FakeClock:
    held = settings.accept_seconds + ANSWER_MARGIN
    return FakeClock(datetime.now(UTC) + timedelta(seconds=held + 1))


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


async def test_more_letters_than_find_room_all_go_out(stores: Stores) -> None:
    narrow = QUICK.model_copy(update={"queue": 2})
    names = [str(number) for number in range(20)]
    for name in names:
        await stores.letters.add(letter(name))
    async with ScriptedSmtp() as relay:
        async with delivering(stores, relay.address, narrow):
            await eventually(lambda: in_state(stores, LetterState.SENT, *names))
        assert len(relay.accepted) == 20


async def test_letters_wait_while_the_relay_is_down_and_go_when_it_is_back(
    stores: Stores, tmp_path: Path
) -> None:
    names = [str(number) for number in range(10)]
    for name in names:
        await stores.letters.add(automatic(name))
    port = free_port()
    async with delivering(stores, ("127.0.0.1", port)) as deliverer:
        await eventually(lambda: given_back(stores, names))
        with pytest.raises(Unavailable, match="smtp"):
            await deliverer.ping()
        new = letter("new")
        new.wake_at = deliverer.first_wake(new.created_at)
        assert new.wake_at == new.created_at
        await stores.letters.add(new)
        deliverer.offer(new)

        async with SmtpSink("127.0.0.1", port, tmp_path / "outbox") as sink:
            await eventually(lambda: in_state(stores, LetterState.SENT, *names, "new"))
            await deliverer.ping()
            assert len(sink.letters()) == 11

    waited = await stores.letters.get_many([f"let_{name}" for name in names])
    assert {len(one.attempts) for one in waited.values()} == {1}


async def given_back(stores: Stores, names: list[str]) -> bool:
    """Whether all letters have been claimed and given back, unblamed and due."""
    found = (await stores.letters.get_many([f"let_{name}" for name in names])).values()
    now = datetime.now(UTC)
    due = [one for one in found if one.version >= 3 and one.wake_at is not None and one.wake_at <= now]
    return len(due) == len(names) and all(one.state is LetterState.QUEUED and not one.attempts for one in due)


async def test_stopping_finishes_what_is_being_sent_and_gives_the_rest_back(stores: Stores) -> None:
    one_at_a_time = QUICK.model_copy(update={"connections": 1})
    names = [str(number) for number in range(5)]
    for name in names:
        await stores.letters.add(letter(name))
    async with Holding() as relay:
        async with delivering(stores, relay.address, one_at_a_time):
            await eventually(lambda: relay.holds)
            asyncio.get_running_loop().call_later(0.1, relay.let_go.set)

        states = Counter([(await stores.letters.get(f"let_{name}")).state for name in names])
        assert states == {LetterState.SENT: 1, LetterState.QUEUED: 4}
        waiting = [name for name in names if await in_state(stores, LetterState.QUEUED, name)]
        assert await given_back(stores, waiting)
        assert relay.taken == 1


class Holding(ScriptedSmtp):
    """A relay that answers a mail's content only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.holds = False
        self.taken = 0

    async def handle_DATA(self, session: Any, details: object, envelope: Any) -> str:  # noqa: N802  # its name
        self.holds = True
        await self.let_go.wait()
        self.taken += 1
        return await super().handle_DATA(session, details, envelope)


async def test_a_store_that_is_away_when_the_relay_answers_costs_no_second_mail(tmp_path: Path) -> None:
    async with impatient(tmp_path) as (stores, lock), Holding() as relay:
        await stores.letters.add(automatic())
        with capture_logs() as logs:
            async with delivering(stores, relay.address, SLOW_ANSWER):
                await eventually(lambda: relay.holds)
                lock.execute("BEGIN IMMEDIATE")
                relay.let_go.set()
                await eventually(lambda: told(logs, "letter.unsaved"))
                lock.execute("ROLLBACK")
                await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert len(relay.received) == 1


async def test_a_store_that_is_away_before_the_content_withholds_it_and_loses_nothing(tmp_path: Path) -> None:
    short_lease = QUICK.model_copy(update={"lease_seconds": 0.2})
    async with impatient(tmp_path) as (stores, lock), Asking() as relay:
        await stores.letters.add(automatic())
        with capture_logs() as logs:
            async with delivering(stores, relay.address, short_lease):
                await eventually(lambda: relay.asked)
                lock.execute("BEGIN IMMEDIATE")
                relay.let_go.set()
                await eventually(lambda: told(logs, "letter.withheld"))
                assert relay.received == []
                lock.execute("ROLLBACK")
                await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert len(relay.received) == 1


class Asking(ScriptedSmtp):
    """A relay that accepts a recipient only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = asyncio.Event()
        self.asked = False

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, session: Any, details: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.asked = True
        await self.let_go.wait()
        return await super().handle_RCPT(session, details, envelope, address, options)


@asynccontextmanager
async def impatient(folder: Path) -> AsyncIterator[tuple[Stores, sqlite3.Connection]]:
    """Stores that soon give up waiting for a lock, and somebody else's hand on it."""
    path = folder / "impatient.sqlite"
    async with SqliteFile.open(path, patience=0.05) as file:
        documents = SqliteDocuments(file)
        await documents.prepare(COLLECTIONS)
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            yield Stores.over(documents, Published()), lock


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


def told(logs: list[Any], event: str) -> bool:
    return any(line["event"] == event for line in logs)


async def test_a_fault_of_ours_in_one_letter_is_noted_on_it_and_stops_nothing(stores: Stores) -> None:
    class Faulty(FakeClock):
        """A clock that breaks once, when the first letter is about to be marked as being sent."""

        broken = False

        def now(self) -> datetime:
            if relay.named and not self.broken:
                self.broken = True
                raise ZeroDivisionError
            return datetime.now(UTC)

    async with Naming() as relay:
        await stores.letters.add(letter("first"))
        async with delivering(stores, relay.address, PATIENT, clock=Faulty()):
            await eventually(lambda: tried(stores, "first"))
            await stores.letters.add(letter("second"))
            await eventually(lambda: in_state(stores, LetterState.SENT, "second"))

    first = await stores.letters.get("let_first")
    assert (first.state, first.attempts[0].answer) == (LetterState.QUEUED, "a fault of ours")
    assert len(relay.received) == 1


class Naming(ScriptedSmtp):
    """A relay that notes when the first recipient has been named."""

    named = False

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, session: Any, details: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.named = True
        return await super().handle_RCPT(session, details, envelope, address, options)
