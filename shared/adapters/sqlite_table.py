"""How a collection lies in the file: its table, indexes and triggers, all made from its `Spec`.

    <name>(seq, id, version, body, outbox, outbox_since, wake_at)
        body: the document as JSON without version, wake_at and outbox, which change without it.
        wake_at, and every instant in the body: text of one width in UTC with milliseconds, so that text
        order is the order of time. outbox: a JSON array, or NULL when nothing waits in it.
    f_<field>, a column that SQLite computes from the body, for each declared field; indexes over these
    <name>__<field>(value, id) for each declared field that is a list: one row a value, kept by triggers
    <name>__words_<hash>       for `text`: an FTS5 index, kept by triggers

Computed columns and triggers hold for every process that writes, also for an older one that does not know of
them; and a column or an index that is added later holds the documents that were there before.
"""

# ruff: noqa: S608 (every name that goes into this SQL has been checked by `Table`)

import re
import types
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Collection as AnyCollection
from typing import Any, Union, get_args, get_origin

from shared.domain.documents import Document
from shared.ports.documents import Index, Spec

_NAME = re.compile(r"(?!sys_|sqlite_)[a-z][a-z0-9_]*")
_STORED = frozenset({"id", "version", "wake_at"})


class Table:
    """The names and the SQL of one collection. Raises `ValueError` for a Spec that cannot be kept."""

    def __init__(self, spec: Spec[Any]) -> None:
        retired = (name for index in spec.retired for name in index.fields)
        for name in (spec.name, *spec.declared(), *spec.text, *retired):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot name a collection or a declared field")
        self.name = spec.name
        self.declared = spec.declared()
        self.lists = frozenset(name for name in self.declared if _is_list(spec.model, name))
        self.words = (
            f"{spec.name}__words_{zlib.crc32(' '.join(spec.text).encode()):08x}" if spec.text else None
        )
        self._indexes = spec.indexes
        self._retired = spec.retired
        self._text = spec.text
        for index in spec.indexes:
            if index.unique and len(index.fields) > 1 and self.lists & set(index.fields):
                raise ValueError(
                    f"{spec.name}: a list field can be unique only by itself, not in {index.fields}"
                )

    def column(self, field: str) -> str:
        """The column that holds a declared field's value."""
        return field if field in _STORED else f"f_{field}"

    def side(self, field: str) -> str:
        """The table that holds the values of a list field."""
        return f"{self.name}__{field}"

    def base(self) -> Iterator[str]:
        """The statements that make the table where it is missing."""
        yield f"""CREATE TABLE IF NOT EXISTS {self.name} (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, body TEXT NOT NULL,
            outbox TEXT, outbox_since INTEGER, wake_at TEXT)"""
        yield f"""CREATE INDEX IF NOT EXISTS {self.name}__waiting ON {self.name} (outbox_since)
            WHERE outbox IS NOT NULL"""
        yield f"""CREATE INDEX IF NOT EXISTS {self.name}__asleep ON {self.name} (wake_at, id)
            WHERE wake_at IS NOT NULL"""

    def computed(self) -> Iterator[tuple[str, str]]:
        """For each computed column: its name, and the statement that adds it."""
        for field in sorted(self.declared - _STORED):
            name = self.column(field)
            yield (
                name,
                f"""ALTER TABLE {self.name} ADD COLUMN {name}
                GENERATED ALWAYS AS (json_extract(body, '$.{field}')) VIRTUAL""",
            )

    def indexes(self) -> Iterator[str]:
        """The statements that make the indexes over columns where they are missing."""
        for index in self._of_columns(self._indexes):
            label = self._label(index)
            # The id behind them gives an order by the last field its second key; `unique` must do without.
            fields = index.fields if index.unique or "id" in index.fields else (*index.fields, "id")
            columns = ", ".join(self.column(field) for field in fields)
            kind = "UNIQUE INDEX" if index.unique else "INDEX"
            yield f"CREATE {kind} IF NOT EXISTS {label} ON {self.name} ({columns})"

    def retired(self) -> Iterator[str]:
        """The statements that drop the indexes that nothing asks any more, where they are."""
        needed = {self._label(index) for index in self._of_columns(self._indexes)}
        for index in self._of_columns(self._retired):
            if self._label(index) not in needed:
                yield f"DROP INDEX IF EXISTS {self._label(index)}"

    def sides(self) -> Iterator[tuple[str, list[str]]]:
        """For each table kept by triggers: its name, and the statements that make and fill it."""
        for field in sorted(self.lists):
            yield self.side(field), list(self._side_table(field))
        if self.words is not None:
            yield self.words, list(self._words_table(self.words))

    def _of_columns(self, indexes: Iterable[Index]) -> Iterator[Index]:
        """The indexes without the list fields, whose values lie in tables of their own."""
        for index in indexes:
            fields = tuple(field for field in index.fields if field not in self.lists)
            if fields and fields != ("id",):
                yield Index(fields, index.unique)

    def _label(self, index: Index) -> str:
        return "__".join((self.name, "unique" if index.unique else "by", *index.fields))

    def _side_table(self, field: str) -> Iterator[str]:
        side, path = self.side(field), f"'$.{field}'"
        unique = "UNIQUE" if Index((field,), unique=True) in self._indexes else ""
        yield f"CREATE TABLE {side} (id TEXT NOT NULL, value, PRIMARY KEY (id, value)) WITHOUT ROWID"
        yield f"CREATE {unique} INDEX {side}__value ON {side} (value)"
        yield f"""INSERT INTO {side} (id, value)
            SELECT DISTINCT d.id, j.value FROM {self.name} d, json_each(d.body, {path}) j
            WHERE j.value IS NOT NULL"""
        yield from self._triggers(
            side,
            lambda row: f"json_extract({row}.body, {path})",
            fill=f"""INSERT INTO {side} (id, value)
                SELECT DISTINCT new.id, j.value FROM json_each(new.body, {path}) j
                WHERE j.value IS NOT NULL""",
            empty=f"DELETE FROM {side} WHERE id = old.id",
        )

    def _words_table(self, words: str) -> Iterator[str]:
        # Without content of its own: the words stand in the body already.
        yield f"""CREATE VIRTUAL TABLE {words}
            USING fts5(words, content='', tokenize="unicode61 remove_diacritics 2 tokenchars '_'")"""
        yield f"INSERT INTO {words} (rowid, words) SELECT d.seq, {self._all_text('d')} FROM {self.name} d"
        yield from self._triggers(
            words,
            self._all_text,
            fill=f"INSERT INTO {words} (rowid, words) VALUES (new.seq, {self._all_text('new')})",
            empty=f"""INSERT INTO {words} ({words}, rowid, words)
                VALUES ('delete', old.seq, {self._all_text("old")})""",
        )

    def _all_text(self, row: str) -> str:
        fields = (f"coalesce(json_extract({row}.body, '$.{field}'), '')" for field in self._text)
        return "(" + " || char(10) || ".join(fields) + ")"

    def _triggers(self, of: str, value: Callable[[str], str], fill: str, empty: str) -> Iterator[str]:
        yield f"CREATE TRIGGER {of}__inserted AFTER INSERT ON {self.name} BEGIN {fill}; END"
        yield f"CREATE TRIGGER {of}__deleted AFTER DELETE ON {self.name} BEGIN {empty}; END"
        yield f"""CREATE TRIGGER {of}__changed AFTER UPDATE OF body ON {self.name}
            WHEN {value("old")} IS NOT {value("new")} BEGIN {empty}; {fill}; END"""


def _is_list(model: type[Document], field: str) -> bool:
    described = model.model_fields.get(field)
    return described is not None and _holds_list(described.annotation)


def _holds_list(annotation: Any) -> bool:
    origin = get_origin(annotation) or annotation
    if origin in (Union, types.UnionType):
        return any(_holds_list(part) for part in get_args(annotation))
    if not isinstance(origin, type) or issubclass(origin, (str, bytes, Mapping)):
        return False
    return issubclass(origin, AnyCollection)
