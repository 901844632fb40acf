"""Calls of models: how long they took and how many tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.alike import Alike
from runtime.telemetry.found import Found
from runtime.telemetry.metrics import values as also
from runtime.telemetry.metrics.instruments import Counter, Distribution, Histogram, Instrument, Sum
from runtime.telemetry.metrics.values import is_count, text

_TYPES = {"chat": "completion", "text_completion": "completion", "embeddings": "embedding", "rerank": "reranker"}
_OF_MODEL = (names.OPERATION, names.PROVIDER, names.REQUEST_MODEL, names.PROVIDER_ID)
BY = (
    *(names.OPERATION, names.PROVIDER, names.REQUEST_MODEL),
    *(names.PROVIDER_ID, names.RESOURCE_ID, names.STREAM),
)
"""What series are found by."""
_RATES = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0, 2500.0)


class Models:
    """What OpenTelemetry calls a server is our own engine; everything is called by us, as its client.

    The names of its conventions are those that dashboards read; the draft of its next version splits them by operation.
    """

    def __init__(self) -> None:
        of_failed = (*_OF_MODEL, names.ERROR)
        self.duration = Histogram(
            "gen_ai.client.operation.duration", "s", "Duration of calls of models.", of_failed, also.MODEL_SECONDS
        )
        self.tokens = Histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of a call.", (*_OF_MODEL, names.TOKEN_TYPE), also.TOKENS
        )
        self.first_chunk = Histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Until the first chunk of a streamed answer.",
            _OF_MODEL,
            also.MODEL_SECONDS,
        )
        self.served = Histogram(
            "gen_ai.server.request.duration",
            "s",
            "Duration of calls of models that run here.",
            of_failed,
            also.MODEL_SECONDS,
        )
        self.first_token = Histogram(
            "gen_ai.server.time_to_first_token",
            "s",
            "Until the first token of a streamed answer of a model that runs here.",
            _OF_MODEL,
            also.FIRST_TOKEN_SECONDS,
        )
        self.each_token = Histogram(
            "gen_ai.server.time_per_output_token",
            "s",
            "Time for each token after the first of a streamed answer of a model that runs here.",
            _OF_MODEL,
            also.TOKEN_SECONDS,
        )
        of_call = ("model", "provider", "stream", "status")
        self.seconds = Histogram(
            "llama_stack.inference.duration_seconds", "s", "Duration of calls of models.", of_call, also.LONG_SECONDS
        )
        self.first_seconds = Histogram(
            "llama_stack.inference.time_to_first_token_seconds",
            "s",
            "Until the first token of a streamed answer.",
            ("model", "provider"),
            also.FIRST_TOKEN_SECONDS,
        )
        self.rate = Histogram(
            "llama_stack.inference.tokens_per_second",
            "",
            "Tokens of an answer by the duration of its call.",
            ("model", "provider", "stream"),
            _RATES,
        )
        self.types = Counter(
            "llama_stack.inference.model_type_used_total",
            "1",
            "Calls of models by what these are.",
            ("type", "model", "provider"),
        )
        of_tokens = ("model_id", "provider_id")
        self.asked = Counter("prompt_tokens", "{token}", "Tokens of what models were asked.", of_tokens)
        self.answered = Counter("completion_tokens", "{token}", "Tokens of what models have answered.", of_tokens)
        self.total = Counter("total_tokens", "{token}", "Tokens of both.", of_tokens)
        self.cost = Counter("llama_stack.cost", "USD", "What calls of models cost whose price is known.", _OF_MODEL)
        self.instruments: tuple[Instrument, ...] = (
            *(self.duration, self.tokens, self.first_chunk, self.served, self.first_token, self.each_token),
            *(self.seconds, self.first_seconds, self.rate, self.types, self.asked, self.answered, self.total),
            self.cost,
        )
        self._found: Found[tuple[Any, ...], _Series] = Found(lambda said: _Series(self, *said))

    def count(self, alike: Alike) -> None:
        said, seconds = alike.said, alike.seconds
        if said.get(names.OPERATION) is None:
            return
        series = self._found[(*map(said.get, BY), alike.error, alike.kind)]
        series.calls.value += len(seconds)
        for duration in series.durations:
            duration.extend(alike.seconds_sorted)
        if asked := alike.counts(names.INPUT_TOKENS):
            series.asked_tokens.extend(asked)
            _add(series.asked, sum(asked))
        if answered := alike.counts(names.OUTPUT_TOKENS):
            series.answered_tokens.extend(answered)
            _add(series.answered, sum(answered))
            if not alike.error and (rates := _rates(alike, answered)):
                series.rate.extend(rates)
        if costs := alike.costs():
            series.cost.value += sum(costs)
        if alike.says(names.FIRST_CHUNK_S):
            self._count_waits(series, alike)

    def _count_waits(self, series: _Series, alike: Alike) -> None:
        first = alike.values(names.FIRST_CHUNK_S)
        if waited := [first_s for first_s in first if isinstance(first_s, float)]:
            for wait in series.waits:
                wait.extend(waited)
        if series.is_served:
            told = zip(alike.seconds, first, alike.values(names.OUTPUT_TOKENS), strict=True)
            if each := [
                (seconds - first_s) / (answered - 1)
                for seconds, first_s, answered in told
                if isinstance(first_s, float) and is_count(answered) and answered > 1
            ]:
                series.each_token.extend(each)


def _add(sums: Iterable[Sum], amount: int) -> None:
    for one in sums:
        one.value += amount


def _rates(alike: Alike, answered: Sequence[int]) -> list[float]:
    """answered: tokens, of those that say how many."""
    durations = alike.seconds
    if len(answered) < len(durations):
        told = zip(alike.values(names.OUTPUT_TOKENS), durations, strict=True)
        durations = [seconds for tokens, seconds in told if is_count(tokens)]
    return [tokens / seconds for tokens, seconds in zip(answered, durations, strict=True) if seconds > 0]


class _Series:
    """The series of calls that are told alike, each once it is needed."""

    def __init__(
        self,
        models: Models,
        operation: object,
        provider: object,
        model: object,
        provider_id: object,
        resource: object,
        stream: object,
        error: str,
        kind: str,
    ) -> None:
        self._models = models
        self._of_model = (text(operation), text(provider), text(model), text(provider_id))
        self._provider_id, self._error = text(provider_id), error
        self._model_id = text(resource) or f"{text(provider_id)}/{text(model)}"
        self._stream = "true" if stream else "false"
        self._is_ours = kind == "internal"
        self.is_served = self._is_ours and not error

    @cached_property
    def calls(self) -> Sum:
        operation = self._of_model[0]
        return self._models.types.of((_TYPES.get(operation, operation), self._model_id, self._provider_id))

    @cached_property
    def durations(self) -> Sequence[Distribution]:
        models, of_failed = self._models, (*self._of_model, self._error)
        outcome = also.ERROR if self._error else also.SUCCESS
        series = [
            models.duration.of(of_failed),
            models.seconds.of((self._model_id, self._provider_id, self._stream, outcome)),
        ]
        return [*series, models.served.of(of_failed)] if self._is_ours else series

    @cached_property
    def asked(self) -> Sequence[Sum]:
        return self._models.asked.of(self._id), self._models.total.of(self._id)

    @cached_property
    def answered(self) -> Sequence[Sum]:
        return self._models.answered.of(self._id), self._models.total.of(self._id)

    @cached_property
    def cost(self) -> Sum:
        return self._models.cost.of(self._of_model)

    @cached_property
    def asked_tokens(self) -> Distribution:
        return self._models.tokens.of((*self._of_model, "input"))

    @cached_property
    def answered_tokens(self) -> Distribution:
        return self._models.tokens.of((*self._of_model, "output"))

    @cached_property
    def rate(self) -> Distribution:
        return self._models.rate.of((*self._id, self._stream))

    @cached_property
    def waits(self) -> Sequence[Distribution]:
        models = self._models
        series = [models.first_chunk.of(self._of_model), models.first_seconds.of(self._id)]
        return [*series, models.first_token.of(self._of_model)] if self.is_served else series

    @cached_property
    def each_token(self) -> Distribution:
        return self._models.each_token.of(self._of_model)

    @property
    def _id(self) -> tuple[str, str]:
        return self._model_id, self._provider_id
