"""What litellm's list says of prices, as rows of `runtime/catalog/prices.tsv`. Knows nothing of where the list is from.

A price that tokens alone do not decide is left out: of a query, a request, a second, or with another at night. So is
one that is zero, which stands there for a model whose price nobody has looked up as well as for one that is free.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

HEAD = ("vendor", "name", "above", "input", "cached_input", "cache_write", "output", "reasoning")
"""above: the number of tokens read from which on, without that number itself, the whole call has the prices of the row.
The others: USD a million tokens, empty for what has no price of its own; a row without any says that none is known.
"""
_KINDS = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
}
_ABOVE = re.compile(rf"({'|'.join(_KINDS)})_above_(\d+)k_tokens")
_NOT_BY_TOKENS = ("input_cost_per_query", "input_cost_per_request", "input_cost_per_second", "off_peak_pricing")
_SEARCHES = re.compile(r"perplexity/[^/]*$|.*search-(preview|api)|.*deep-research")
"""Models that search the web for each answer, which has a price of its own."""
_MILLION = 1_000_000
Facts = Mapping[str, Any]
Row = tuple[str, ...]


def rows(models: Iterable[tuple[str, str, Facts]]) -> list[Row]:
    """models: each vendor, name and what the list says. What it says twice, and not alike, is left out."""
    found: dict[tuple[str, str], list[Row]] = {}
    left_out = set()
    for vendor, name, facts in models:
        is_by_tokens = _SEARCHES.match(f"{vendor}/{name}") is None
        priced = [(vendor, name, str(above), *cells) for above, cells in sorted(_tiers(facts)) if is_by_tokens]
        if found.setdefault((vendor, name.lower()), priced) != priced:
            left_out.add((vendor, name.lower()))
    kept = (row for key, several in found.items() if key not in left_out for row in several)
    return sorted(kept, key=lambda row: (row[0], row[1], int(row[2])))


def _tiers(facts: Facts) -> Iterator[tuple[int, Row]]:
    if any(facts.get(name) for name in _NOT_BY_TOKENS):
        return
    prices = _by_threshold(facts)
    first = prices.get(0, {})
    if not first.get("input"):
        return
    for above, said in prices.items():
        # Of what has a price of its own below, the tier's has to be known too: else it would be guessed.
        is_known = first.keys() <= said.keys()
        yield above, tuple(_cell(said.get(kind)) if is_known else "" for kind in HEAD[3:])


def _by_threshold(facts: Facts) -> dict[int, dict[str, float]]:
    found: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for tier in facts.get("tiered_pricing") or ():
        found[int(tier["range"][0])] |= _kinds(tier)
    found[0] |= _kinds(facts)
    for name, value in facts.items():
        if (match := _ABOVE.fullmatch(name)) and isinstance(value, int | float):
            found[int(match[2]) * 1000][_KINDS[match[1]]] = value
    return {above: _told(prices) for above, prices in found.items()}


def _kinds(facts: Facts) -> dict[str, float]:
    return {kind: facts[name] for name, kind in _KINDS.items() if isinstance(facts.get(name), int | float)}


def _told(prices: dict[str, float]) -> dict[str, float]:
    """Without what says nothing: zeros, as of what an embedding writes, and the price of what it is a part of."""
    whole = {"reasoning": prices.get("output"), "cached_input": prices.get("input"), "cache_write": prices.get("input")}
    return {kind: value for kind, value in prices.items() if value and value != whole.get(kind)}


def _cell(usd_per_token: float | None) -> str:
    """In USD a million tokens, without what a multiplication of floats adds."""
    return "" if usd_per_token is None else f"{(Decimal(str(usd_per_token)) * _MILLION).normalize():f}"
