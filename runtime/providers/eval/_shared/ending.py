"""The job that ends an evaluation: it says what is to be said of all rows together, removes what was made for it, and
adds its rows to analytics.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import MutableMapping
from typing import Any

from runtime.access import EVERYBODY, SYSTEM
from runtime.apis.eval.candidates import BenchmarkConfig
from runtime.apis.scoring.protocol import ERROR, SCORE, AggregateRequest, Scoring
from runtime.errors import NotFound, RequestError, Unavailable, UpstreamError
from runtime.provider import ProviderContext
from runtime.providers.eval._shared.analytics import Exporting
from runtime.providers.eval._shared.candidates import MadeAgents
from runtime.providers.eval._shared.kept_rows import KeptRows, decode
from runtime.providers.eval._shared.states import States
from runtime.providers.eval._shared.tables import RUNS
from runtime.sse import Json
from runtime.storage.jobs import JobQueue, Postponed, RunningJob
from runtime.storage.sql import Row, Select, SqlStore, eq, owner_of

log = logging.getLogger(__name__)
_AT_ONCE, _FOR_EVER, _AGAIN_S = 4, 1_000_000, 15.0
_ID = "end_"
_WEIGHT = "weight"
"""The column that aggregations read."""


class Ending:
    """store: of all users. callers: see `Running`; what is there of an evaluation is forgotten. runs: the jobs that
    ask.
    """

    def __init__(
        self,
        context: ProviderContext,
        *,
        store: SqlStore,
        scoring: Scoring,
        agents: MadeAgents,
        callers: MutableMapping[str, Any],
        runs: JobQueue,
    ) -> None:
        self._exporting = Exporting(context.storage)
        self._store = store
        self._states = States(store)
        self._scoring = scoring
        self._agents = agents
        self._callers = callers
        self._runs = runs
        kind = f"evaluation-end {context.provider_id}"
        self._jobs = context.jobs.handle(kind, self._end, concurrency=_AT_ONCE, attempts=_FOR_EVER, stays=False)

    async def begin(self, row: Row) -> None:
        """End one whose rows are no longer asked; may be repeated. row: with its owner. Raises Unavailable."""
        await self._jobs.add({"run_id": row["id"]}, user=owner_of(row) or EVERYBODY, job_id=_ID + row["id"])

    async def _end(self, job: RunningJob) -> None:
        """The handler."""
        run_id = job.payload["run_id"]
        try:
            row = await self._store.first(Select(RUNS, eq("id", run_id)))
            if row is None:
                return
            if row["ended_at"] is None:
                with contextlib.suppress(NotFound):  # it has ended
                    await self._runs.finished(run_id, user=SYSTEM)
                row = await self._store.first(Select(RUNS, eq("id", run_id))) or row
                if row["agent_id"] is not None:
                    await self._agents.remove(row["agent_id"])
                await self._states.end(run_id, await self._results(row))
                row = await self._store.first(Select(RUNS, eq("id", run_id))) or row
            if row["exported_at"] is None:
                await self._export(row)
        except (Unavailable, UpstreamError) as error:
            raise Postponed(_AGAIN_S, None) from error
        self._callers.pop(run_id, None)

    async def _export(self, row: Row) -> None:
        """Raises Unavailable while analytics cannot be reached."""
        try:
            await self._exporting.add(row, KeptRows(self._store, row["id"]))
        except RequestError as error:  # the same again and again
            fields = {"run_id": row["id"], "error": error.message}
            log.error("an evaluation cannot be added to analytics", extra=fields)
        await self._states.exported(row["id"])

    async def _results(self, row: Row) -> Json:
        """What is said of all rows together, by function."""
        scored: dict[str, list[Json]] = {function: [] for function in row["functions"]}
        weights: list[Json] = []
        same: dict[Any, Json] = {}  # most rows have one of few scores: 100,000 of them take little memory
        async for rows in KeptRows(self._store, row["id"]).every("row", "scores", "is_scored"):
            for one in rows:
                if not one["is_scored"]:
                    continue
                given = decode(one["row"])
                weights.append(_shared(same, _WEIGHT, given[_WEIGHT]) if _WEIGHT in given else {})
                for function, said in decode(one["scores"]).items():
                    scored[function].append(_shared(same, SCORE, said.get(SCORE)))
        return {name: await self._together(name, row, scored[name], weights) for name in row["functions"]}

    async def _together(self, function: str, row: Row, scored: list[Json], weights: list[Json]) -> Json:
        told = BenchmarkConfig.model_validate(row["config"]).scoring_params.get(function)
        asked = AggregateRequest(scoring_fn_id=function, params=told, scored=[], rows=[])
        try:
            # Not validated again: that would copy each of them.
            return (await self._scoring.aggregate(asked.changed(scored=scored, rows=weights))).results
        except RequestError as error:  # such as a mean of words, or a function that is no more
            return {ERROR: error.message}


def _shared(same: dict[Any, Json], name: str, value: Any) -> Json:
    """An object with one value, the same one for the same value."""
    if not isinstance(value, str | float | int | None):
        return {name: value}
    key = (name, type(value), value)
    return same.setdefault(key, {name: value}) if key in same or len(same) < 10_000 else {name: value}
