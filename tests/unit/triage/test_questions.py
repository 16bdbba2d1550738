"""What triage asks its model, and what it writes down of the answer."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.triage.handlers import TriageHandlers
from services.triage.ports import Answer, Question
from services.triage.rules import classify
from shared.domain.errors import NotFound, Unavailable
from shared.domain.messages import Direction, Message
from shared.domain.triage import Triage
from shared.runtime.service import Handle, routed
from tests.fakes.clock import FakeClock
from tests.platforms import Ground, embedded
from tests.unit.domain.samples import opened

LONGEST = 120


class Asked:
    """The rules, behind a model that is away as long as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.away = False

    async def classify(self, question: Question) -> Answer:
        self.questions.append(question)
        if self.away:
            raise Unavailable("model", "it is away")
        return classify(question)


@pytest.fixture
def model() -> Asked:
    return Asked()


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, FakeClock()) as ground:
        yield ground


def handler(ground: Ground, model: Asked) -> Handle:
    handlers = TriageHandlers(ground.platform.stores, model, ground.platform.clock, LONGEST)
    return routed(handlers.routes())


async def written(ground: Ground, text: str, reply_text: str = "") -> None:
    """A ticket with its first message."""
    stores, at = ground.platform.stores, ground.platform.clock.now()
    await stores.messages.add(
        Message(
            id="msg_1",
            ticket_id="tkt_1",
            direction=Direction.INBOUND,
            author="customer",
            text=text,
            reply_text=reply_text,
            at=at,
        )
    )
    await stores.tickets.add(opened())


async def triages(ground: Ground) -> list[Triage]:
    return (await ground.platform.stores.triages.find({})).items


async def test_a_long_message_is_classified_by_its_beginning_alone(ground: Ground, model: Asked) -> None:
    await written(ground, "x" * LONGEST + " urgent outage")
    await ground.feed(handler(ground, model))

    assert model.questions == [Question("Help", "x" * LONGEST)]


async def test_what_a_reply_quotes_is_not_classified(ground: Ground, model: Asked) -> None:
    await written(ground, "Thanks.\n> urgent outage", reply_text="Thanks.")
    await ground.feed(handler(ground, model))

    assert [question.text for question in model.questions] == ["Thanks."]


async def test_the_record_says_what_was_found_by_whom_on_what_text_and_why(
    ground: Ground, model: Asked
) -> None:
    await written(ground, "Production outage, urgent!")
    await ground.feed(handler(ground, model))
    (triage,) = await triages(ground)
    answer = classify(Question("Help", "Production outage, urgent!"))

    assert (triage.found, triage.rung, triage.reasons) == (answer.found, answer.rung, answer.reasons)
    assert triage.confidence == answer.confidence
    assert triage.priority is answer.found.priority
    assert triage.input_digest == hashlib.sha256(b"Help\0Production outage, urgent!").hexdigest()


async def test_the_model_is_asked_once_however_often_the_event_comes(ground: Ground, model: Asked) -> None:
    await written(ground, "Production outage, urgent!")
    for _ in range(3):
        await ground.feed(handler(ground, model))

    assert len(model.questions) == 1
    assert len(await triages(ground)) == 1


async def test_a_model_that_is_away_leaves_the_ticket_untriaged_until_it_is_back(
    ground: Ground, model: Asked
) -> None:
    await written(ground, "Production outage, urgent!")
    model.away = True
    with pytest.raises(Unavailable):
        await ground.feed(handler(ground, model))
    assert (await ground.platform.stores.tickets.get("tkt_1")).triage_state == "pending"
    assert await triages(ground) == []

    model.away = False
    await ground.feed(handler(ground, model))
    assert (await ground.platform.stores.tickets.get("tkt_1")).triage_state == "done"


async def test_a_ticket_whose_message_is_not_there_is_set_aside_and_not_guessed_at(
    ground: Ground, model: Asked
) -> None:
    await ground.platform.stores.tickets.add(opened())
    with pytest.raises(NotFound):
        await ground.feed(handler(ground, model))

    assert model.questions == []
