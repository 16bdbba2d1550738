"""The query API as a service: the app, and the reader that keeps the overview."""

from contextlib import AsyncExitStack

from services.api.app import create_app
from services.api.settings import ApiProcessSettings
from shared.domain.events import TICKETS_TOPIC
from shared.runtime.service import Platform, Service, reader_of

NAME = "api"


async def build(
    platform: Platform,
    settings: ApiProcessSettings,
    stack: AsyncExitStack,
) -> Service:
    """The service, ready to run."""
    app = create_app(platform, settings)
    stack.push_async_callback(app.state.api.showing.close)
    return Service(
        name=NAME,
        readers=[reader_of(TICKETS_TOPIC, NAME, app.state.api.projection.routes())],
        app=app,
    )
