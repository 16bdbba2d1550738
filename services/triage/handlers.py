"""What triage does when something happened. Handling an event again finds the triage of the first time."""

import hashlib

from services.triage.ports import Answer, Model, Question
from shared import metrics
from shared.domain.events import TicketOpened
from shared.domain.received import Received
from shared.domain.triage import Triage, triage_id
from shared.ports.clock import Clock
from shared.runtime.service import Routes
from shared.stores.stores import Stores


class TriageHandlers:
    """See the module. `longest_text`: characters of a message that are classified."""

    def __init__(self, stores: Stores, model: Model, clock: Clock, longest_text: int) -> None:
        self._stores = stores
        self._model = model
        self._clock = clock
        self._longest_text = longest_text

    def routes(self) -> Routes:
        """Which handler takes which event."""
        return {TicketOpened: self.classify_opened}

    async def classify_opened(self, received: Received[TicketOpened]) -> None:
        """Classify a new ticket by its first message and put the finding on the ticket."""
        event = received.event
        known = await self._stores.triages.get_many([triage_id(event.ticket_id, event.id)])
        triage = next(iter(known.values()), None) or await self._classified(event)
        cause = received.cause("triage", self._clock.now())
        await self._stores.tickets.change(
            event.ticket_id,
            lambda ticket: ticket.triaged(triage.id, triage.found, triage.rung, triage.reasons, cause),
        )

    async def _classified(self, event: TicketOpened) -> Triage:
        message = await self._stores.messages.get(event.message_id)
        question = Question(event.subject, message.said[: self._longest_text])
        started = self._clock.monotonic()
        answer = await self._model.classify(question)
        metrics.TRIAGE_RUNS.labels(answer.rung.value).inc()
        triage = self._record(event, question, answer, self._clock.monotonic() - started)
        return await self._stores.triages.add(triage)

    def _record(self, event: TicketOpened, question: Question, answer: Answer, took: float) -> Triage:
        return Triage(
            id=triage_id(event.ticket_id, event.id),
            ticket_id=event.ticket_id,
            found=answer.found,
            priority=answer.found.priority,
            rung=answer.rung,
            model=answer.model,
            prompt_version=answer.prompt_version,
            confidence=answer.confidence,
            reasons=answer.reasons,
            input_digest=hashlib.sha256(f"{question.subject}\0{question.text}".encode()).hexdigest(),
            took_seconds=took,
            at=self._clock.now(),
        )
