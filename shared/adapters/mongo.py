"""MongoDB's client: the one file that imports motor, and the one place where its errors become ours.

Motor is feature-frozen upstream; the move to PyMongo's own asynchronous client is a change of this file, so
the other files use only calls that both clients have.

Promises:
- A write that returned is in the journals of a majority of the replica set, and a read sees only what a
  majority has: no state that a failover could take back. It asks the primary, whatever the URL prefers: a
  secondary may lag behind what its own client has written.
- No call hangs: a server that does not answer within `ANSWER_SECONDS`, nor to a repeat, or that cannot be
  found within `SELECTION_SECONDS`, gives `Unavailable`. The client finds it again by itself when it is back.
- Nothing of a document gets into an error's text: mails and addresses do not belong into logs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC
from time import perf_counter
from typing import Any, TypeVar

import bson
import pymongo
from bson.codec_options import CodecOptions, TypeRegistry
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient
from pydantic_core import to_jsonable_python
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    DocumentTooLarge,
    DuplicateKeyError,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from shared.adapters.gather import LARGEST, Gatherer
from shared.domain.errors import Duplicate, Invalid, OmbudError, Refused, Unavailable
from shared.metrics import STORE_SECONDS

R = TypeVar("R")
A = TypeVar("A")

SELECTION_SECONDS = 2.0
"""How long to look for a primary: longer than a restart of it takes, shorter than a probe's patience."""

ANSWER_SECONDS = 10.0
"""How long an answer may take. The driver repeats most calls once, so a caller may wait twice as long."""

LARGEST_DOCUMENT = 16 * 1024 * 1024 - 16 * 1024
"""Bytes of BSON that one document may have: the server's limit, less room for the fields an update adds."""

_DUPLICATE_KEY = 11000
_OUT_OF_DISK_SPACE = 14031
_NO_SPACE = "No space left on device"
"""What an error says that has no code of its own: the storage engine's, with the system's words."""
_INDEX_NOT_FOUND = 27
_INDEX_DIFFERS = frozenset({67, 85, 86})  # CannotCreateIndex, IndexOptionsConflict, IndexKeySpecsConflict
_INPUT_AT_FAULT = frozenset(
    {9, 10334, 14, 17280, 17419, 17420}
)  # FailedToParse, BSONObjectTooLarge, TypeMismatch, …

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    # What BSON has no type for (a set, a date, a Decimal) is stored as pydantic writes it in JSON.
    type_registry=TypeRegistry(fallback_encoder=to_jsonable_python),
)


class Mongo:
    """An open client and the one database in it that is ours; made by `open`."""

    def __init__(self, client: Any, database: str) -> None:
        self._client = client
        self._database = client.get_database(
            database,
            codec_options=CODEC,
            write_concern=WriteConcern(w="majority", j=True),
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )
        self._gatherers: list[Gatherer[Any, Any]] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        database: str,
        selection_seconds: float = SELECTION_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> "AsyncIterator[Mongo]":
        """A client for the body of the `with`; needs no server yet. Raises `Refused` for a bad URL."""
        try:
            client: Any = AsyncIOMotorClient(
                url,
                retryWrites=True,
                serverSelectionTimeoutMS=int(selection_seconds * 1000),
                connectTimeoutMS=int(selection_seconds * 1000),
                socketTimeoutMS=int(answer_seconds * 1000),
                waitQueueTimeoutMS=int(answer_seconds * 1000),
                appname="ombud",
            )
        except (ConfigurationError, ValueError) as error:
            # The text of the error may hold the password that stands in the URL.
            raise Refused(
                "the MongoDB URL cannot be read: "
                "OMBUD_MONGO__URL has the form mongodb://user:password@host:27017/?replicaSet=name"
            ) from error
        mongo = cls(client, database)
        try:
            yield mongo
        finally:
            await asyncio.gather(*(gatherer.close() for gatherer in mongo._gatherers))
            client.close()

    def collection(self, name: str) -> Any:
        """The driver's collection, with our codec and concerns."""
        return self._database[name]

    def gatherer(
        self, run: Callable[[list[R]], Awaitable[list[A | BaseException]]], largest: int = LARGEST
    ) -> Gatherer[R, A]:
        """A gatherer that is closed before the client is."""
        gatherer = Gatherer(run, largest)
        self._gatherers.append(gatherer)
        return gatherer

    async def hello(self) -> dict[str, Any]:
        """What the server says about itself."""
        answer: dict[str, Any] = await self._database.command("hello")
        return answer


@contextmanager
def calling(operation: str) -> Iterator[None]:
    """Time a call to the server and turn its errors into ours.

    Lets `BulkWriteError` through when it speaks of single documents, for the caller to hand to each its own.
    """
    started = perf_counter()
    try:
        yield
    except BulkWriteError as error:
        if error.details.get("writeConcernErrors"):
            raise Unavailable("MongoDB", "a majority did not confirm the write") from error
        raise
    except (PyMongoError, BSONError) as error:
        raise ours(error) from error
    finally:
        STORE_SECONDS.labels(operation).observe(perf_counter() - started)


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Let each call of the body take up to `seconds`: building an index takes longer than any other call.

    Within it a server that is away is waited for as long.
    """
    with pymongo.timeout(seconds):
        yield


@contextmanager
def suppress_missing_index() -> Iterator[None]:
    """Dropping an index that another process has just dropped is no error."""
    try:
        yield
    except OperationFailure as error:
        if error.code != _INDEX_NOT_FOUND:
            raise


def ours(error: Exception) -> OmbudError:
    """Our error for the driver's. What we do not know counts as an outage: waiting loses nothing."""
    match error:
        case DuplicateKeyError():
            return taken(error.details or {})
        case DocumentTooLarge() | BSONError():
            return Invalid(f"MongoDB cannot store this: {type(error).__name__}")
        case OperationFailure():
            return _of_failure(error.code, error.details or {})
        case InvalidOperation():
            return Unavailable("MongoDB", "the client is closed")
    return Unavailable("MongoDB", type(error).__name__)


def ours_by_index(error: BulkWriteError) -> dict[int, OmbudError]:
    """Our errors for the single writes of a bulk call, by their index in it."""
    return {one["index"]: _of_write(one) for one in error.details["writeErrors"]}


def _of_write(error: Mapping[str, Any]) -> OmbudError:
    code = error.get("code")
    return taken(error) if code == _DUPLICATE_KEY else _of_failure(code, error)


def _of_failure(code: int | None, details: Mapping[str, Any]) -> OmbudError:
    if code in _INPUT_AT_FAULT:
        return Invalid(f"MongoDB cannot store this: code {code}")
    if code in _INDEX_DIFFERS:
        return Refused("MongoDB has an index that differs from the one we need: drop the old one")
    if code == _OUT_OF_DISK_SPACE or _NO_SPACE in str(details.get("errmsg")):
        return Unavailable("MongoDB", "its disk is full")
    return Unavailable("MongoDB", f"{details.get('codeName', 'an error')} (code {code})")


def taken(error: Mapping[str, Any]) -> Duplicate:
    """The `Duplicate` that names the fields, never the values."""
    names = ["id" if name == "_id" else name for name in error.get("keyPattern") or ["_id"]]
    return Duplicate(f"there is one with this {', '.join(names)} already")


def encoded(document: Mapping[str, Any]) -> RawBSONDocument:
    """The document as BSON, so that one that cannot be stored fails here and harms nobody in its batch.

    Raises `Invalid`.
    """
    try:
        raw = bson.encode(document, codec_options=CODEC)
    except (BSONError, OverflowError, ValueError) as error:
        raise Invalid(f"MongoDB cannot store this: {type(error).__name__}") from error
    if len(raw) > LARGEST_DOCUMENT:
        raise Invalid(f"a document of {len(raw)} bytes is larger than MongoDB takes")
    return RawBSONDocument(raw)
