"""What SQL finds of evaluations that have ended: `eval_runs`, `eval_rows`, `eval_scores`.

Each row is there once, although a process may die in the middle: rows are added in order, some at a time, all or none
of them, and how many are there says where to go on.
"""

from __future__ import annotations

from typing import Any

from runtime.apis.datasets.protocol import Row as DatasetRow
from runtime.apis.scoring.functions import GENERATED
from runtime.apis.scoring.protocol import ERROR, SCORE
from runtime.errors import StackError
from runtime.providers.eval._shared.kept_rows import KeptRows, decode
from runtime.providers.eval._shared.questions import expected_of, question_of
from runtime.sse import Json, encode
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable
from runtime.storage.sql import Row
from runtime.storage.sql.tables import OWNER
from runtime.storage.stores import Storage

_OF_ALL = (
    AnalyticsColumn("ended_at", "time"),
    AnalyticsColumn("run_id", "text"),
    AnalyticsColumn("benchmark_id", "text"),
)
"""ended_at: when the evaluation ended."""
RUNS = AnalyticsTable(
    name="eval_runs",
    columns=(
        *_OF_ALL,
        AnalyticsColumn("begun_at", "time"),
        AnalyticsColumn("status", "text"),
        AnalyticsColumn("candidate", "text"),
        AnalyticsColumn("dataset_id", "text"),
        AnalyticsColumn("dataset_version", "text"),
        AnalyticsColumn("num_rows", "integer"),
        AnalyticsColumn("num_failed", "integer"),
        AnalyticsColumn("config", "json"),
        AnalyticsColumn("results", "json"),
        AnalyticsColumn("owner", "text"),
    ),
    aged_by="ended_at",
)
"""candidate: its model. num_rows: those that are done. results: what is said of all rows together, by function."""
ROWS = AnalyticsTable(
    name="eval_rows",
    columns=(
        *_OF_ALL,
        AnalyticsColumn("number", "integer"),
        AnalyticsColumn("question", "text"),
        AnalyticsColumn("expected", "text"),
        AnalyticsColumn("answer", "text"),
        AnalyticsColumn("error", "text"),
        AnalyticsColumn("given", "json"),
    ),
    aged_by="ended_at",
)
"""number: the row's place in its dataset, from 0. given: what it is there."""
SCORES = AnalyticsTable(
    name="eval_scores",
    columns=(
        *_OF_ALL,
        AnalyticsColumn("number", "integer"),
        AnalyticsColumn("function", "text"),
        AnalyticsColumn("score", "real"),
        AnalyticsColumn("said", "text"),
        AnalyticsColumn("error", "text"),
        AnalyticsColumn("more", "json"),
    ),
    aged_by="ended_at",
)
"""score: null where it is no number. said: the score as a text. more: what else the function says."""
TABLES = (RUNS, ROWS, SCORES)


class Exporting:
    """Adds evaluations to analytics."""

    def __init__(self, storage: Storage) -> None:
        self._analytics: Analytics = storage.analytics(*TABLES)

    async def add(self, run: Row, kept: KeptRows) -> None:
        """What is not there yet. run: one that has ended, with all columns.

        Raises Unavailable, and RequestError for what a column cannot hold.
        """
        facts = {"ended_at": run["ended_at"], "run_id": run["id"], "benchmark_id": run["benchmark_id"]}
        each = len(run["functions"])
        rows_left, scores_left = await self._count(ROWS, run), await self._count(SCORES, run)
        async for some in kept.every("row", "generation", "scores", "is_scored"):
            done = [row for row in some if row["is_scored"]]
            rows = [facts | _row(row) for row in done[rows_left:]]
            scores = [facts | score for row in done[scores_left // each :] for score in _scores(row)]
            rows_left, scores_left = max(0, rows_left - len(done)), max(0, scores_left - each * len(done))
            await self._analytics.append(ROWS, rows)
            await self._analytics.append(SCORES, scores)
        if not await self._count(RUNS, run):
            await self._analytics.append(RUNS, [facts | _run(run)])

    async def _count(self, table: AnalyticsTable, run: Row) -> int:
        query = f'SELECT count(*) FROM "{table.name}" WHERE run_id = ?'  # noqa: S608  # ours
        [(count,)] = (await self._analytics.query(query, [run["id"]])).rows
        return int(count)


def _run(run: Row) -> Json:
    candidate = run["config"]["eval_candidate"]
    return {
        "begun_at": run["begun_at"],
        "status": run["outcome"],
        "candidate": candidate["model"] if "model" in candidate else candidate["config"]["model"],
        "dataset_id": run["dataset_id"],
        "dataset_version": run["dataset_version"],
        "num_rows": run["done"],
        "num_failed": run["failed"],
        "config": run["config"],
        "results": run["results"],
        "owner": run[OWNER],
    }


def _row(row: Row) -> Json:
    given, generation = decode(row["row"]), decode(row["generation"])
    return {
        "number": row["number"],
        "question": _question(given),
        "expected": _text(expected_of(given)),
        "answer": _text(generation[GENERATED]),
        "error": generation.get(ERROR),
        "given": given,
    }


def _scores(row: Row) -> list[Json]:
    return [
        {
            "number": row["number"],
            "function": function,
            "score": float(score) if isinstance(score := said.get(SCORE), int | float) else None,
            "said": _text(score),
            "error": _text(said.get(ERROR)),
            "more": {name: value for name, value in said.items() if name not in (SCORE, ERROR)} or None,
        }
        for function, said in decode(row["scores"]).items()
    ]


def _question(row: DatasetRow) -> str | None:
    try:
        return question_of(row).text
    except StackError:  # why it could not be asked is in `error`
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str | None) else encode(value).decode()
