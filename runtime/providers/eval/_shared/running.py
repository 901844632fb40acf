"""The job that asks the rows of a benchmark and scores the answers, and goes on with those that are not kept.

    rows of the dataset -> a place -> a place at the provider -> asked -> kept -> scored, in groups -> kept -> free

So after a process has died, what was asked and not kept are the rows that had places. Whatever ends it, the job in
`ending.py` sums it up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from runtime.apis.eval.candidates import AgentCandidate, BenchmarkConfig
from runtime.apis.scoring.protocol import Scoring
from runtime.concurrently import first_of
from runtime.context import current
from runtime.errors import NotFound, NotSupported, RequestError, StackError, Unavailable, UpstreamError
from runtime.provider import ProviderContext
from runtime.providers._background.asking import NobodyAnswers, Paces
from runtime.providers._background.pacing import Pace
from runtime.providers._background.waiting import WaitedEnough, Waiting
from runtime.providers.eval._shared.candidates import Agent, Asker, AsksModels, Candidate, MadeAgents, Model
from runtime.providers.eval._shared.checking import told
from runtime.providers.eval._shared.config import EvalConfig
from runtime.providers.eval._shared.datasets import Datasets
from runtime.providers.eval._shared.kept_rows import Keeping, Kept, KeptRows
from runtime.providers.eval._shared.scorers import Scorer
from runtime.providers.eval._shared.states import Outcome, States
from runtime.providers.eval._shared.tables import RUNS
from runtime.sse import Json
from runtime.storage.jobs import RunningJob
from runtime.storage.sql import Row, Select, SqlStore, Update, eq
from runtime.telemetry import conventions as names
from runtime.telemetry.pieces import piece
from runtime.to_the_end import to_the_end

PAGE_ROWS = 200
_MOST_ATTEMPTS = 20
"""How often it is begun: an evaluation that ends its process each time is given up."""
_AGAIN_S = 15.0
"""How long a store or datasets that are down are left alone."""
_FOR_EVER = 1_000_000
_WITHIN = 3
"""For each row that is asked, how many are begun: the others are scored, or wait to be."""


class Asking:
    """Makes what asks and scores the rows of an evaluation, for the current user."""

    def __init__(
        self, config: EvalConfig, *, inference: AsksModels, scoring: Scoring, agents: MadeAgents, paces: Paces
    ) -> None:
        self._most = config.max_concurrent_rows
        self._inference = inference
        self._scoring = scoring
        self._agents = agents
        self._paces = paces
        self._of_functions: dict[str, Pace] = {}

    async def asker(self, config: BenchmarkConfig, agent_id: str | None, provider_data: Mapping[str, Any]) -> Asker:
        """agent_id: of the agent that was made, where the candidate is one. Raises NotSupported, RequestError."""
        candidate, asked = config.eval_candidate, self._model_of(config)
        made: Candidate
        if isinstance(candidate, AgentCandidate):
            assert agent_id is not None, "an agent is made before it is asked"
            made = Agent(self._agents.api, agent_id)
        else:
            made = Model(self._inference, candidate)
        return Asker(made, await self._paces.of(asked), user=current().user, provider_data=provider_data)

    def scorer(self, functions: list[str], config: BenchmarkConfig, provider_data: Mapping[str, Any]) -> Scorer:
        return Scorer(
            self._scoring,
            told(functions, config),
            self._of_functions,
            user=current().user,
            provider_data=provider_data,
            most=self._most,
        )

    def _model_of(self, config: BenchmarkConfig) -> str:
        candidate = config.eval_candidate
        return candidate.config.model if isinstance(candidate, AgentCandidate) else candidate.model


class Running:
    """store: of all users. callers: what who asked sent for providers, by evaluation; in memory alone, since keys are
    on no disk. end: called with an evaluation whose rows are no longer asked. max_wait_s: how long one waits for
    whoever asks its rows.
    """

    def __init__(
        self,
        config: EvalConfig,
        context: ProviderContext,
        *,
        store: SqlStore,
        datasets: Datasets,
        asking: Asking,
        agents: MadeAgents,
        callers: Mapping[str, Mapping[str, Any]],
        end: Callable[[Row], Awaitable[None]],
        max_wait_s: float | None,
    ) -> None:
        self._at_once = config.max_concurrent_rows
        self._store = store
        self._states = States(store)
        self._datasets = datasets
        self._asking = asking
        self._agents = agents
        self._callers = callers
        self._end = end
        self._max_wait_s = max_wait_s
        kind = f"evaluation {context.provider_id}"
        self.jobs = context.jobs.handle(
            kind, self._run, concurrency=config.max_concurrent_jobs, attempts=_FOR_EVER, stays=False, traced="in_pieces"
        )  # fmt: skip

    async def _run(self, job: RunningJob) -> None:
        """The handler. The id of the job is that of the evaluation."""
        row = await self._row(job.id)
        if row is not None and row["outcome"] is None:
            outcome, error = await self._outcome(row, job)
            await self._states.finish(job.id, outcome, error)
            row = await self._row(job.id)
        if row is not None and row["ended_at"] is None:
            await self._end(row)

    async def _row(self, run_id: str) -> Row | None:
        return await self._store.first(Select(RUNS, eq("id", run_id)))

    async def _outcome(self, row: Row, job: RunningJob) -> tuple[Outcome, str | None]:
        """How asking the rows has ended, and why they cannot be asked. Raises Postponed while that may pass."""
        if job.attempt > _MOST_ATTEMPTS:
            times = f"It was begun {_MOST_ATTEMPTS} times"
            return "failed", f"{times}, and each time the process that did it ended or failed"
        waiting = Waiting(job, most_s=self._max_wait_s)
        try:
            await self._evaluate(row, waiting)
        except (NobodyAnswers, Unavailable, UpstreamError) as error:
            try:
                raise waiting.again(error, pause_s=_AGAIN_S) from error
            except WaitedEnough as enough:
                return "failed", str(enough)
        except NotFound as error:
            return "failed", f"What it needs is no longer there: {error.message}"
        except (RequestError, NotSupported) as error:
            return "failed", error.message
        return "completed", None

    async def _evaluate(self, row: Row, waiting: Waiting) -> None:
        """Ask and score all rows that are not kept. Raises what reading them and keeping them raises."""
        config = BenchmarkConfig.model_validate(row["config"])
        provider_data = self._callers.get(row["id"], {})
        await self._states.begin(row["id"])
        asker = await self._asking.asker(config, await self._agent(row, config), provider_data)
        scorer = self._asking.scorer(row["functions"], config, provider_data)
        kept = KeptRows(self._store, row["id"])
        keeping = Keeping(self._store, row["id"], await kept.counts())
        asked, begun = asyncio.Semaphore(self._at_once), asyncio.Semaphore(_WITHIN * self._at_once)

        async def evaluate(number: int, given: Json, generation: Json | None) -> None:
            try:
                facts: Any = {"number": number, "row": given}
                with piece("row of an evaluation", {names.ROW: number}):
                    if generation is None:
                        async with asked:
                            generation = await asker.generation(given, number)
                            await waiting.over()
                            first = Kept(**facts, generation=generation, scores=None, is_new=True)
                            await to_the_end(keeping.keep(first))
                    scores = await scorer.scores(given, generation)
                await to_the_end(keeping.keep(Kept(**facts, generation=generation, scores=scores, is_new=False)))
            finally:
                begun.release()

        number, most, has_more = 0, config.num_examples, True
        try:
            async with asyncio.TaskGroup() as group:
                while has_more and (most is None or number < most):
                    at_once = PAGE_ROWS if most is None else min(PAGE_ROWS, most - number)
                    page = await self._datasets.page(row["dataset_id"], row["dataset_version"], number, at_once)
                    before = await kept.between(number, number + len(page.rows))
                    for place, given in enumerate(page.rows, start=number):
                        if place in before and before[place] is None:
                            continue
                        await begun.acquire()
                        group.create_task(evaluate(place, given, before.get(place)), name=f"row {place} of {row['id']}")
                    number, has_more = number + len(page.rows), page.has_more
        except* StackError as several:
            raise first_of(several) from None
        await waiting.over()
        await self._store.write(Update(RUNS, {"total": number}, eq("id", row["id"])))

    async def _agent(self, row: Row, config: BenchmarkConfig) -> str | None:
        """The agent of an evaluation, where its candidate is one; it is made once."""
        if not isinstance(config.eval_candidate, AgentCandidate):
            return None
        agent_id: str | None = row["agent_id"]
        if agent_id is None:
            agent_id = await self._agents.make(config.eval_candidate.config)
            await self._store.write(Update(RUNS, {"agent_id": agent_id}, eq("id", row["id"])))
        return agent_id
