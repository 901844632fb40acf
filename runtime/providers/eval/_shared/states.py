"""How an evaluation goes on from one status to the next, each step written only where the one before still holds.

    run_eval -> scheduled -> in_progress -> (its outcome stands) ------> completed | failed
                    \\             \\
                     +-- cancel ---+------> cancelled, its outcome ---> cancelled, with its end

Its outcome is written when its rows are no longer asked; what is said of all rows, and its end, after that.
"""

from __future__ import annotations

from typing import Literal

from runtime.clock import stamp
from runtime.providers.eval._shared.tables import RUNS
from runtime.sse import Json
from runtime.storage.sql import SqlStore, Update, eq

Outcome = Literal["completed", "failed", "cancelled"]


class States:
    """store: of all users. Each method returns whether the step was done, and raises Unavailable."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def begin(self, run_id: str) -> bool:
        """Its rows are asked from now on. False too where they were before."""
        return await self._step(run_id, {"begun_at": _now()}, "begun_at")

    async def finish(self, run_id: str, outcome: Outcome, error: str | None) -> bool:
        """Its rows are no longer asked. error: why."""
        return await self._step(run_id, {"outcome": outcome, "error": error}, "outcome")

    async def cancel(self, run_id: str, store: SqlStore) -> bool:
        """It is given up. store: the part of it that the caller sees."""
        where = eq("id", run_id) & eq("outcome", None)
        return await store.write(Update(RUNS, {"outcome": "cancelled"}, where)) == [1]

    async def end(self, run_id: str, results: Json) -> bool:
        """It has ended. results: what is said of all rows together, by function."""
        return await self._step(run_id, {"results": results, "ended_at": _now()}, "ended_at")

    async def exported(self, run_id: str) -> bool:
        """Its rows are in analytics."""
        return await self._step(run_id, {"exported_at": _now()}, "exported_at")

    async def _step(self, run_id: str, change: Json, unset: str) -> bool:
        return await self._store.write(Update(RUNS, change, eq("id", run_id) & eq(unset, None))) == [1]


def _now() -> int:
    return int(stamp())
