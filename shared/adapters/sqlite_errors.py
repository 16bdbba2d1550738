"""What SQLite's errors mean to Ombud: the one place where they are translated.

    locked for long, disk full, input/output error   Unavailable   wait and try again; nothing was written
    a unique value is taken                          Duplicate
    a value SQLite cannot hold                       Invalid
    anything else (damaged, no such table, …)        Refused       the text names the file and what to do

While the file is being opened nothing is worth waiting for in silence, so there every error is `Refused`.
The codes are those of https://www.sqlite.org/rescode.html.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.domain.errors import Duplicate, Invalid, OmbudError, Refused, Unavailable

_PASSING = {
    sqlite3.SQLITE_BUSY: "another program holds the file's lock",
    sqlite3.SQLITE_LOCKED: "another connection holds a table's lock",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "the file or one beside it cannot be opened",
    sqlite3.SQLITE_READONLY: "the file has become read-only",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_PROTOCOL: "the file's lock could not be had",
    sqlite3.SQLITE_INTERRUPT: "the call was interrupted",
}

_AT_OPENING = {
    sqlite3.SQLITE_NOTADB: "it is not a database: move it away, or name another file",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore it from a backup",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: does its folder exist, and may this user write there?",
    sqlite3.SQLITE_READONLY: "it is read-only: let this user write to it and to its folder",
    sqlite3.SQLITE_PERM: "this user may not use it: let this user write to it and to its folder",
    sqlite3.SQLITE_BUSY: "another program holds its lock: end that program, then start again",
    sqlite3.SQLITE_FULL: "the disk is full: make room, then start again",
    sqlite3.SQLITE_IOERR: "the disk reports an error: look at the system's log",
}


def result_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, or SQLITE_ERROR where Python's module raised by itself."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def translate(error: Exception, path: Path) -> Exception:
    """The error to raise in the place of `error`, which happened while the file was in use."""
    if isinstance(error, OmbudError):
        return error
    if isinstance(error, sqlite3.IntegrityError):
        return Duplicate(str(error))
    if isinstance(error, (sqlite3.DataError, OverflowError, UnicodeEncodeError)):
        return Invalid(f"SQLite cannot hold this value: {type(error).__name__}")
    return _translate_code(error, path) if isinstance(error, sqlite3.Error) else error


def _translate_code(error: sqlite3.Error, path: Path) -> OmbudError:
    code = result_code(error)
    if code == sqlite3.SQLITE_TOOBIG:
        return Invalid("SQLite cannot hold a value of this size")
    if code in _PASSING:
        return Unavailable("sqlite", f"{_PASSING[code]} ({error})")
    if code in _AT_OPENING:
        return Refused(f"{path}: {_AT_OPENING[code]}")
    return Refused(f"{path}: SQLite says “{error}”")


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while `path` is being opened into `Refused` with what to do about it."""
    try:
        yield
    except sqlite3.Error as error:
        remedy = _AT_OPENING.get(result_code(error), f"SQLite says “{error}”")
        raise Refused(f"{path} cannot be used: {remedy}") from error
    except OSError as error:
        raise Refused(f"{path} cannot be used: {error.strerror}: name a file this user may write") from error
