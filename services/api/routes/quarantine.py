"""The mails set aside: listed, downloaded, edited, tried again, let through; the rules are those of the
command line (shared/runtime/quarantine.py)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.api import views
from services.api.bodies import Id, PageQuery
from services.api.context import READS_MAIL, InApi, MailWriteCall, answer
from services.api.described import bytes_of, headers, problems
from services.api.paging import page
from services.api.problems import ProblemRaised
from services.api.raw_mails import RAW, raw_mail
from shared.domain.errors import NotFound
from shared.domain.ledger import LedgerEntry, Outcome
from shared.runtime import quarantine

router = APIRouter(tags=["Mail"])

_PROBLEMS = problems("not_found", "conflict", "move_not_allowed")
_MAIL_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the whole mail, headers and body",
        "content": {
            RAW: {
                "schema": {"type": "string", "format": "binary", "minLength": 1},
                "example": "From: ada@example.com\r\nSubject: Help\r\n\r\nHello\r\n",
            }
        },
    }
}


@router.get(
    "/v1/quarantine",
    operation_id="listQuarantine",
    dependencies=READS_MAIL,
    summary="List the mails set aside",
    response_model=views.LedgerList,
    responses={200: headers("Link"), **problems("bad_cursor")},
)
async def list_quarantine(api: InApi, request: Request, query: Annotated[PageQuery, Query()]) -> Response:
    """Mails that could not be understood or trusted, kept whole, the latest first."""
    found = await page(
        api, request, api.stores.ledger, quarantine.QUARANTINED, quarantine.LATEST_FIRST, query
    )
    data = [views.LedgerView.model_validate(entry) for entry in found[0]]
    return answer(views.LedgerList(data=data, next_cursor=found[1]), headers=found[2])


@router.get(
    "/v1/quarantine/{entry_id}",
    operation_id="getQuarantinedEntry",
    dependencies=READS_MAIL,
    summary="See what became of a mail that was set aside",
    response_model=views.LedgerView,
    responses=problems("not_found"),
)
async def get_quarantined_entry(api: InApi, entry_id: Id) -> Response:
    """Its entry with the reason and what people did to it; also once it has been taken in."""
    return _shown(await api.stores.ledger.get(entry_id))


@router.get(
    "/v1/quarantine/{entry_id}/raw",
    operation_id="getQuarantinedMail",
    dependencies=READS_MAIL,
    summary="Download a mail that was set aside",
    response_class=StreamingResponse,
    responses={200: bytes_of(RAW), **problems("not_found")},
)
async def get_quarantined_mail(
    api: InApi,
    entry_id: Id,
    edited: Annotated[bool, Query(description="as it was edited, if it was")] = False,
) -> Response:
    """Byte for byte what the mailbox server gave us. Open it with care."""
    entry = await api.stores.ledger.get(entry_id)
    if entry.outcome is not Outcome.QUARANTINED:
        raise NotFound("not in the quarantine")
    return await raw_mail(api, (edited and entry.edited) or entry.digest, entry.id)


@router.post(
    "/v1/quarantine/{entry_id}/edit",
    operation_id="editQuarantinedMail",
    summary="Give a mail that was set aside other bytes",
    response_model=views.LedgerView,
    responses=problems("not_found", "conflict", "move_not_allowed", "unsupported_media_type"),
    openapi_extra=_MAIL_BODY,
)
async def edit_quarantined_mail(api: InApi, call: MailWriteCall, request: Request, entry_id: Id) -> Response:
    """The body is the mail to read in its place once it is tried again; the original is kept as it came.

    Sent again it changes nothing; the original's own bytes take the edit back.
    """
    media_type = request.headers.get("content-type", "")
    if media_type.partition(";")[0].strip().lower() != RAW:
        raise ProblemRaised(
            "unsupported_media_type", f"the body came as {media_type[:100] or 'no media type'}, not {RAW}"
        )
    return _shown(await quarantine.edit(api.platform, entry_id, request.stream(), call.actor))


@router.post(
    "/v1/quarantine/{entry_id}/retry",
    operation_id="retryQuarantinedMail",
    summary="Try to read a mail again",
    status_code=202,
    response_model=views.LedgerView,
    responses=_PROBLEMS,
)
async def retry_quarantined_mail(api: InApi, call: MailWriteCall, entry_id: Id) -> Response:
    """Once what was wrong is mended. The entry stays until the mail has been read: look again soon."""
    return _shown(await quarantine.retry(api.platform, entry_id, call.actor), 202)


@router.post(
    "/v1/quarantine/{entry_id}/release",
    operation_id="releaseQuarantinedMail",
    summary="Let a mail through unread",
    status_code=202,
    response_model=views.LedgerView,
    responses=_PROBLEMS,
)
async def release_quarantined_mail(api: InApi, call: MailWriteCall, entry_id: Id) -> Response:
    """Its most important headers make the ticket, the raw mail is a download there. Look again soon."""
    return _shown(await quarantine.release(api.platform, entry_id, call.actor), 202)


def _shown(entry: LedgerEntry, status: int = 200) -> Response:
    return answer(views.LedgerView.model_validate(entry), status)
