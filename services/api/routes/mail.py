"""The mail behind the tickets: raw mails, letters, and what became of one mail."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.api import views
from services.api.bodies import Id, PageQuery, TicketId
from services.api.context import READS, READS_MAIL, InApi, WriteCall, answer
from services.api.described import bytes_of, headers, problems
from services.api.paging import page
from services.api.raw_mails import RAW, raw_mail
from shared.domain.errors import NotFound
from shared.domain.letters import LetterState
from shared.ports.documents import Order
from shared.stores.trace import trace

router = APIRouter(tags=["Mail"])


class LetterQuery(PageQuery):
    """Which letters."""

    ticket_id: str | None = Field(default=None, pattern=r"^tkt_[0-9a-z]{1,60}$")
    state: LetterState | None = None


@router.get(
    "/v1/tickets/{ticket_id}/raw/{message_id}",
    operation_id="getRawMail",
    dependencies=READS_MAIL,
    summary="Download a mail as it came",
    response_class=StreamingResponse,
    responses={200: bytes_of(RAW), **problems("not_found")},
)
async def get_raw_mail(api: InApi, ticket_id: TicketId, message_id: Id) -> Response:
    """Byte for byte what the mailbox server gave us."""
    message = await api.stores.messages.get(message_id)
    if message.ticket_id != ticket_id or not message.raw:
        raise NotFound("no raw mail of this ticket")
    return await raw_mail(api, message.raw, message.id)


@router.get(
    "/v1/letters",
    operation_id="listLetters",
    dependencies=READS,
    summary="List letters",
    response_model=views.LetterList,
    responses={200: headers("Link"), **problems("bad_cursor")},
)
async def list_letters(api: InApi, request: Request, query: Annotated[LetterQuery, Query()]) -> Response:
    """What was written to people and what became of it, the newest first."""
    where: dict[str, Any] = {"ticket_id": query.ticket_id, "state": query.state and query.state.value}
    asked = {name: value for name, value in where.items() if value is not None}
    order = Order("created_at", descending=True)
    letters, cursor, found = await page(api, request, api.stores.letters, asked, order, query)
    data = [views.LetterView.model_validate(letter) for letter in letters]
    return answer(views.LetterList(data=data, next_cursor=cursor), headers=found)


@router.get(
    "/v1/letters/{letter_id}",
    operation_id="getLetter",
    dependencies=READS,
    summary="Get a letter",
    response_model=views.LetterView,
    responses=problems("not_found"),
)
async def get_letter(api: InApi, letter_id: Id) -> Response:
    """With every try and what the relay said to it, which mostly names the mail in the relay's own log."""
    return answer(views.LetterView.model_validate(await api.stores.letters.get(letter_id)))


@router.post(
    "/v1/letters/{letter_id}/cancel",
    operation_id="cancelLetter",
    summary="Do not send a letter",
    response_model=views.LetterView,
    responses=problems("not_found", "move_not_allowed"),
)
async def cancel_letter(api: InApi, call: WriteCall, letter_id: Id) -> Response:
    """For one that is held or waits: its ticket gets a note and is open again. Once more changes nothing."""
    now = api.now()
    cancelled = await api.stores.letters.change(letter_id, lambda letter: letter.cancelled(now, call.actor))
    return answer(views.LetterView.model_validate(cancelled))


@router.get(
    "/v1/mails/{message_id:path}",
    operation_id="traceMail",
    dependencies=READS_MAIL,
    summary="Find out what became of a mail",
    response_model=views.MailTrace,
    responses=problems("not_found"),
)
async def trace_mail(
    api: InApi,
    message_id: Annotated[
        str, Path(min_length=1, max_length=998, pattern=r"^[^\x00-\x20]+$", examples=["a1@example.com"])
    ],
) -> Response:
    """By its Message-ID: the ledger's entries, its ticket, the letters that followed."""
    found = await trace(api.stores, message_id)
    return answer(
        views.MailTrace(
            message_id=found.message_id,
            ledger=[views.LedgerView.model_validate(entry) for entry in found.ledger],
            messages=[views.MessageView.of(message) for message in found.messages],
            tickets=[views.TicketView.model_validate(ticket) for ticket in found.tickets],
            letters=[views.LetterView.model_validate(letter) for letter in found.letters],
        )
    )
