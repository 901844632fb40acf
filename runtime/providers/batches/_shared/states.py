"""How a batch goes on from one status to the next, each step written only where the one before still holds.

    create -> validating -> in_progress -> finalizing ------> completed | expired | failed
                   \\             \\             \\
                    +-- cancel ---+-------------+-> cancelling -> cancelled

What it will end with is its `outcome`, written when its lines are no longer asked; the files are written after that.
"""

from __future__ import annotations

from typing import Literal

from runtime.clock import stamp
from runtime.providers.batches._shared.tables import BATCHES
from runtime.sse import Json
from runtime.storage.sql import SqlStore, Statement, Update, eq, one_of

Outcome = Literal["completed", "failed", "expired", "cancelled"]
OUTCOMES: tuple[Outcome, ...] = ("completed", "failed", "expired", "cancelled")
ASKED = ("validating", "in_progress")
"""While lines are asked."""
RUNS = (*ASKED, "finalizing")
"""While it can be cancelled."""


class States:
    """store: of all users. Each method returns whether the step was done, and raises Unavailable."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def begin(self, batch_id: str) -> bool:
        """Its lines are asked from now on. False too where they were before."""
        return await self._step(batch_id, ("validating",), {"status": "in_progress", "in_progress_at": _now()})

    async def finalize(self, batch_id: str, outcome: Outcome, *, errors: list[Json] | None = None) -> bool:
        """Its lines are no longer asked. errors: in place of those that it has."""
        change: Json = {"status": "finalizing", "outcome": outcome, "finalizing_at": _now()}
        return await self._step(batch_id, ASKED, change | ({"errors": errors} if errors else {}))

    async def cancel(self, batch_id: str, store: SqlStore) -> bool:
        """It is given up. store: the part of it that the caller sees."""
        change = {"status": "cancelling", "outcome": "cancelled", "cancelling_at": _now()}
        return await store.write(Update(BATCHES, change, eq("id", batch_id) & one_of("status", RUNS))) == [1]

    async def end(self, batch_id: str, change: Json, *also: Statement) -> None:
        """It ends with its outcome. change: what else is written with it. also: done with it."""
        this, change = eq("id", batch_id) & eq("ended_at", None), {"ended_at": _now(), **change}
        ends = [Update(BATCHES, {"status": one, **change}, this & eq("outcome", one)) for one in OUTCOMES]
        await self._store.write(*ends, *also)

    async def _step(self, batch_id: str, before: tuple[str, ...], change: Json) -> bool:
        where = eq("id", batch_id) & one_of("status", before)
        return await self._store.write(Update(BATCHES, change, where)) == [1]


def _now() -> int:
    return int(stamp())
