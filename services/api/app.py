"""The API as an ASGI app: routes, problems, middleware, documentation.

It opens nothing and runs no tasks: the process that serves it does (a consumer that were started in FastAPI's
lifespan would die while the app still answers). Errors are problem documents everywhere; see `problems.py`.
"""

from functools import cache
from typing import Any

from fastapi import Depends, FastAPI

from services.api import docs, problems
from services.api.context import Api, known_parameters
from services.api.cursors import Cursors
from services.api.described import document
from services.api.keys import Keys
from services.api.middleware import Authenticated, BodyLimit, Observed
from services.api.projections import OverviewProjection
from services.api.routes import changes, content, mail, overview, quarantine, suppressions, tickets
from services.api.settings import ApiProcessSettings
from services.api.showing import Showing
from shared.runtime.service import Platform

ROUTERS = (
    tickets.router,
    changes.router,
    mail.router,
    content.router,
    quarantine.router,
    suppressions.router,
    overview.router,
)


ROUTES = [route for router in ROUTERS for route in router.routes]


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document; made once a process, for it takes a good part of a second."""
    return document(ROUTES)


class ApiApp(FastAPI):
    """FastAPI with our OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """The document; not to be changed."""
        return openapi_document()


def create_app(platform: Platform, settings: ApiProcessSettings) -> ApiApp:
    """The app on this platform. The projection it refreshes is `app.state.api.projection`.

    `app.state.api.showing` is to be closed at the end: it has processes.
    """
    app = _bare_app()
    keys = Keys(platform.stores, platform.clock, settings.api.key_cache_seconds)
    app.state.api = Api(
        platform=platform,
        settings=settings,
        keys=keys,
        cursors=Cursors(platform.secret),
        projection=OverviewProjection(platform.stores),
        showing=Showing(settings.api.showing),
    )
    # The last one added stands outermost.
    app.add_middleware(Authenticated, keys=keys)
    app.add_middleware(BodyLimit, limit=settings.api.body_limit, mail_limit=settings.api.mail_limit)
    app.add_middleware(Observed)
    openapi_document()  # now, not in the middle of somebody's request
    return app


def _bare_app() -> ApiApp:
    app = ApiApp(
        title="Ombud",
        docs_url=None,  # FastAPI's own page loads its scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(known_parameters)],
    )
    for router in ROUTERS:
        app.include_router(router)
    docs.install(app)
    problems.install(app, ROUTES)
    return app
