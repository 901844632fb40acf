"""Makes up rows: says what is wanted, asks a model for it, scores and filters what came, and keeps it as a dataset."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from random import Random
from typing import Any

from runtime.apis.datasetio.protocol import DatasetIO
from runtime.apis.datasets.protocol import Datasets, RegisterDatasetRequest, Row, RowsDataSource
from runtime.apis.inference.protocol import Inference
from runtime.apis.models import Models, first_of_type
from runtime.apis.scoring.protocol import SCORE, Scoring
from runtime.apis.synthetic_data_generation.answer import GenerateResponse, Statistics
from runtime.apis.synthetic_data_generation.request import MOST_ASKS, GenerateRequest
from runtime.context import warn
from runtime.errors import RequestError, StackError, Unavailable
from runtime.provider import ProviderContext
from runtime.providers._background.asking import Paces
from runtime.providers._earlier.messages import chat_messages
from runtime.providers._earlier.renaming import renamed
from runtime.providers.synthetic_data_generation.builtin.asking import Question, nothing_to_make
from runtime.providers.synthetic_data_generation.builtin.choosing import LOGPROB, Choosing, Chosen, needs_logprob
from runtime.providers.synthetic_data_generation.builtin.config import SyntheticDataConfig
from runtime.providers.synthetic_data_generation.builtin.distinct import Distinct
from runtime.providers.synthetic_data_generation.builtin.making import Making
from runtime.providers.synthetic_data_generation.builtin.prompting import asked_in, task_of
from runtime.providers.synthetic_data_generation.builtin.sample import sample_of
from runtime.providers.synthetic_data_generation.builtin.seeds import schema_for, seeds_of
from runtime.sse import Json

_ASKS_PER_SAMPLE = 3


class BuiltinSyntheticData:
    """Implements `SyntheticDataGeneration`."""

    def __init__(self, config: SyntheticDataConfig, context: ProviderContext) -> None:
        self._config = config
        self._inference = context.api(Inference)  # type: ignore[type-abstract]
        self._models = context.api(Models)  # type: ignore[type-abstract]
        self._paces = Paces(self._models, config.max_concurrent_requests)
        self._scoring = context.optional_api(Scoring)  # type: ignore[type-abstract]
        self._datasets = context.optional_api(Datasets)  # type: ignore[type-abstract]
        self._rows = context.optional_api(DatasetIO)  # type: ignore[type-abstract]

    async def generate(self, request: GenerateRequest) -> GenerateResponse:
        """Raises what inference, scoring and datasets raise, RequestError for what cannot be made up, Unavailable for a
        dataset where none can be kept.
        """
        dialog = chat_messages(request.dialogs, "dialogs")
        seeds = await seeds_of(request, self._rows)
        schema = await asyncio.to_thread(schema_for, request, seeds)
        if not dialog and schema is None:
            raise nothing_to_make()
        await self._check_dataset(request)
        choosing = Choosing(request, self._scoring, limit_s=self._config.timeout_s)
        await choosing.check()
        pace = await self._paces.of(request.diversity.embedding_model or "")
        distinct = Distinct(request.diversity, self._inference, pace)
        await distinct.take(await asyncio.to_thread(lambda: [*map(sample_of, seeds)]), are_seeds=True)
        settings: Json = {
            "model": await self._model(request),
            "max_completion_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        prompt = asked_in(dialog) or (task_of(schema.schema) if schema else "")
        question = Question(
            settings=settings,
            place=_largest(request),
            prompt=prompt,
            schema=schema,
            wants_logprob=needs_logprob(request),
        )
        seed = secrets.randbelow(2**31) if request.seed is None else request.seed
        making = Making(
            self._inference, question, dialog, distinct=distinct, pace=await self._paces.of(settings["model"]),
            at_once=self._config.max_concurrent_requests, seeds=seeds, num_examples=request.num_examples, seed=seed,
        )  # fmt: skip
        most = request.max_attempts or min(MOST_ASKS, _ASKS_PER_SAMPLE * request.num_samples)
        await making.until(
            request.num_samples,
            most_asks=most,
            limit_s=self._config.timeout_s,
            check=lambda sample: choosing.check_one(sample, prompt),
        )
        chosen = await choosing.choose(making.samples, prompt, Random(seed))  # noqa: S311  # not a secret
        rows = _rows(chosen, in_words=schema is None)
        dataset_id, dataset_error = await self._keep(request, rows, seed, settings["model"])
        return GenerateResponse(
            synthetic_data=rows,
            statistics=_statistics(request, question, seed, making, chosen),
            dataset_id=dataset_id,
            dataset_error=dataset_error,
            unscored_data=[sample.row for sample in chosen.left_unscored],
        )

    async def _model(self, request: GenerateRequest) -> str:
        model = request.model or await first_of_type(self._models, "llm")
        if model is None:
            raise RequestError(
                "No chat model is served",
                hint="turn on a provider of inference that has one",
                param="model",
                code="no_chat_model",
            )
        return model

    async def _check_dataset(self, request: GenerateRequest) -> None:
        """Raises Unavailable where no dataset can be kept, and what registering the one that is wanted would: before
        rows are made for it.
        """
        if request.dataset_id is None:
            return
        if self._rows is None or self._datasets is None:
            raise Unavailable("No provider of the API datasetio is there", hint="add one, or leave `dataset_id` out")
        await renamed(self._datasets.check_dataset(_dataset(request, [])), _FIELDS)

    async def _keep(
        self, request: GenerateRequest, rows: Sequence[Row], seed: int, model: str
    ) -> tuple[str | None, str | None]:
        """The id of the dataset that the rows become, or why they could not: those that were made are not to be lost.
        Both are None where none is wanted, or where there are no rows.
        """
        if request.dataset_id is None or self._datasets is None or not rows:
            return None, None
        asked = _dataset(request, rows, made_up_by=model, seed=seed)
        try:
            return (await renamed(self._datasets.register_dataset(asked), _FIELDS)).identifier, None
        except StackError as error:
            warn(f"the rows did not become the dataset `{request.dataset_id}`: {error.message}")
            return None, error.message


_FIELDS = {"provider_id": "dataset_provider_id", "purpose": "dataset_purpose"}
"""Fields of `register_dataset`, as they are called here."""


def _dataset(request: GenerateRequest, rows: Sequence[Row], **metadata: Any) -> RegisterDatasetRequest:
    return RegisterDatasetRequest(
        dataset_id=request.dataset_id,
        provider_id=request.dataset_provider_id,
        purpose=request.dataset_purpose,
        source=RowsDataSource(rows=list(rows)),
        metadata=metadata,
    )


def _largest(request: GenerateRequest) -> str:
    """The field that a question mostly consists of, for errors."""
    return next((name for name in ("dialogs", "seed_rows", "seed_dataset_id") if getattr(request, name)), "row_schema")


def _rows(chosen: Chosen, *, in_words: bool) -> list[Row]:
    """What is answered. in_words: with the score in each, as llama-stack has it; a schema says all that a row has."""
    if not in_words or chosen.scores is None:
        return [sample.row for sample in chosen.samples]
    return [{**one.row, SCORE: score} for one, score in zip(chosen.samples, chosen.scores, strict=True)]


def _statistics(request: GenerateRequest, question: Question, seed: int, making: Making, chosen: Chosen) -> Statistics:
    failure = making.first_failure
    return Statistics(
        model=question.settings["model"],
        seed=seed,
        row_schema=question.schema.schema if question.schema else None,
        num_requested=request.num_samples,
        num_asked=making.asked,
        num_wrong=making.wrong.total(),
        wrong=dict(making.wrong),
        first_wrong=making.first_wrong,
        num_failed=making.failures,
        first_failure=failure.message if failure else None,
        num_unfinished=making.unfinished,
        num_duplicates=making.duplicates,
        num_unscored=chosen.unscored,
        first_unscored=chosen.first_unscored,
        num_below_threshold=chosen.below_threshold,
        num_filtered=chosen.filtered,
        num_kept=len(chosen.samples),
        scored_by=None if chosen.scores is None else request.scoring_function or LOGPROB,
        scores=chosen.scores,
        prompt_tokens=making.prompt_tokens,
        completion_tokens=making.completion_tokens,
        ended=making.ended,
    )
