"""Filters, orders and page marks of the documents port as MongoDB's queries.

Every value goes in behind an operator of ours, so no value is taken for an operator. A filter or an order
on a field that the collection does not declare raises `UndeclaredFilter`: no query without an index.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING

from shared.adapters.mongo_shape import orders_alone, path
from shared.domain.errors import Invalid, UndeclaredFilter
from shared.ports.documents import AnyOf, Either, Filter, Order, Range, Spec

Query = dict[str, Any]


def query_of(spec: Spec[Any], where: Filter | None) -> list[Query]:
    """The conditions of `where`, all of which must hold. Raises `UndeclaredFilter`."""
    conditions: list[Query] = []
    for field, wanted in (where or {}).items():
        declared(spec, field)
        if isinstance(wanted, Either):
            declared(spec, wanted.also)
            either = [{path(name): {"$eq": wanted.value}} for name in (field, wanted.also)]
            conditions.append({"$or": either})
        elif condition := _condition(wanted):
            conditions.append({path(field): condition})
    return conditions


def all_of(conditions: list[Query]) -> Query:
    """One query of several."""
    return {"$and": conditions} if conditions else {}


def declared(spec: Spec[Any], field: str) -> None:
    """Raise `UndeclaredFilter` unless an index of the collection names `field`."""
    if field not in spec.declared():
        raise UndeclaredFilter(f"{spec.name} has no index on {field}")


def _condition(wanted: object) -> Query:
    match wanted:
        case AnyOf(values):
            return {"$in": list(values)}
        case Range(at_least, below):
            ends = {"$gte": at_least, "$lt": below}
            return {operator: end for operator, end in ends.items() if end is not None}
    return {"$eq": wanted}


def sort_of(spec: Spec[Any], order: Order) -> list[tuple[str, int]]:
    """The order as sort keys that an index gives. Raises `UndeclaredFilter`."""
    declared(spec, order.by)
    way = DESCENDING if order.descending else ASCENDING
    if order.by == "id" or orders_alone(spec, order.by):
        return [(path(order.by), way)]
    return [(order.by, way), ("_id", way)]


def mark_of(order: Order, last: Mapping[str, Any]) -> str:
    """The `after` that continues behind the stored document `last`."""
    value = last.get(path(order.by))
    kind = "instant" if isinstance(value, datetime) else "plain"
    value = value.isoformat() if isinstance(value, datetime) else value
    mark = json.dumps([order.by, order.descending, kind, value, last["_id"]], separators=(",", ":"))
    return base64.urlsafe_b64encode(mark.encode()).decode().rstrip("=")


def behind(order: Order, after: str) -> Query:
    """The condition for documents behind the mark `after`. Raises `Invalid` when it is not of this order."""
    value, last_id = _read_mark(order, after)
    step = "$lt" if order.descending else "$gt"
    if order.by == "id":
        return {"_id": {step: last_id}}
    same_but_later = {"_id": {step: last_id}}
    if value is None:  # the lowest of all values
        if order.descending:
            return {order.by: {"$eq": None}, **same_but_later}
        return {"$or": [{order.by: {"$ne": None}}, same_but_later]}
    # One stretch of the index, of which only the part with the same value has to be looked at by id. "Not
    # greater" holds for None as well, which no comparison with a value does.
    stretch: Query = {"$not": {"$gt": value}} if order.descending else {"$gte": value}
    return {order.by: stretch, "$or": [{order.by: {"$ne": value}}, same_but_later]}


def _read_mark(order: Order, after: str) -> tuple[Any, str]:
    try:
        text = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        by, descending, kind, value, last_id = json.loads(text)
        if kind == "instant":
            value = datetime.fromisoformat(value)
    except (ValueError, TypeError, binascii.Error) as error:
        raise _no_mark() from error
    plain = isinstance(value, str | int | float | bool | datetime | None)  # and so no operator
    if (by, descending) != (order.by, order.descending) or not plain or not isinstance(last_id, str):
        raise _no_mark()
    return value, last_id


def _no_mark() -> Invalid:
    return Invalid("this is no page mark of this list", {"after": "take it from the page before, unchanged"})
