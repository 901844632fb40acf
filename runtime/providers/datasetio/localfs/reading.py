"""Reads a page of a version: from the parts that have its rows, and of these from the row groups alone that do.

A filter makes it count what it leaves out at the beginning; the page that follows another begins where that has ended.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runtime.apis.vector_stores.filters import ComparisonFilter, CompoundFilter
from runtime.providers.datasetio.localfs.engine import Engine
from runtime.providers.datasetio.localfs.filtering import Where
from runtime.providers.datasetio.localfs.manifest import Part
from runtime.providers.datasetio.localfs.parts import read
from runtime.providers.datasetio.localfs.rendering import row_as_json
from runtime.storage.analytics.interrupting import Interruptible

_AT_ONCE = 2048
_MOST_ENDS = 10_000
Filter = ComparisonFilter | CompoundFilter
End = tuple[int, int]
"""A part, and the row in it from which on nothing was looked at."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """digest: of the version. parts: its parts. names: the columns. limit: the most rows; None for no limit.
    limit_bytes: about the most bytes of their JSON.
    """

    digest: str
    folder: Path
    parts: Sequence[Part]
    names: Sequence[str]
    start: int
    limit: int | None
    limit_bytes: int
    where: Filter | None = None


@dataclass
class Page:
    """rows: JSON objects with commas between them."""

    rows: bytes = b""
    count: int = 0
    has_more: bool = False


@dataclass
class _Taking:
    left: int | None
    left_bytes: int
    pieces: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def is_full(self) -> bool:
        return self.left == 0 or (self.left_bytes <= 0 and self.count > 0)

    def take(self, texts: list[str]) -> int:
        """How many of them it has taken."""
        size = sum(map(len, texts)) + len(texts)
        if size > self.left_bytes:
            texts = texts[: self._fitting(texts)]
            size = self.left_bytes
        if texts:
            self.pieces.append(",".join(texts))
        self.count += len(texts)
        self.left_bytes -= size
        if self.left is not None:
            self.left -= len(texts)
        return len(texts)

    def _fitting(self, texts: list[str]) -> int:
        size = 0
        for place, text in enumerate(texts):
            size += len(text) + 1
            if size > self.left_bytes:
                return place if place or self.count else 1
        return len(texts)

    def page(self, *, has_more: bool) -> Page:
        return Page(",".join(self.pieces).encode(), self.count, has_more)


class Reading:
    """Of all datasets of a provider; called in threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ends: OrderedDict[tuple[str, int], End] = OrderedDict()
        self._changing = threading.Lock()

    def page(self, wanted: Wanted, work: Interruptible) -> Page:
        """Raises Unavailable."""
        taking = _Taking(wanted.limit, wanted.limit_bytes)
        if wanted.where is not None:
            return self._filtered(wanted, wanted.where, taking, work)
        begin = 0
        for part in wanted.parts:
            first = max(0, wanted.start - begin)
            begin += part.rows
            if first < part.rows:
                last = part.rows if taking.left is None else min(part.rows, first + taking.left)
                for texts in self._texts(wanted, part, first, last, work):
                    if taking.take(texts) < len(texts):
                        break
                if taking.is_full:
                    break
        total = sum(part.rows for part in wanted.parts)
        return taking.page(has_more=wanted.start + taking.count < total)

    def _texts(self, wanted: Wanted, part: Part, first: int, last: int, work: Interruptible) -> Iterator[list[str]]:
        where = f" WHERE file_row_number >= {first} AND file_row_number < {last}"
        rows = row_as_json(part.columns, wanted.names)
        sql = f"SELECT {rows} FROM {read(wanted.folder / part.file)}{where}"  # noqa: S608  # ours
        return self._engine.texts(sql, at_once=_AT_ONCE, work=work)

    def _filtered(self, wanted: Wanted, asked: Filter, taking: _Taking, work: Interruptible) -> Page:
        # The last part too: a version may get other parts, and then other ends.
        last = wanted.parts[-1].file if wanted.parts else ""
        key = f"{wanted.folder.name} {last} {wanted.digest} {asked.model_dump_json()}", wanted.start
        left_out, (place, row) = self._where_to_begin(key)
        for number in range(place, len(wanted.parts)):
            part = wanted.parts[number]
            path = read(wanted.folder / part.file)
            where = Where(asked, part.columns)
            condition = f"{where.sql} AND file_row_number >= {row if number == place else 0}"
            if left_out:
                sql = f"SELECT count(*) FROM {path} WHERE {condition}"  # noqa: S608  # ours
                [(found,)] = self._engine.rows(sql, where.values, work=work)
                if found <= left_out:
                    left_out -= found
                    continue
            rows = row_as_json(part.columns, wanted.names)
            limit = "" if taking.left is None else f" LIMIT {taking.left + 1}"
            sql = f"SELECT concat(file_row_number, ' ', {rows}) FROM {path} WHERE {condition}{limit} OFFSET {left_out}"  # noqa: S608  # ours
            left_out = 0
            for texts in self._engine.texts(sql, where.values, at_once=_AT_ONCE, work=work):
                found_rows = [text.partition(" ")[2] for text in texts]
                most = len(found_rows) if taking.left is None else taking.left
                taken = taking.take(found_rows[:most]) if most else 0
                if taken < len(texts):
                    self._note_end(key, taking.count, (number, int(texts[taken].partition(" ")[0])))
                    return taking.page(has_more=True)
        return taking.page(has_more=False)

    def _where_to_begin(self, key: tuple[str, int]) -> tuple[int, End]:
        """How many fitting rows are to be left out from where on."""
        with self._changing:
            end = self._ends.get(key)
        return (0, end) if end is not None else (key[1], (0, 0))

    def _note_end(self, key: tuple[str, int], count: int, end: End) -> None:
        asked, start = key
        with self._changing:
            self._ends[asked, start + count] = end
            if len(self._ends) > _MOST_ENDS:
                self._ends.popitem(last=False)


def with_version(page: Page, version: str) -> bytes:
    """The JSON of a `RowsPage`."""
    more = b"true" if page.has_more else b"false"
    return b'{"data":[%b],"has_more":%b,"url":null,"version":"%b"}' % (page.rows, more, version.encode())
