"""Implements `Eval` over NeMo Evaluator: registering a benchmark makes a config of it there, and a run is a job of it.
Whose run it is, and of which benchmark, is kept here; how far it is and what came of it is asked there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from runtime.apis._request import Registered
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
from runtime.apis.models import ModelRequest, Models
from runtime.apis.scoring.protocol import ScoringResult
from runtime.clock import stamp
from runtime.concurrently import concurrently
from runtime.context import current, warn
from runtime.errors import Conflict, NotFound, NotSupported, RequestError, StackError, UpstreamError
from runtime.http.auth import Bearer
from runtime.ids import new_position
from runtime.provider import ProviderContext
from runtime.providers._vendors.nvidia.entities import Entities, Named
from runtime.providers.eval._shared.evaluations import check_ended
from runtime.providers.eval._shared.shown import shown
from runtime.providers.eval._shared.tables import RUNS, SCHEMA, STORE
from runtime.providers.eval.nvidia.config import NvidiaEvalConfig
from runtime.providers.eval.nvidia.jobs import Jobs, JobState
from runtime.storage.sql import Insert, Row, Select, SqlStore, Update, eq
from runtime.storage.sql.paging import read_page
from runtime.to_the_end import to_the_end

_CONFIG_FIELDS = ("type", "params", "tasks", "groups", "description", "custom_fields")
"""What a benchmark's metadata say to the evaluator."""
_ASKED_AT_ONCE = 8


class NvidiaEval:
    """Each method raises Unavailable where what is kept cannot be reached, and what `HttpClient` raises."""

    def __init__(self, config: NvidiaEvalConfig, context: ProviderContext) -> None:
        self._config = config
        self._provider_id = context.provider_id
        self._store = context.storage.sql(STORE, SCHEMA)
        self._models = context.api(Models)  # type: ignore[type-abstract]
        url = config.evaluator_url.rstrip("/").removesuffix("/v1")
        http = context.http.with_auth(Bearer(context.keys), address=url)
        self._configs = Entities(http, f"{url}/v1/evaluation/configs")
        self._jobs = Jobs(http, url, provider_id=context.provider_id)

    async def check_registration(self, resource: Registered) -> None:
        """Raises RequestError for a benchmark whose metadata are no config of the evaluator's."""
        if not isinstance(resource.metadata.get("type"), str):
            raise RequestError(
                f"`{self._provider_id}` makes a config of the benchmark's `metadata`, which have no `type`",
                hint="such as `custom` with `tasks`, or the name of a harness's benchmark with `params`",
                param="metadata.type",
            )

    async def take_registration(self, resource: Registered, before: Registered | None) -> Mapping[str, Any]:
        """Make the evaluator's config. Raises Conflict for a name that has another one there."""
        facts = {name: resource.metadata[name] for name in _CONFIG_FIELDS if name in resource.metadata}
        if self._config.project_id:
            facts["project"] = self._config.project_id
        return await self._configs.take(resource, before, self._named(resource), facts)

    async def release_registration(self, resource: Registered) -> None:
        """Its runs stay there."""
        await self._configs.release(resource)

    async def evaluate_rows(self, request: EvaluateRowsRequest) -> EvaluateResponse:
        """Raises NotSupported."""
        self._refuse("evaluates no rows of a request: it reads files of NeMo's data store")

    async def run_eval(self, request: RunEvalRequest) -> Job:
        """Raises NotFound where the evaluator has no config of the benchmark, NotSupported for agents and for what its
        config says once for all.
        """
        benchmark, config = _benchmark(request), request.benchmark_config
        body = {
            "namespace": self._config.namespace,
            "target": {"type": "model", "model": await self._model(config)},
            "config": str(self._configs.kept_as(benchmark) or self._named(benchmark)),
        }
        if self._config.project_id:
            body["project"] = self._config.project_id
        return await to_the_end(self._begun(benchmark, config, body))

    async def _begun(self, benchmark: Registered, config: BenchmarkConfig, body: dict[str, Any]) -> Job:
        """To the end, also where the caller leaves: nobody else knows of the job."""
        job_id, state = await self._jobs.begin(body)
        position = new_position()
        row = {
            "id": job_id,
            "position": position,
            "created": position // 1_000_000,
            "provider_id": self._provider_id,
            "benchmark_id": benchmark.id,
            "dataset_id": benchmark.facts["dataset_id"],
            "functions": benchmark.facts["scoring_functions"],
            "config": config.model_dump(mode="json", exclude_unset=True),
            "done": 0,
            "failed": 0,
        }
        try:
            await self._mine().write(Insert(RUNS, row))
        except BaseException:
            await to_the_end(self._given_up(job_id))
            raise
        return _shown(await self._row(benchmark, job_id), state)

    async def list_jobs(self, request: ListJobsRequest) -> JobPage:
        """Raises RequestError for a cursor that is none."""
        where = eq("benchmark_id", _benchmark(request).id) & eq("provider_id", self._provider_id)
        rows, has_more = await read_page(self._mine(), RUNS, request, where=where, what="job")
        first_id, last_id = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
        jobs = await concurrently(self._listed, rows, at_once=_ASKED_AT_ONCE)
        return JobPage(data=jobs, first_id=first_id, last_id=last_id, has_more=has_more)

    async def _listed(self, row: Row) -> Job:
        """As it was last known, where the evaluator cannot say how it is."""
        try:
            return await self._asked_for(row)
        except UpstreamError as error:
            warn(f"`{row['id']}` is shown as it was last known: {error.message}")
            return shown(row)

    async def job_status(self, request: JobRequest) -> Job:
        """Raises NotFound."""
        return await self._asked_for(await self._row(_benchmark(request), request.job_id))

    async def job_cancel(self, request: JobRequest) -> None:
        """Raises NotFound, Conflict for one that has ended."""
        job = await self._asked_for(await self._row(_benchmark(request), request.job_id))
        if job.ended_at is not None:
            raise Conflict(f"The run `{request.job_id}` has ended: it is `{job.status}`", param="job_id")
        await self._noted(request.job_id, await self._jobs.cancel(request.job_id))

    async def job_result(self, request: JobRequest) -> EvaluateResponse:
        """What the evaluator says of all rows together, under the benchmark's id. Raises NotFound, Conflict while it
        has not ended and for one without results.
        """
        benchmark = _benchmark(request)
        await self._asked_for(await self._row(benchmark, request.job_id))
        row = await self._row(benchmark, request.job_id)
        check_ended(row, "job_id")
        if row["outcome"] != "completed":
            why = f": {row['error']}" if row["error"] else ""
            raise Conflict(f"The run `{request.job_id}` is `{row['outcome']}`{why}", param="job_id")
        results = await self._jobs.results(request.job_id)
        together = ScoringResult(score_rows=[], aggregated_results=results)
        return EvaluateResponse(generations=[], scores={benchmark.id: together})

    async def job_rows(self, request: JobRowsRequest) -> EvaluatedRows:
        """Raises NotSupported."""
        self._refuse("tells nothing of single rows", hint="its results name the files that have them, as `files_url`")

    async def compare_jobs(self, request: CompareJobsRequest) -> Comparison:
        """Raises NotSupported."""
        self._refuse("tells nothing of single rows, by which runs are compared", hint="read both runs' results")

    async def _model(self, config: BenchmarkConfig) -> str:
        """What NeMo calls the model. Raises NotSupported for an agent, and for what is said in its config only."""
        candidate = config.eval_candidate
        if isinstance(candidate, AgentCandidate):
            self._refuse("evaluates models, not agents", hint="evaluate the agent with `inline::builtin`")
        place = "benchmark_config"
        if config.num_examples is not None:
            self._refuse("has the number of examples in its config (`params.limit_samples`)", f"{place}.num_examples")
        if config.scoring_params:
            self._refuse("has its metrics in its config (`tasks`)", f"{place}.scoring_params")
        if candidate.system_message is not None:
            self._refuse("has the prompt in its config (`tasks`)", f"{place}.eval_candidate.system_message")
        if "sampling_params" in candidate.model_fields_set and candidate.sampling_params.model_fields_set:
            warn(f"`sampling_params` have no effect: `{self._provider_id}` has them in its config (`params`)")
        try:
            found = await self._models.get_model(ModelRequest(model_id=candidate.model))
        except NotFound:  # NeMo may know it all the same
            return candidate.model
        return found.provider_resource_id

    async def _asked_for(self, row: Row) -> Job:
        """A run as it is now. One that has ended is not asked for again."""
        if row["ended_at"] is not None:
            return shown(row)
        state = await self._jobs.state(row["id"])
        return _shown({**row, **await self._noted(row["id"], state)}, state)

    async def _noted(self, job_id: str, state: JobState) -> dict[str, Any]:
        """What is kept of a job that has ended."""
        if not state.has_ended:
            return {}
        change = {"outcome": state.status, "error": state.error, "ended_at": int(stamp())}
        await self._store.write(Update(RUNS, change, eq("id", job_id) & eq("ended_at", None)))
        return change

    async def _given_up(self, job_id: str) -> None:
        """Nobody would ever know of this job."""
        try:
            await self._jobs.cancel(job_id)
        except StackError:
            return

    def _named(self, benchmark: Registered) -> Named:
        return Named(namespace=self._config.namespace, name=benchmark.provider_resource_id)

    def _mine(self) -> SqlStore:
        return self._store.for_user(current().user)

    async def _row(self, benchmark: Registered, job_id: str) -> Row:
        mine = eq("provider_id", self._provider_id)
        row = await self._mine().first(Select(RUNS, eq("id", job_id) & eq("benchmark_id", benchmark.id) & mine))
        if row is None:
            raise NotFound(
                f"The benchmark `{benchmark.id}` has no run `{job_id[:100]}`", param="job_id", code="job_not_found"
            )
        return row

    def _refuse(self, why: str, param: str | None = None, *, hint: str | None = None) -> NoReturn:
        raise NotSupported(f"provider `{self._provider_id}` {why}", hint=hint, param=param)


def _shown(row: Row, state: JobState) -> Job:
    job = shown(row)
    return job.model_copy(update={"status": state.status, "progress": state.progress, "error": state.error})


def _benchmark(request: Any) -> Registered:
    found: Registered | None = request.resource
    assert found is not None, "evaluations are routed by benchmarks"
    return found
