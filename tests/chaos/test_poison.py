"""Poison on every topic, and everything bad after a deploy: row 13 of the test matrix.

What nobody can read is set aside once for each group that acts on it, with a reason, and hurts nothing else.
When everything is bad, a consumer stops itself before it has drained the topic, readiness says so and what to
do; once the cause is mended, what was set aside is put back and each mail is one message on one ticket (I2).
Single poisoned events, and the verbs that show and replay them, are in `tests/story/test_bad_input.py`.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.cli.serve import VERBS, builder
from services.sandbox.maildrop import deliver
from services.sandbox.sandbox import maildir_of
from services.settings import OmbudSettings
from shared.domain.events import EVENTS, MAIL_TOPIC, TICKETS_TOPIC, TOPICS
from shared.domain.ids import digest
from shared.domain.mail_fetched import TYPE, MailFetched, thread_key, trace_of
from shared.ports.bus import Message
from shared.runtime.dead import DeadEvent, list_dead, replay_dead
from shared.runtime.guard import LEAST_SEEN
from shared.runtime.service import Platform
from shared.runtime.settings import KafkaSettings, MailboxSettings, MongoSettings
from shared.runtime.wiring import open_platform
from tests.chaos.harness import LONG, Trial, on_cluster, on_embedded
from tests.helpers import eventually
from tests.story.programs import mail

GOOD = 14
"""Mails before the poison: too small a share of it goes dead for a consumer to stop."""
BAD = LEAST_SEEN + 10
UIDS = 1_000_000
"""UIDs of mails that stand in no mailbox."""
SECRET = "a secret of the tests, and nobody else's"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


@asynccontextmanager
async def beside(trial: Trial) -> AsyncIterator[Platform]:
    """The stores and the bus of a running trial, as another process has them."""
    fixed: dict[str, Any] = {"data": trial.data}
    if "kafka" in trial.program.ready:
        ready = trial.program.ready
        servers = {
            "kafka": KafkaSettings(bootstrap=ready["kafka"]),
            "mongo": MongoSettings(url=ready["mongo"]),
        }
        fixed |= {**servers, "secret": SECRET}
    async with AsyncExitStack() as stack:
        yield (await open_platform(OmbudSettings(**fixed), stack, "beside")).platform


async def dead_events(platform: Platform) -> list[DeadEvent]:
    return [event for topic in TOPICS for event in await list_dead(platform.bus, topic, 10_000)]


def poison_of_mail() -> list[Message]:
    """Records that claim to be fetched mails, each wrong in another way."""
    at = datetime.now(UTC)
    right = MailFetched("support", 1, UIDS, digest(b"x"), at, at, trace_of("x"), b"x").headers()
    wrong: list[dict[str, str]] = [
        {},
        {"ce_type": TYPE},
        right | {"ce_uid": "many"},
        right | {"ce_receivedat": "yesterday"},
        {name: value for name, value in right.items() if name != "ce_digest"},
    ]
    return [Message(MAIL_TOPIC, f"poison-{number}", b"\xff\x00", head) for number, head in enumerate(wrong)]


def poison_of_tickets() -> list[Message]:
    """Each type of event without what it must hold, and two records that are no events of ours."""
    hollow = [Message(TICKETS_TOPIC, kind, b'{"ticket_id": "tkt_1"}', {"ce_type": kind}) for kind in EVENTS]
    strange = [
        Message(TICKETS_TOPIC, "raw", b"\xff\x00"),
        Message(TICKETS_TOPIC, "foreign", b"{}", {"ce_type": "com.example.v1"}),
    ]
    return hollow + strange


def from_the_future() -> list[Message]:
    """Versions that a later release may write: an old reader passes them over."""
    kinds = [kind.removesuffix(".v1") + ".v2" for kind in EVENTS]
    return [Message(TICKETS_TOPIC, kind, b"\xff\x00", {"ce_type": kind}) for kind in kinds]


async def expected_dead(
    platform: Platform, maildir: Path, kinds: Mapping[str, Sequence[str]]
) -> Counter[tuple[str, str]]:
    """How many dead events each group shall leave on which topic, by what its reader acts on.

    `kinds` are the types of the poison on each topic, empty for what has none.
    """
    mailboxes = {"support": MailboxSettings(address="support@sandbox.example", maildir=maildir)}
    async with AsyncExitStack() as stack:
        settings = OmbudSettings(mailboxes=mailboxes)
        services = [await builder(name)(platform, settings, stack) for name in VERBS]
    found: Counter[tuple[str, str]] = Counter()
    for reader in (reader for service in services for reader in service.readers):
        found[reader.group, reader.topic] = sum(kind not in reader.ignored for kind in kinds[reader.topic])
    return found


async def all_ready(trial: Trial) -> bool:
    return not await trial.ready()


async def answered(trial: Trial, *tokens: str) -> None:
    """Wait until each of these mails has gone all the way."""
    addresses = {f"{token}@example.org" for token in tokens}
    await eventually(
        lambda: addresses <= {letter["X-Envelope-To"] for letter in trial.program.letters()},
        awaited=f"answers to {len(tokens)} mails",
        within=60,
    )


async def test_every_kind_of_poison_is_set_aside_once_for_each_group_that_acts_on_it(tmp_path: Path) -> None:
    async with on_embedded("poison on each topic", tmp_path) as trial, beside(trial) as platform:
        before = [f"before-{number}" for number in range(GOOD)]
        for token in before:
            deliver(maildir_of(tmp_path), mail(token))
        await answered(trial, *before)
        poison = {MAIL_TOPIC: poison_of_mail(), TICKETS_TOPIC: poison_of_tickets()}
        kinds = {topic: [one.headers.get("ce_type", "") for one in some] for topic, some in poison.items()}
        expected = await expected_dead(platform, maildir_of(tmp_path), kinds)
        await platform.bus.publish([*poison_of_mail(), *poison_of_tickets(), *from_the_future()])
        deliver(maildir_of(tmp_path), mail("behind"))
        await answered(trial, "behind")

        async def all_aside() -> bool:
            return len(await dead_events(platform)) >= expected.total()

        await eventually(all_aside, awaited="all poison set aside", within=30)
        found = await dead_events(platform)

        assert Counter((one.group, one.topic) for one in found) == expected
        places = Counter((one.group, one.topic, one.partition, one.offset) for one in found)
        assert set(places.values()) == {1}
        assert all(one.reason.startswith("unreadable: ") for one in found)
        await eventually(lambda: all_ready(trial), awaited="everything ready", within=30)


# -- everything is bad after a deploy


def by_reference(number: int) -> tuple[bytes, Message]:
    """A mail whose bytes the store does not have (yet), and its event."""
    raw, at = mail(f"deploy-{number}"), datetime.now(UTC)
    name = digest(raw)
    fetched = MailFetched("support", 1, UIDS + number, name, at, at, trace_of(name), None)
    return raw, Message(MAIL_TOPIC, thread_key(raw, name), b"", fetched.headers())


async def halted(trial: Trial) -> str:
    """What readiness says of the consumer that stopped itself; empty while none has."""
    told = [said for said in await trial.ready() if "stopped itself" in said]
    return told[0] if told else ""


async def restart_ingest(trial: Trial) -> None:
    """As the deploy that mends it does."""
    if "kafka" in trial.program.ready:
        await trial.killer.kill("ingest-1")
    else:
        await trial.reborn()


@pytest.mark.parametrize("where", [on_cluster, on_embedded] if LONG else [on_cluster])
async def test_a_deploy_that_can_read_no_mail_stops_itself_and_each_mail_is_one_message_when_it_is_mended(
    tmp_path: Path, where: Callable[..., Any]
) -> None:
    """Mails by reference, and a store of blobs that has none of them: as a wrong bucket would."""
    mails = [by_reference(number) for number in range(BAD)]
    async with where("a bad deploy", tmp_path) as trial, beside(trial) as platform:
        await platform.bus.publish([event for _, event in mails])
        said = await eventually(lambda: halted(trial), awaited="intake stops itself", within=60)
        aside = await dead_events(platform)
        assert "intake" in said
        assert "ombud dead list" in said
        assert 0 < len(aside) < BAD
        assert {one.group for one in aside} == {"intake"}
        assert all(one.reason for one in aside)

        for raw, _ in mails:
            await platform.blobs.put(raw)
        await restart_ingest(trial)
        await replay_dead(platform.bus, [one.id for one in aside])
        await answered(trial, *(f"deploy-{number}" for number in range(BAD)))
        # Once more, by somebody who does not know that it was done.
        await replay_dead(platform.bus, [one.id for one in aside])
        await trial.drained(60)

        kept = Counter(one["raw"] for one in await asyncio.to_thread(documents, trial, "messages"))
        assert {kept[digest(raw)] for raw, _ in mails} == {1}
        entries = await asyncio.to_thread(documents, trial, "ledger")
        assert sum(one["uid"] >= UIDS for one in entries) == BAD
        letters = Counter(letter["X-Envelope-To"] for letter in trial.program.letters())
        assert {letters[f"deploy-{number}@example.org"] for number in range(BAD)} == {1}
        assert len(await dead_events(platform)) == len(aside)
        await eventually(lambda: all_ready(trial), awaited="everything ready", within=30)


def documents(trial: Trial, collection: str) -> list[dict[str, Any]]:
    return list(trial.store.documents(collection))
