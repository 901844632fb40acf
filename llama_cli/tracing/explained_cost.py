"""What a request cost, in words and as facts: by the rates that its spans state, which are those of that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_cli.tracing.money import cost_of, usd
from llama_cli.tracing.spans import Span, fact
from runtime.telemetry import conventions as names
from runtime.telemetry.token_kinds import tokens_by_kind, unusual_in

_OF_MODELS = ("chat", "text_completion", "embeddings", "rerank")
_KINDS = {
    "input": "read",
    "cached_input": "read from a cache",
    "cache_write": "read into a cache",
    "output": "written",
    "reasoning": "written in thought",
}


def price_of(span: Span) -> dict[str, Any] | None:
    """The rates that a call was counted by, in USD a million tokens, and who says so; None for one without a price."""
    if fact(span, names.COST_USD) is None:
        return None
    return {"source": fact(span, names.PRICE_SOURCE), **{kind: _rates(span).get(kind) for kind in _KINDS}}


def cost_told(span: Span) -> str:
    """A sentence about a call of a model: what it cost, or why that is not known. Empty for calls of others, and for
    one that has failed before a token was counted.
    """
    if not _is_of_model(span):
        return ""
    amount, rates = fact(span, names.COST_USD), _rates(span)
    if amount is None:
        why = _why_not_known(span)
        return f"What it cost is not known: {why}." if why else ""
    counts = list(tokens_by_kind(span["attributes"], rates).items())
    parts = [f"{count:,} {_KINDS[kind]} at {usd(rates[kind])}" for kind, count in counts if kind in rates]
    if parts:
        number, rest = parts[0].split(" ", 1)
        parts[0] = f"{number} {'token' if number == '1' else 'tokens'} {rest}"
    by = f"; the price is that of {source}" if (source := fact(span, names.PRICE_SOURCE)) else ""
    said = f": {_listed(parts)} a million{by}" if parts else ""
    return f"It cost {usd(amount)}{said}."


def sum_told(spans: Sequence[Span]) -> str:
    """A sentence about all calls of a request, where there are several that say what they cost."""
    calls = [span for span in spans if _is_of_model(span)]
    known = [span for span in calls if fact(span, names.COST_USD) is not None]
    total, unknown = cost_of(known), [span for span in calls if span not in known and _why_not_known(span)]
    if total is None or len(known) + len(unknown) < 2:
        return ""
    rest = f", without {len(unknown)} whose price is not known" if unknown else ""
    return f"All of its calls of models cost {usd(total)}{rest}."


def _why_not_known(span: Span) -> str:
    counts = [fact(span, name) for name in (names.INPUT_TOKENS, names.OUTPUT_TOKENS)]
    if counts == [None, None]:
        if span["status"] == "error":
            return ""
        asks = ", which a stream does where it is asked with `include_usage`" if fact(span, names.STREAM) else ""
        return f"its answer does not say how many tokens it took{asks}"
    return f"no price is known of {unusual_in(span['attributes']) or f'the model `{fact(span, names.REQUEST_MODEL)}`'}"


def _is_of_model(span: Span) -> bool:
    return fact(span, names.API) == "inference" and fact(span, names.OPERATION) in _OF_MODELS


def _rates(span: Span) -> Mapping[str, float]:
    stated = {kind: fact(span, f"{names.RATE}{kind}") for kind in _KINDS}
    return {kind: rate for kind, rate in stated.items() if isinstance(rate, int | float)}


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
