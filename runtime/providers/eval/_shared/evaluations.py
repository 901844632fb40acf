"""Implements `Eval`: an evaluation is a row, a job that asks and scores its rows, and a job that sums it up."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from runtime.access import EVERYBODY
from runtime.apis._request import Registered
from runtime.apis.datasetio.protocol import DatasetIO
from runtime.apis.datasets.protocol import Datasets as RegisteredDatasets
from runtime.apis.eval.candidates import AgentCandidate, BenchmarkConfig
from runtime.apis.eval.job import Job, JobPage, JobRequest, ListJobsRequest, RunEvalRequest
from runtime.apis.eval.results import (
    CompareJobsRequest,
    Comparison,
    EvaluatedRows,
    EvaluateResponse,
    EvaluateRowsRequest,
    JobRowsRequest,
)
from runtime.apis.models import Models
from runtime.apis.scoring.protocol import AggregateRequest, Scoring, ScoringResult
from runtime.apis.scoring_functions.protocol import ScoringFunctions
from runtime.concurrently import concurrently
from runtime.context import current
from runtime.errors import Conflict, NotFound, RequestError
from runtime.ids import new_position, ordered_id
from runtime.provider import ProviderContext
from runtime.providers._background.asking import Paces
from runtime.providers._background.waiting import wait_of
from runtime.providers.eval._shared.candidates import AsksModels, MadeAgents
from runtime.providers.eval._shared.checking import Checks, check_rows, told
from runtime.providers.eval._shared.comparing import compared
from runtime.providers.eval._shared.config import EvalConfig
from runtime.providers.eval._shared.datasets import Datasets, without_version
from runtime.providers.eval._shared.ending import Ending
from runtime.providers.eval._shared.kept_rows import KeptRows, Scores
from runtime.providers.eval._shared.results import whole
from runtime.providers.eval._shared.running import Asking, Running
from runtime.providers.eval._shared.shown import shown, shown_row
from runtime.providers.eval._shared.states import States
from runtime.providers.eval._shared.tables import RUNS, SCHEMA, STORE
from runtime.sse import Json
from runtime.storage.sql import Insert, Row, Select, SqlStore, eq, owner_of
from runtime.storage.sql.paging import read_page
from runtime.to_the_end import to_the_end

_FIRST_ROWS = 100
"""How many rows are looked at before a job begins."""
_READ_AT_ONCE = 8


class KeptEvaluations:
    """Each method raises Unavailable where what is kept cannot be reached."""

    def __init__(
        self,
        config: EvalConfig,
        context: ProviderContext,
        *,
        inference: AsksModels,
        agents: MadeAgents,
        max_wait_s: float | None = None,
    ) -> None:
        self._provider_id = context.provider_id
        self._at_once = config.max_concurrent_rows
        self._store = context.storage.sql(STORE, SCHEMA)
        self._states = States(self._store)
        self._scoring = context.api(Scoring)  # type: ignore[type-abstract]
        registered, datasetio = context.api(RegisteredDatasets), context.api(DatasetIO)  # type: ignore[type-abstract]
        self._datasets = Datasets(registered, datasetio)
        self._agents = agents
        models, functions = context.api(Models), context.api(ScoringFunctions)  # type: ignore[type-abstract]
        self._checks = Checks(models, functions, self._scoring, self._datasets, agents)
        self._callers: dict[str, Mapping[str, Any]] = {}
        self.paces = Paces(models, config.max_concurrent_rows_per_provider or config.max_concurrent_rows)
        self._asking = Asking(
            config,
            inference=inference,
            scoring=self._scoring,
            agents=self._agents,
            paces=self.paces,
        )
        running = Running(
            config,
            context,
            store=self._store,
            datasets=self._datasets,
            asking=self._asking,
            agents=self._agents,
            callers=self._callers,
            end=lambda row: self._ending.begin(row),
            max_wait_s=max_wait_s,
        )
        self._runs = running.jobs
        self._ending = Ending(
            context,
            store=self._store,
            scoring=self._scoring,
            agents=self._agents,
            callers=self._callers,
            runs=self._runs,
        )

    async def start(self) -> None:
        """Begin what a process that has died had kept but not begun. Raises Unavailable."""
        mine = eq("provider_id", self._provider_id) & eq("exported_at", None)
        for row in await self._store.select(Select(RUNS, mine)):
            if row["ended_at"] is not None:
                await self._ending.begin(row)
                continue
            if row["outcome"] == "cancelled":
                await self._give_up(row)
                continue
            job = await self._runs.add(None, user=owner_of(row) or EVERYBODY, job_id=row["id"])
            if job.has_ended and row["outcome"] is None:  # it cannot be begun any more
                await self._states.finish(row["id"], "failed", "Its job was lost")
            if job.has_ended or row["outcome"] is not None:
                await self._ending.begin(row)

    async def check_registration(self, resource: Registered) -> None:
        """Raises NotFound for a benchmark whose dataset, or one of whose functions, is not there."""
        await self._checks.benchmark(resource)

    async def evaluate_rows(self, request: EvaluateRowsRequest) -> EvaluateResponse:
        """Raises as `Checks` do, RequestError for rows without what they need."""
        config, provider_data = request.benchmark_config, current().provider_data
        functions = await self._checks.functions(request.scoring_functions, config)
        await self._checks.candidate(config)
        rows = request.input_rows[: config.num_examples]
        check_rows(rows, functions, config, what="`input_rows`", param="input_rows")
        agent_id = await self._made_agent(config)
        try:
            asker = await self._asking.asker(config, agent_id, provider_data)
            scorer = self._asking.scorer(request.scoring_functions, config, provider_data)

            async def evaluated(number: int) -> tuple[Json, Scores]:
                generation = await asker.generation(rows[number], number)
                return generation, await scorer.scores(rows[number], generation)

            found = await concurrently(evaluated, range(len(rows)), at_once=self._at_once)
        finally:
            await to_the_end(self._removed(agent_id))
        results = {}
        for name, params in told(request.scoring_functions, config).items():
            scored = [scores[name] for _, scores in found]
            asked = AggregateRequest(scoring_fn_id=name, params=params, scored=scored, rows=rows)
            together = (await self._scoring.aggregate(asked)).results
            results[name] = ScoringResult(score_rows=scored, aggregated_results=together)
        return EvaluateResponse(generations=[generation for generation, _ in found], scores=results)

    async def run_eval(self, request: RunEvalRequest) -> Job:
        """Raises as `Checks` do, NotFound for the dataset, RequestError for rows without what they need, what agents
        raise for one that cannot be made.
        """
        benchmark, config, user = _benchmark(request), request.benchmark_config, current().user
        self._checks.whole(benchmark)
        function_ids: list[str] = benchmark.facts["scoring_functions"]
        functions = await self._checks.functions(function_ids, config)
        await self._checks.candidate(config)
        given: str = benchmark.facts["dataset_id"]
        most = min(config.num_examples or _FIRST_ROWS, _FIRST_ROWS)
        first = await self._datasets.page(given, None, 0, most)
        if not first.rows:
            raise RequestError(f"The dataset `{given}` has no rows, so there is nothing to ask", param="benchmark_id")
        check_rows(first.rows, functions, config, what=f"the dataset `{given}`", param="benchmark_id")
        dataset_id = without_version(given, first.version)
        total = await self._datasets.count(dataset_id, first.version)
        if config.num_examples is not None and total is not None:
            total = min(total, config.num_examples)
        agent_id = await self._made_agent(config)
        position = new_position()
        run_id = ordered_id("job_", position)
        row = {
            "id": run_id,
            "position": position,
            "created": position // 1_000_000,
            "provider_id": self._provider_id,
            "benchmark_id": benchmark.id,
            "dataset_id": dataset_id,
            "dataset_version": first.version,
            "functions": function_ids,
            "config": config.model_dump(mode="json", exclude_unset=True),
            "total": total,
            "done": 0,
            "failed": 0,
            "agent_id": agent_id,
        }
        try:
            await self._mine().write(Insert(RUNS, row))
        except BaseException:
            await to_the_end(self._removed(agent_id))
            raise
        if current().provider_data:
            self._callers[run_id] = current().provider_data
        await self._runs.add(None, user=user, job_id=run_id)
        return shown(await self._row(benchmark, run_id))

    async def list_jobs(self, request: ListJobsRequest) -> JobPage:
        """Raises RequestError for a cursor that is none."""
        where = eq("benchmark_id", _benchmark(request).id)
        rows, has_more = await read_page(self._mine(), RUNS, request, where=where, what="job")
        first_id, last_id = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
        jobs = await concurrently(self._shown, rows, at_once=_READ_AT_ONCE)
        return JobPage(data=jobs, first_id=first_id, last_id=last_id, has_more=has_more)

    async def job_status(self, request: JobRequest) -> Job:
        """Raises NotFound."""
        return await self._shown(await self._row(_benchmark(request), request.job_id))

    async def _shown(self, row: Row) -> Job:
        """With what it waits for."""
        if row["outcome"] is None:
            with contextlib.suppress(NotFound):  # it has no job yet
                return shown(row, wait_of(await self._runs.get(row["id"], user=owner_of(row) or EVERYBODY)))
        return shown(row)

    async def job_cancel(self, request: JobRequest) -> None:
        """Raises NotFound, Conflict for one that has ended, or is about to."""
        row = await self._row(_benchmark(request), request.job_id)
        if await self._states.cancel(request.job_id, self._mine()):
            await self._give_up(row)
            return
        row = await self._row(_benchmark(request), request.job_id)
        if row["outcome"] != "cancelled" or row["ended_at"] is not None:
            raise Conflict(f"The run `{request.job_id}` has ended: it is `{row['outcome']}`", param="job_id")

    async def job_result(self, request: JobRequest) -> EvaluateResponse:
        """Raises NotFound, Conflict while it has not ended, TooLarge."""
        row = await self._row(_benchmark(request), request.job_id)
        check_ended(row, "job_id")
        return await whole(KeptRows(self._store, row["id"]), row)

    async def job_rows(self, request: JobRowsRequest) -> EvaluatedRows:
        """Raises NotFound."""
        row = await self._row(_benchmark(request), request.job_id)
        kept = KeptRows(self._store, row["id"])
        errors_only = request.only == "errors"
        rows, has_more = await kept.page(request.start_index, request.limit, errors_only=errors_only)
        return EvaluatedRows(data=[shown_row(one) for one in rows], has_more=has_more)

    async def compare_jobs(self, request: CompareJobsRequest) -> Comparison:
        """Raises NotFound, Conflict while one of them has not ended, RequestError for a run beside itself."""
        benchmark = _benchmark(request)
        run = await self._row(benchmark, request.job_id)
        before = await self._row(benchmark, request.baseline, "baseline")
        if run["id"] == before["id"]:
            raise RequestError("A run differs from itself in nothing", hint="name another `baseline`", param="baseline")
        check_ended(run, "job_id")
        check_ended(before, "baseline")
        return await compared(KeptRows(self._store, run["id"]), run, KeptRows(self._store, before["id"]), before)

    async def _give_up(self, row: Row) -> None:
        """Ask no more rows of an evaluation that is cancelled, and end it."""
        with contextlib.suppress(NotFound):  # it has none yet, and begins nothing when it has
            await self._runs.cancel(row["id"], user=owner_of(row) or EVERYBODY)
        await self._ending.begin(row)

    async def _made_agent(self, config: BenchmarkConfig) -> str | None:
        """The id of a new agent, where the candidate is one. Raises what agents raise."""
        candidate = config.eval_candidate
        return await self._agents.make(candidate.config) if isinstance(candidate, AgentCandidate) else None

    async def _removed(self, agent_id: str | None) -> None:
        if agent_id is not None:
            await self._agents.remove(agent_id)

    def _mine(self) -> SqlStore:
        return self._store.for_user(current().user)

    async def _row(self, benchmark: Registered, run_id: str, param: str = "job_id") -> Row:
        where = eq("id", run_id) & eq("benchmark_id", benchmark.id)
        row = await self._mine().first(Select(RUNS, where))
        if row is None:
            raise NotFound(
                f"The benchmark `{benchmark.id}` has no run `{run_id[:100]}`", param=param, code="job_not_found"
            )
        return row


def check_ended(row: Row, param: str) -> None:
    """Raises Conflict for an evaluation that has not."""
    if row["ended_at"] is None:
        raise Conflict(
            f"The run `{row['id']}` has not ended: {row['done']} of {row['total'] or 'its'} rows are done",
            hint="ask again when its status says so",
            param=param,
        )


def _benchmark(request: Any) -> Registered:
    found: Registered | None = request.resource
    assert found is not None, "evaluations are routed by benchmarks"
    return found
