"""What became of the rows of an evaluation: kept in groups while they are answered and scored, and read in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from runtime.apis.datasets.protocol import Row as DatasetRow
from runtime.apis.scoring.functions import GENERATED
from runtime.apis.scoring.protocol import SCORE
from runtime.providers._background.groups import InGroups
from runtime.providers.eval._shared.tables import ROWS, RUNS
from runtime.sse import Json, encode
from runtime.storage.sql import (
    ALL,
    SIZE,
    Condition,
    Insert,
    Row,
    Select,
    SqlStore,
    Statement,
    Totals,
    Update,
    above,
    below,
    eq,
)
from runtime.storage.sql.paging import how_many

Scores = dict[str, DatasetRow]
"""What each function says of a row, by its id."""
_AT_ONCE, _GROUP = 500, 100
_HEAVY = ("row", "generation", "scores")
_encode_in_order = msgspec.json.Encoder(order="deterministic").encode
decode: Any = msgspec.json.Decoder().decode


def digest_of(row: DatasetRow) -> str:
    """The same for equal rows, whatever the order of their columns."""
    return sha256(_encode_in_order(row)).hexdigest()[:32]


class KeptRows:
    """Of one evaluation. store: of all users. Each method raises Unavailable."""

    def __init__(self, store: SqlStore, run_id: str) -> None:
        self._store = store
        self._mine = eq("run_id", run_id)

    async def counts(self) -> Json:
        """The columns of the evaluation that count them."""
        found = await self._store.totals(Totals(ROWS, self._mine & eq("is_scored", 1), ("is_failed",)))
        return {"done": found["count"], "failed": found["is_failed"]}

    async def size(self) -> tuple[int, int]:
        """How many rows are answered, and how many bytes they have."""
        found = await self._store.totals(Totals(ROWS, self._mine, ("size_bytes",)))
        return found["count"], found["size_bytes"]

    async def between(self, first: int, end: int) -> dict[int, Json | None]:
        """The rows from `first` on, before `end`, that are answered, by number: with what was answered where that is
        still to be scored, else None.
        """
        where = self._mine & above("number", first - 1) & below("number", end)
        rows = await self._store.select(Select(ROWS, where, ("number", "is_scored")))
        unscored = where & eq("is_scored", 0)
        if all(row["is_scored"] for row in rows):
            return dict.fromkeys(row["number"] for row in rows)
        answered = await self._store.select(Select(ROWS, unscored, ("number", "generation")))
        return dict.fromkeys(row["number"] for row in rows) | {
            row["number"]: decode(row["generation"]) for row in answered
        }

    async def page(self, first: int, most: int, *, errors_only: bool) -> tuple[list[Row], bool]:
        """Rows in the order of their numbers, and whether more follow. A page ends before it has too many bytes.

        first: the number that it begins with; of errors, how many of them are left out.
        """
        where = self._mine & (eq("is_error", 1) if errors_only else ALL)
        if errors_only and first:
            before = await self._store.select(Select(ROWS, where, ("number",), ("number",), first))
            if len(before) < first:
                return [], False
            first = before[-1]["number"] + 1
        return await self._rows(where & above("number", first - 1), most)

    async def every(self, *columns: str) -> AsyncGenerator[list[Row], None]:
        """All rows that are answered, in order, many at once. columns: of each, beside its number."""
        last, has_more = -1, True
        while has_more:
            rows, has_more = await self._rows(self._mine & above("number", last), _AT_ONCE, columns)
            if rows:
                last = rows[-1]["number"]
                yield rows

    async def _rows(
        self, where: Condition, most: int, columns: Sequence[str] = (*_HEAVY, "is_failed")
    ) -> tuple[list[Row], bool]:
        heavy = tuple(column for column in _HEAVY if column in columns)
        sizes = await self._store.select(Select(ROWS, where, ("number",), ("number",), most + 1, heavy))
        if not sizes:
            return [], False
        count = min(how_many([row[SIZE] for row in sizes]) if heavy else most, most)
        rows = await self._store.select(Select(ROWS, where, ("number", *columns), ("number",), count))
        return rows, len(sizes) > len(rows)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is to be kept of a row. scores: None while it is not scored. is_new: whether nothing is kept of it yet."""

    number: int
    row: DatasetRow
    generation: Json
    scores: Scores | None
    is_new: bool

    @property
    def is_failed(self) -> bool:
        return self.generation[GENERATED] is None


class Keeping:
    """Keeps rows as they are answered and scored. counts: see `KeptRows.counts`."""

    def __init__(self, store: SqlStore, run_id: str, counts: Json) -> None:
        self._store = store
        self._run_id = run_id
        self._counts = counts
        self._groups: InGroups[Kept, None] = InGroups(self._write, at_once=1, most=_GROUP)

    async def keep(self, kept: Kept) -> None:
        """Returns when it is on disk. Raises Unavailable, Stale if the evaluation is no more."""
        await self._groups.do(kept)

    async def _write(self, group: list[Kept]) -> list[None]:
        counts = dict(self._counts)
        for kept in group:
            counts["done"] += kept.scores is not None
            counts["failed"] += kept.scores is not None and kept.is_failed
        counted = Update(RUNS, counts, eq("id", self._run_id), expect=1)
        await self._store.write(*(self._statement(kept) for kept in group), counted)
        self._counts = counts
        return [None] * len(group)

    def _statement(self, kept: Kept) -> Statement:
        scores = None if kept.scores is None else encode(kept.scores)
        is_error = kept.is_failed or any(one.get(SCORE) is None for one in (kept.scores or {}).values())
        row, generation = encode(kept.row), encode(kept.generation)
        change = {
            "is_scored": int(scores is not None),
            "is_error": int(is_error),
            "size_bytes": len(row) + len(generation) + len(scores or b""),
            "scores": scores,
        }
        if not kept.is_new:
            return Update(ROWS, change, eq("run_id", self._run_id) & eq("number", kept.number))
        key = {"run_id": self._run_id, "number": kept.number, "digest": digest_of(kept.row)}
        values = {**key, **change, "is_failed": int(kept.is_failed), "row": row, "generation": generation}
        return Insert(ROWS, values, replace=())
