"""What the calls of models cost: noted on their spans when these are handed on, not while a request waits.

The rates are noted beside it, so that what is kept says by what it was counted also when prices have changed. Of what
is not known, nothing is noted: no zero stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.apis._price import Price
from runtime.telemetry import conventions as names
from runtime.telemetry.alike import batch_of
from runtime.telemetry.found import Found
from runtime.telemetry.spans import Attribute, Span
from runtime.telemetry.token_kinds import tokens_by_kind, unusual_in

FindPrice = Callable[[str, str, str], Price | None]
"""Of a provider's id, its own name for a model, and the id of the resource that was asked for, if any."""
_API = "inference"
"""What leads to calls of models, such as a response, has the sum of their tokens: it would be paid twice."""
_WORDS = (names.PROVIDER_ID, names.REQUEST_MODEL, names.RESOURCE_ID)
_BY = frozenset((names.API, *_WORDS))
"""What prices are found by."""
_ONLY_READ = ("embeddings", "rerank")
_MILLION = 1_000_000


class Costs:
    """find: the price of a model."""

    def __init__(self, find: FindPrice) -> None:
        self._find = find

    def note(self, spans: Sequence[Span]) -> None:
        """Note the cost of each call of a model that has a price and says what it took."""
        prices = Found(self._price_of)  # not for longer: an operator may change them
        batch, are_some = batch_of(spans), False
        for alike in batch.alike(_BY):
            said = alike.said
            if said.get(names.API) != _API or not alike.says(names.INPUT_TOKENS):
                continue
            price = prices[tuple(str(said.get(name, "")) for name in _WORDS)]
            if price is not None:
                for span in alike.spans:
                    _note(price, span.attributes, span.own)
                are_some = True
        if are_some:
            batch.note_name(names.COST_USD)

    def _price_of(self, words: tuple[str, ...]) -> Price | None:
        return self._find(*words)


def _note(price: Price, said: dict[str, Attribute], own: dict[str, Attribute]) -> None:
    if names.INPUT_TOKENS not in said:
        return
    if names.OUTPUT_TOKENS not in said and said.get(names.OPERATION) not in _ONLY_READ:
        return
    if unusual_in(said):
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
