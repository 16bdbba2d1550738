"""Reading tickets, and opening them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.api import commands, views
from services.api.bodies import IdempotencyKey, IfNoneMatch, NewTicket, PageQuery, TicketId, TicketQuery
from services.api.conditions import deed_of, etag, is_known
from services.api.context import READS, InApi, WriteCall, answer
from services.api.described import headers, problems
from services.api.paging import page
from services.api.problems import FieldError, ProblemRaised
from services.api.timeline import timeline
from shared.ports.documents import AnyOf, Either, Filter, Order, Range

router = APIRouter(tags=["Tickets"])


@router.get(
    "/v1/tickets",
    operation_id="listTickets",
    dependencies=READS,
    summary="List tickets",
    response_model=views.TicketList,
    responses={200: headers("Link"), **problems("bad_cursor")},
)
async def list_tickets(api: InApi, request: Request, query: Annotated[TicketQuery, Query()]) -> Response:
    """Those that meet every condition, the latest change first; a page at a time, by cursor."""
    where = _filter(query)
    if query.q is not None:
        if query.sort is not None or query.cursor is not None:
            fault = FieldError(parameter="q", detail="goes with neither sort nor cursor: best come first")
            raise ProblemRaised("invalid", "a search has no order but its own", errors=[fault])
        best = await api.stores.tickets.collection.search(query.q, where, query.limit)
        return answer(views.TicketList(data=_seen(best), next_cursor=None))
    sort = query.sort or "-updated_at"
    order = Order(sort.removeprefix("-"), descending=sort.startswith("-"))
    tickets, cursor, found = await page(api, request, api.stores.tickets, where, order, query)
    return answer(views.TicketList(data=_seen(tickets), next_cursor=cursor), headers=found)


@router.post(
    "/v1/tickets",
    operation_id="openTicket",
    summary="Open a ticket",
    status_code=201,
    response_model=views.TicketView,
    responses={
        201: headers("ETag", "Idempotency-Replayed"),
        **problems("unsupported_media_type", "idempotency_key_reused", "conflict"),
    },
)
async def open_ticket(
    api: InApi, call: WriteCall, request: Request, body: NewTicket, idempotency_key: IdempotencyKey = None
) -> Response:
    """As if the customer had written: it is acknowledged, triaged and has its deadlines."""
    done = await commands.open_ticket(api, body, deed_of(call, request, body, idempotency_key))
    view = views.TicketView.model_validate(done.ticket)
    found = {"ETag": etag(view.version), "Location": f"/v1/tickets/{view.id}"}
    return answer(view, 201, found, replayed=done.replayed)


@router.get(
    "/v1/tickets/{ticket_id}",
    operation_id="getTicket",
    dependencies=READS,
    summary="Read a ticket",
    response_model=views.TicketView,
    responses={
        200: headers("ETag"),
        304: {"description": "It is still the version you have"},
        **problems("not_found"),
    },
)
async def get_ticket(api: InApi, ticket_id: TicketId, if_none_match: IfNoneMatch = None) -> Response:
    """One ticket, with its version as ETag."""
    ticket = await api.stores.tickets.get(ticket_id)
    found = {"ETag": etag(ticket.version)}
    if is_known(if_none_match, ticket.version):
        return Response(status_code=304, headers=found)
    return answer(views.TicketView.model_validate(ticket), headers=found)


@router.get(
    "/v1/tickets/{ticket_id}/messages",
    operation_id="listMessages",
    dependencies=READS,
    summary="List what was said on a ticket",
    response_model=views.MessageList,
    responses={200: headers("Link"), **problems("bad_cursor", "not_found")},
)
async def list_messages(
    api: InApi, request: Request, ticket_id: TicketId, query: Annotated[PageQuery, Query()]
) -> Response:
    """Its messages and notes, the first one first."""
    await api.stores.tickets.get(ticket_id)
    found = await page(api, request, api.stores.messages, {"ticket_id": ticket_id}, Order("at"), query)
    data = [views.MessageView.of(message) for message in found[0]]
    return answer(views.MessageList(data=data, next_cursor=found[1]), headers=found[2])


@router.get(
    "/v1/tickets/{ticket_id}/timeline",
    operation_id="getTimeline",
    dependencies=READS,
    summary="Read all that happened on a ticket",
    response_model=views.Timeline,
    responses=problems("not_found"),
)
async def get_timeline(api: InApi, ticket_id: TicketId) -> Response:
    """Messages, states, triage with its reasons, deadlines and letters with what became of them."""
    ticket = await api.stores.tickets.get(ticket_id)
    return answer(await timeline(api.stores, ticket, api.settings.api.timeline_limit))


def _seen(tickets: Any) -> list[views.TicketView]:
    return [views.TicketView.model_validate(ticket) for ticket in tickets]


def _filter(query: TicketQuery) -> Filter:
    where: dict[str, Any] = {
        "assignee": query.assignee,
        "team": query.team,
        "mailbox": query.mailbox and Either(query.mailbox, also="also_in"),
        "category": query.category,
        "customer_address": query.customer,
        "number": query.number,
        "status": _any_of(query.status),
        "priority": _any_of(query.priority),
        "updated_at": _range(query.updated_after, query.updated_before),
        "opened_at": _range(query.opened_after, query.opened_before),
    }
    return {name: condition for name, condition in where.items() if condition is not None}


def _any_of(values: list[Any]) -> Any:
    if not values:
        return None
    return values[0].value if len(values) == 1 else AnyOf([value.value for value in values])


def _range(at_least: Any, below: Any) -> Range | None:
    return None if at_least is None and below is None else Range(at_least=at_least, below=below)
