"""What a message holds, for people: its HTML as a page that runs nothing, and the files that came with it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, Field

from services.api.attachments import cut_out, embedded, headers_of, path_of, pictures_of
from services.api.bodies import Id, TicketId
from services.api.context import READS, Api, InApi
from services.api.described import bytes_of, headers, problems
from services.api.problems import ProblemRaised
from shared.domain.errors import NotFound
from shared.domain.messages import Message

router = APIRouter(tags=["Mail"])

# Without scripts and an origin. Links open, by a click, in a window of their own that is none of ours.
_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"

Number = Annotated[int, Path(ge=1, le=10_000, description="which of the message's attachments, from 1")]


class PageOptions(BaseModel):
    """How a message is shown."""

    remote_images: bool = Field(
        default=False, description="load pictures from elsewhere: their servers learn that the mail is read"
    )
    embed: bool = Field(
        default=False,
        description="put the mail's own pictures into the page, for a frame that has no key to load them",
    )


@router.get(
    "/v1/tickets/{ticket_id}/messages/{message_id}/html",
    operation_id="getMessagePage",
    dependencies=READS,
    summary="Show a message as a page",
    response_class=HTMLResponse,
    responses={
        200: {"description": "The page"}
        | headers("Content-Security-Policy", "Content-Disposition", "Ombud-Remote-Images"),
        **problems("not_found"),
    },
)
async def get_message_page(
    api: InApi, ticket_id: TicketId, message_id: Id, options: Annotated[PageOptions, Query()]
) -> Response:
    """The mail's HTML without what runs, loads or sends anything, else its text; for a sandboxed frame."""
    message = await _message(api, ticket_id, message_id)
    pictures = {content_id: path_of(message, number) for content_id, number, _ in pictures_of(message)}
    if options.embed and message.html:
        most = api.settings.api.showing.embedded_bytes
        pictures |= await embedded(api.platform.blobs, message, most)
    page = await api.showing.page(message, pictures, remote_images=options.remote_images)
    found = {
        "Content-Security-Policy": f"{_SANDBOX}; {page.policy}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-DNS-Prefetch-Control": "off",
        "Cache-Control": "private",
        "Content-Disposition": "inline",
        "Ombud-Remote-Images": str(page.remote),
    }
    return HTMLResponse(page.document, headers=found)


@router.get(
    "/v1/tickets/{ticket_id}/messages/{message_id}/attachments/{number}",
    operation_id="getAttachment",
    dependencies=READS,
    summary="Download a file that came with a mail",
    response_class=StreamingResponse,
    responses={200: bytes_of("application/octet-stream"), **problems("not_found", "gone")},
)
async def get_attachment(api: InApi, ticket_id: TicketId, message_id: Id, number: Number) -> Response:
    """Its bytes, decoded. The type is the one that the mail names where that is a harmless one."""
    message = await _message(api, ticket_id, message_id)
    if number > len(message.attachments):
        raise ProblemRaised("not_found", f"this message has {len(message.attachments)} attachments")
    attachment = message.attachments[number - 1]
    if attachment.place is None:
        raise ProblemRaised("not_found", "this file is to be had in the raw mail alone: download that")
    try:
        await api.platform.blobs.size(message.raw)
    except NotFound as fault:
        raise ProblemRaised("gone", "the raw mail, which had this file in it, is no longer kept") from fault
    pieces = cut_out(api.platform.blobs, message.raw, attachment, attachment.place)
    return StreamingResponse(pieces, headers=headers_of(attachment, number))


async def _message(api: Api, ticket_id: str, message_id: str) -> Message:
    try:
        message = await api.stores.messages.get(message_id)
    except NotFound as fault:
        raise _no_message() from fault
    if message.ticket_id != ticket_id:
        raise _no_message()
    return message


def _no_message() -> ProblemRaised:
    return ProblemRaised("not_found", "this ticket has no message under this id")
