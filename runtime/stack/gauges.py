"""What a stack can say at any time without asking anybody: which providers work, and what our engine has to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from runtime.provider import HasFigures
from runtime.stack.stack import Stack
from runtime.telemetry import conventions as names
from runtime.telemetry.metrics.instruments import Instrument, Observed, Values


class _Figure(NamedTuple):
    """One of an engine's figures, by the name that it has there."""

    name: str
    unit: str
    description: str
    only_grows: bool = False


_OF_ENGINE = (
    _Figure("running", "{sequence}", "Sequences that are computed."),
    _Figure("waiting", "{sequence}", "Sequences that wait to be computed."),
    _Figure("kv_use", "1", "Part of the KV cache that is in use."),
    _Figure("kv_kept", "1", "Part of the KV cache that is kept for prompts that begin alike."),
    _Figure("prefix_hit_rate", "1", "Part of all prompts' tokens that were found in the KV cache."),
    _Figure("generated_tokens_per_second", "", "Tokens that are generated in a second, at present."),
    _Figure("prompt_tokens", "{token}", "Tokens of prompts.", only_grows=True),
    _Figure("cached_tokens", "{token}", "Tokens of prompts that were found in the KV cache.", only_grows=True),
    _Figure("generated_tokens", "{token}", "Tokens that were generated.", only_grows=True),
    _Figure("preemptions", "{preemption}", "Sequences that had to give up their place for others.", only_grows=True),
)


def gauges_of(stack: Stack) -> Iterator[Instrument]:
    """To be looked at while it runs."""

    def working() -> Iterator[tuple[Values, float]]:
        for planned, trouble in stack.troubles():
            yield (planned.api, planned.provider_id), 0 if trouble else 1

    yield Observed(
        "llama_stack.provider.up",
        "{provider}",
        "1 for a provider that works, 0 for one that does not.",
        (names.API, names.PROVIDER_ID),
        working,
    )
    for figure in _OF_ENGINE:
        yield Observed(
            f"llama_stack.engine.{figure.name}",
            figure.unit,
            figure.description,
            (names.PROVIDER_ID, names.REQUEST_MODEL),
            _look(stack, figure.name),
            only_grows=figure.only_grows,
        )


def _look(stack: Stack, name: str) -> Callable[[], Iterator[tuple[Values, float]]]:
    def look() -> Iterator[tuple[Values, float]]:
        for planned, adapter in stack.adapters():
            if isinstance(adapter, HasFigures):
                for model, figures in adapter.figures().items():
                    if name in figures:
                        yield (planned.provider_id, model), figures[name]

    return look
