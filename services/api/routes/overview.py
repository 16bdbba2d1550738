"""The overview, and who is asking."""

from fastapi import APIRouter, Response

from services.api import views
from services.api.context import ADMINISTERS, READS, AnyCall, InApi, answer
from services.api.described import problems
from services.api.overview import read_overview, refresh_overview

router = APIRouter(tags=["Overview"])


@router.get(
    "/v1/overview",
    operation_id="getOverview",
    dependencies=READS,
    summary="Count the tickets",
    response_model=views.Overview,
    responses=problems(),
)
async def get_overview(api: InApi) -> Response:
    """How many there are of each kind; one small read, however many there are."""
    return answer(views.Overview.of(await read_overview(api.stores)))


@router.post(
    "/v1/overview/refresh",
    operation_id="refreshOverview",
    dependencies=ADMINISTERS,
    summary="Count the tickets anew",
    response_model=views.OverviewRefresh,
    responses=problems(),
)
async def refresh(api: InApi) -> Response:
    """Goes through all tickets, corrects what was counted wrongly and says what that was."""
    found = await refresh_overview(api.stores, api.clock, api.projection)
    return answer(
        views.OverviewRefresh(
            tickets=found.tickets,
            uncounted=found.uncounted,
            difference=found.difference,
            corrections=dict(found.corrections),
            unsettled=found.unsettled,
            overview=views.Overview.of(await read_overview(api.stores)),
        )
    )


@router.get(
    "/v1/me", operation_id="getMe", summary="See who you are", response_model=views.Me, responses=problems()
)
async def get_me(call: AnyCall) -> Response:
    """The name and the scopes of the key you use."""
    return answer(views.Me(id=call.key.id, name=call.key.name, scopes=call.key.scopes))
