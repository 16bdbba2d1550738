"""Changing tickets. Each honours If-Match and Idempotency-Key and answers with the ticket afterwards."""

from fastapi import APIRouter, Request, Response

from services.api import commands, views
from services.api.bodies import (
    AssigneeBody,
    IdempotencyKey,
    IfMatch,
    NewNote,
    NewReply,
    PriorityBody,
    SnoozeBody,
    StatusBody,
    TicketId,
)
from services.api.commands import Done
from services.api.conditions import deed_of, etag
from services.api.context import InApi, WriteCall, answer
from services.api.described import headers, problems
from services.api.problems import FieldError, ProblemRaised
from shared.domain.cause import Cause
from shared.domain.errors import Invalid
from shared.domain.ticket import Ticket

router = APIRouter(tags=["Changing tickets"])

_DONE = headers("ETag", "Idempotency-Replayed")
_PROBLEMS = problems(
    "not_found", "conflict", "precondition_failed", "unsupported_media_type", "idempotency_key_reused"
)
_PROBLEMS_OF_MOVES = problems(
    "not_found",
    "conflict",
    "move_not_allowed",
    "precondition_failed",
    "unsupported_media_type",
    "idempotency_key_reused",
)


@router.post(
    "/v1/tickets/{ticket_id}/reply",
    operation_id="replyToTicket",
    summary="Answer the customer",
    status_code=201,
    response_model=views.Spoken,
    responses={201: _DONE, **_PROBLEMS_OF_MOVES},
)
async def reply(
    api: InApi,
    call: WriteCall,
    request: Request,
    ticket_id: TicketId,
    body: NewReply,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A letter follows; the ticket waits for the customer unless told otherwise."""
    deed = deed_of(call, request, body, idempotency_key)
    return _spoken(await commands.reply(api, ticket_id, body, deed, if_match))


@router.post(
    "/v1/tickets/{ticket_id}/note",
    operation_id="noteOnTicket",
    summary="Leave a note",
    status_code=201,
    response_model=views.Spoken,
    responses={201: _DONE, **_PROBLEMS},
)
async def note(
    api: InApi,
    call: WriteCall,
    request: Request,
    ticket_id: TicketId,
    body: NewNote,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """For colleagues; customers never see it."""
    deed = deed_of(call, request, body, idempotency_key)
    return _spoken(await commands.note(api, ticket_id, body, deed, if_match))


@router.put(
    "/v1/tickets/{ticket_id}/status",
    operation_id="setStatus",
    summary="Move a ticket to another state",
    response_model=views.TicketView,
    responses={200: _DONE, **_PROBLEMS_OF_MOVES},
)
async def set_status(
    api: InApi,
    call: WriteCall,
    request: Request,
    ticket_id: TicketId,
    body: StatusBody,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A move that its state forbids is answered with those that are allowed."""
    deed = deed_of(call, request, body, idempotency_key)
    done = await commands.change(
        api,
        ticket_id,
        deed,
        if_match,
        lambda ticket, cause: ticket.change_status(body.status, cause, body.reason),
    )
    return _changed(done)


@router.post(
    "/v1/tickets/{ticket_id}/snooze",
    operation_id="snoozeTicket",
    summary="Put a ticket on hold until an instant",
    response_model=views.TicketView,
    responses={200: _DONE, **_PROBLEMS_OF_MOVES},
)
async def snooze(
    api: InApi,
    call: WriteCall,
    request: Request,
    ticket_id: TicketId,
    body: SnoozeBody,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """At that instant it opens by itself, or at a reply before it; any other move ends it as well."""
    deed = deed_of(call, request, body, idempotency_key)
    done = await commands.change(
        api, ticket_id, deed, if_match, lambda ticket, cause: _snooze(ticket, body, cause)
    )
    return _changed(done)


@router.put(
    "/v1/tickets/{ticket_id}/assignee",
    operation_id="setAssignee",
    summary="Give a ticket to somebody",
    response_model=views.TicketView,
    responses={200: _DONE, **_PROBLEMS},
)
async def set_assignee(
    api: InApi,
    call: WriteCall,
    request: Request,
    ticket_id: TicketId,
    body: AssigneeBody,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """To an agent, a team, both, or nobody."""
    deed = deed_of(call, request, body, idempotency_key)
    done = await commands.change(
        api,
        ticket_id,
        deed,
        if_match,
        lambda ticket, cause: ticket.assign(body.assignee, body.team, cause),
    )
    return _changed(done)


@router.put(
    "/v1/tickets/{ticket_id}/priority",
    operation_id="setPriority",
    summary="Set a ticket's priority",
    response_model=views.TicketView,
    responses={200: _DONE, **_PROBLEMS},
)
async def set_priority(
    api: InApi,
    call: WriteCall,
    request: Request,
    ticket_id: TicketId,
    body: PriorityBody,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A person's word: no machine changes it afterwards."""
    deed = deed_of(call, request, body, idempotency_key)
    done = await commands.change(
        api, ticket_id, deed, if_match, lambda ticket, cause: ticket.set_priority(body.priority, cause)
    )
    return _changed(done)


def _snooze(ticket: Ticket, body: SnoozeBody, cause: Cause) -> None:
    try:
        ticket.snooze(body.until, cause)
    except Invalid as fault:
        errors = [FieldError(pointer=f"/{name}", detail=why) for name, why in fault.fields.items()]
        raise ProblemRaised("invalid", str(fault), errors=errors) from fault


def _changed(done: Done) -> Response:
    view = views.TicketView.model_validate(done.ticket)
    return answer(view, headers={"ETag": etag(view.version)}, replayed=done.replayed)


def _spoken(done: Done) -> Response:
    view = views.Spoken(
        message=views.MessageView.model_validate(done.message),
        ticket=views.TicketView.model_validate(done.ticket),
    )
    return answer(view, 201, {"ETag": etag(view.ticket.version)}, replayed=done.replayed)
