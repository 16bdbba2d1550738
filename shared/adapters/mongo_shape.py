"""How a document lies in MongoDB, and which indexes its collection needs.

The model's fields are the document's fields; `id` is `_id`; instants are BSON dates, which have milliseconds
(what is finer is cut off); what BSON has no type for is stored as pydantic writes it in JSON. Fields that no
model declares are kept as they are. Names that start with `_` are ours and never reach a model:

- `_outbox_since`: when the document was last written with events in its outbox; missing when that is empty.
- `_claim`: who claimed the document last.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pymongo import ASCENDING, TEXT, IndexModel

from shared.domain.documents import Document
from shared.domain.errors import Invalid, Unreadable
from shared.ports.documents import Spec

M = TypeVar("M", bound=BaseModel)

OUTBOX_SINCE = "_outbox_since"
CLAIM = "_claim"

_LOWEST: dict[type, Any] = {str: "", int: float("-inf"), datetime: datetime(1, 1, 1, tzinfo=UTC)}


def path(field: str) -> str:
    """The name in MongoDB of a field of the model."""
    return "_id" if field == "id" else field


def fields_of(document: Document) -> dict[str, Any]:
    """What is stored for `document`. Raises `Invalid` for a field name that MongoDB cannot update."""
    for name in document.model_extra or ():
        if name.startswith(("$", "_")) or "." in name:
            raise Invalid(f"a document cannot have a field named {name!r}")
    fields = document.model_dump(round_trip=True)
    fields["_id"] = fields.pop("id")
    if document.outbox:
        fields[OUTBOX_SINCE] = datetime.now(UTC)
    return fields


def document_of(model: type[M], stored: Mapping[str, Any]) -> M:
    """The document, or the part of one, that `stored` holds. Raises `Unreadable` when it does not fit."""
    fields = {name: value for name, value in stored.items() if not name.startswith("_")}
    fields["id"] = stored["_id"]
    try:
        return model.model_validate(fields, by_alias=False, by_name=True)
    except ValidationError as error:
        places = sorted({".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)})
        raise Unreadable(
            f"{model.__name__} {stored['_id']} does not fit its model: {', '.join(places)}"
        ) from None


def retired_names(spec: Spec[Any]) -> list[str]:
    """The names of the indexes that are to be dropped; one that is declared still is not among them."""
    needed = {model.document["name"] for model in index_models(spec)}
    once = index_models(replace(spec, indexes=spec.retired))
    return [model.document["name"] for model in once if model.document["name"] not in needed]


def index_models(spec: Spec[Any]) -> list[IndexModel]:
    """The indexes of a collection, each also giving the order by id among equals."""
    models = [IndexModel([(OUTBOX_SINCE, ASCENDING)], sparse=True)]
    for index in spec.indexes:
        if index.unique:
            models.append(_unique_index(spec.model, index.fields))
        if not index.unique or _absent_values(spec.model, index.fields):
            names = [path(field) for field in index.fields]
            models.append(IndexModel([(name, ASCENDING) for name in dict.fromkeys([*names, "_id"])]))
    if spec.claimable:
        models.append(IndexModel([("wake_at", ASCENDING), ("_id", ASCENDING)], name="claim"))
    if spec.text:
        # "language" is a field of ours in many documents and would choose a stemmer; no stemmer is wanted.
        keys = [(field, TEXT) for field in spec.text]
        models.append(IndexModel(keys, name="text", default_language="none", language_override="_language"))
    return models


def orders_alone(spec: Spec[Any], field: str) -> bool:
    """Whether no two documents have the same value of `field`, so that its index is an order by itself."""
    return any(index.unique and index.fields == (field,) for index in spec.indexes) and not _absent_values(
        spec.model, (field,)
    )


def _unique_index(model: type[Document], fields: tuple[str, ...]) -> IndexModel:
    keys = [(path(field), ASCENDING) for field in fields]
    name = "unique_" + "_".join(fields)
    lowest = _absent_values(model, fields)
    if not lowest:
        return IndexModel(keys, name=name, unique=True)
    # None is no value, so any number of documents may have none: those stay out of the index.
    present = {path(field): {"$gte": least} for field, least in lowest.items()}
    return IndexModel(keys, name=name, unique=True, partialFilterExpression=present)


def _absent_values(model: type[Document], fields: tuple[str, ...]) -> dict[str, Any]:
    """The fields that may be None, each with the lowest value of its type."""
    return {field: _lowest(model, field) for field in fields if NoneType in _types(model, field)}


def _types(model: type[Document], field: str) -> tuple[Any, ...]:
    annotation = model.model_fields[field].annotation
    return get_args(annotation) or (annotation,)


def _lowest(model: type[Document], field: str) -> Any:
    for kind in _types(model, field):
        plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        for known, least in _LOWEST.items():
            if isinstance(plain, type) and issubclass(plain, known):
                return least
    raise TypeError(f"{model.__name__}.{field} may be None and cannot be unique: use str, int or datetime")
