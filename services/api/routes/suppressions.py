"""Addresses that get no letters for now: listed, held back, lifted; the rules are those of the command line
(shared/stores/suppressions.py)."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from services.api.bodies import Address, PageQuery, SuppressionBody
from services.api.context import READS_MAIL, InApi, MailWriteCall, answer
from services.api.described import headers, problems
from services.api.paging import page
from services.api.views_suppressions import SuppressionList, SuppressionView
from shared.stores import suppressions

router = APIRouter(tags=["Mail"])

_Address = Annotated[Address, Path(examples=["mia@example.com"])]


@router.get(
    "/v1/suppressions",
    operation_id="listSuppressions",
    dependencies=READS_MAIL,
    summary="List the addresses that get no letters",
    response_model=SuppressionList,
    responses={200: headers("Link"), **problems("bad_cursor")},
)
async def list_suppressions(api: InApi, request: Request, query: Annotated[PageQuery, Query()]) -> Response:
    """Those whose mail came back or that somebody holds back, the newest first; also those that are written
    to again, or still: `held` tells."""
    found, now = api.stores.suppressions, api.now()
    listed, cursor, links = await page(api, request, found, {}, suppressions.NEWEST_FIRST, query)
    data = [SuppressionView.of(one, now) for one in listed]
    return answer(SuppressionList(data=data, next_cursor=cursor), headers=links)


@router.get(
    "/v1/suppressions/{address:path}",
    operation_id="getSuppression",
    dependencies=READS_MAIL,
    summary="See whether an address gets letters",
    response_model=SuppressionView,
    responses=problems("not_found"),
)
async def get_suppression(api: InApi, address: _Address) -> Response:
    """What speaks against the address; of one against which nothing ever spoke nothing is known."""
    return answer(SuppressionView.of(await suppressions.get_suppression(api.stores, address), api.now()))


@router.put(
    "/v1/suppressions/{address:path}",
    operation_id="suppressAddress",
    summary="Write to an address no more",
    response_model=SuppressionView,
    responses=problems("conflict", "unsupported_media_type"),
)
async def suppress_address(
    api: InApi, call: MailWriteCall, address: _Address, body: SuppressionBody
) -> Response:
    """Until it is lifted: letters to it fail, the ticket of a reply says so. Once more changes nothing."""
    now = api.now()
    held = await suppressions.suppress(api.stores, address, body.reason, call.actor, now)
    return answer(SuppressionView.of(held, now))


@router.delete(
    "/v1/suppressions/{address:path}",
    operation_id="liftSuppression",
    summary="Write to an address again",
    response_model=SuppressionView,
    responses=problems("not_found", "conflict"),
)
async def lift_suppression(api: InApi, call: MailWriteCall, address: _Address) -> Response:
    """What speaks against it counts no more; who lifted it is kept. Once more changes nothing."""
    now = api.now()
    lifted = await suppressions.lift_suppression(api.stores, address, call.actor, now)
    return answer(SuppressionView.of(lifted, now))
