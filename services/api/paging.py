"""Pages of a list: one query, a signed cursor, and a Link to the next page (RFC 8288)."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request

from services.api.bodies import PageQuery
from services.api.context import Api
from shared.domain.documents import Document
from shared.ports.documents import Filter, Order
from shared.stores.store import Store

D = TypeVar("D", bound=Document)


async def page(
    api: Api, request: Request, store: Store[Any], where: Filter, order: Order, query: PageQuery
) -> tuple[Sequence[Any], str | None, dict[str, str]]:
    """The documents, the next cursor and the headers that name the next page.

    Raises the problem `bad_cursor`.
    """
    question = _question(request)
    after = api.cursors.read(question, query.cursor) if query.cursor is not None else None
    found = await store.find(where, order, query.limit, after)
    if found.after is None:
        return found.items, None, {}
    cursor = api.cursors.sign(question, found.after)
    return found.items, cursor, {"Link": f'<{_next(request, cursor)}>; rel="next"'}


def _question(request: Request) -> str:
    asked = [pair for pair in request.query_params.multi_items() if pair[0] not in {"cursor", "limit"}]
    return json.dumps([request.url.path, sorted(asked)])


def _next(request: Request, cursor: str) -> str:
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
