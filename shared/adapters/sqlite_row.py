"""A document as a row, and back.

The body is the document's JSON without what changes apart from it. Unknown fields of a newer version stand
in the body like any others, and so survive. Instants lose what is below a millisecond, as in every store.

Raises `Invalid` for a document that JSON cannot hold, `Unreadable` for a row that its model does not accept.
"""

from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from shared.adapters.sqlite_text import escape_json, instant, unescape_json
from shared.domain.documents import Document
from shared.domain.errors import Invalid, Unreadable

D = TypeVar("D", bound=Document)
M = TypeVar("M", bound=BaseModel)

COLUMNS = "id, version, body, outbox, wake_at"
"""What `RowForm.document` reads, in this order."""

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


class Row(NamedTuple):
    """The columns of one document."""

    doc_id: str
    version: int
    body: str
    outbox: str | None
    wake_at: str | None


class RowForm(Generic[D]):
    """The two ways between a model and its rows."""

    def __init__(self, name: str, model: type[D]) -> None:
        self._name = name
        self._model = model
        self._sleeps = "wake_at" in model.model_fields
        self._apart = {"version", "outbox"} | ({"wake_at"} if self._sleeps else set())

    def row(self, document: D) -> Row:
        """The row of a document."""
        wake_at: datetime | None = getattr(document, "wake_at", None) if self._sleeps else None
        try:
            body = escape_json(_json(document.model_dump(exclude=self._apart)))
            outbox = (
                _json([envelope.model_dump() for envelope in document.outbox]) if document.outbox else None
            )
        except (TypeError, ValueError, PydanticSerializationError) as error:
            raise Invalid(f"{self._name} {document.id!r} cannot be stored as JSON: {error}") from error
        return Row(document.id, document.version, body, outbox, instant(wake_at) if wake_at else None)

    def document(self, row: tuple[Any, ...]) -> D:
        """The document of a row."""
        return read_row(self._name, self._model, row)


def read_row(name: str, model: type[M], row: tuple[Any, ...]) -> M:
    """The document, or the part of one, that a row of `COLUMNS` holds."""
    doc_id, version, body, outbox, wake_at = row
    ending = f',"version":{version}'
    if outbox is not None:
        ending += f',"outbox":{outbox}'
    if wake_at is not None:
        ending += f',"wake_at":"{wake_at}"'
    try:
        return model.model_validate_json(f"{unescape_json(body)[:-1]}{ending}}}")
    except ValidationError as error:
        places = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
        raise Unreadable(f"{name} {doc_id!r} does not fit its model, at {places}") from error


def _json(value: Any) -> str:
    return orjson.dumps(value, default=_plain, option=_OPTIONS).decode()


def _plain(value: Any) -> Any:
    return instant(value) if isinstance(value, datetime) else to_jsonable_python(value)
