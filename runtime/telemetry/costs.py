"""What the calls of models cost: noted on their spans when these are handed on, not while a request waits.

The rates are noted beside it, so that what is kept says by what it was counted also when prices have changed. Of what
is not known, nothing is noted: no zero stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runtime.apis._price import Price
from runtime.telemetry import conventions as names
from runtime.telemetry.spans import Attribute, Span
from runtime.telemetry.token_kinds import tokens_by_kind, unusual_in

FindPrice = Callable[[str, str, str], Price | None]
"""Of a provider's id, its own name for a model, and the id of the resource that was asked for, if any."""
_API = "inference"
"""What leads to calls of models, such as a response, has the sum of their tokens: it would be paid twice."""
_ONLY_READ = ("embeddings", "rerank")
_MILLION = 1_000_000


class Costs:
    """find: the price of a model."""

    def __init__(self, find: FindPrice) -> None:
        self._find = find

    def note(self, spans: Iterable[Span]) -> None:
        """Note the cost of each call of a model that has a price and says what it took."""
        for span in spans:
            if names.INPUT_TOKENS in span.own and (said := span.attributes).get(names.API) == _API:
                self._note(said, span.own)

    def _note(self, said: dict[str, Attribute], own: dict[str, Attribute]) -> None:
        if names.OUTPUT_TOKENS not in said and said.get(names.OPERATION) not in _ONLY_READ:
            return
        if unusual_in(said):
            return
        words = (names.PROVIDER_ID, names.REQUEST_MODEL, names.RESOURCE_ID)
        provider_id, model, resource = (str(said.get(name, "")) for name in words)
        price = self._find(provider_id, model, resource)
        if price is None:
            return
        read = said[names.INPUT_TOKENS]
        rates = price.rates_for(read if isinstance(read, int) else 0)
        tokens = tokens_by_kind(said, rates)
        if not tokens or not tokens.keys() <= rates.keys():
            return  # no tokens, or some without a price
        own[names.COST_USD] = round(sum(count * rates[kind] for kind, count in tokens.items()) / _MILLION, 12)
        for kind in tokens:
            own[names.RATE + kind] = rates[kind]
        if price.source:
            own[names.PRICE_SOURCE] = price.source
