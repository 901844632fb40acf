"""What a call of a model costs, by its tokens: each is paid once, and what is not known is not told."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.apis._price import Price
from runtime.telemetry import conventions as names
from runtime.telemetry.costs import Costs
from runtime.telemetry.token_kinds import tokens_by_kind
from tests.unit.telemetry._seen import Seen

CALL: dict[str, Any] = {
    names.API: "inference",
    names.OPERATION: "chat",
    names.PROVIDER_ID: "vendor",
    names.PROVIDER_TYPE: "remote::openai",
    names.REQUEST_MODEL: "large",
    names.RESOURCE_ID: "vendor/large",
}
READ, WRITTEN = names.INPUT_TOKENS, names.OUTPUT_TOKENS
CACHED, KEPT, THOUGHT = names.CACHE_READ_TOKENS, names.CACHE_WRITE_TOKENS, names.REASONING_TOKENS
PRICE = Price(input=1, output=4)
EACH = Price(input=1, cached_input=0.1, cache_write=1.25, output=4, reasoning=8, source="a list")
TIERS = [{"above": 1000, "input": 2, "output": 6}, {"above": 5000}]


def noted(price: Price | None, said: dict[str, Any]) -> dict[str, Any]:
    """What is noted of a call, without what was there before."""
    span = Seen().begin()
    span.own = {**CALL, **said}
    Costs(lambda *asked: price).note([span])
    return {name: value for name, value in span.attributes.items() if name not in {**CALL, **said}}


@pytest.mark.parametrize(
    ("price", "said", "usd"),
    [
        (PRICE, {READ: 1000, WRITTEN: 500}, 0.003),
        (PRICE, {READ: 1000, CACHED: 600, KEPT: 100, WRITTEN: 500, THOUGHT: 200}, 0.003),
        (EACH, {READ: 1000, CACHED: 600, KEPT: 100, WRITTEN: 500, THOUGHT: 200}, 0.003285),
        (EACH, {READ: 10, CACHED: 600, WRITTEN: 1}, 0.000005),  # a vendor that counts nonsense is not paid below zero
        (PRICE, {READ: 7, WRITTEN: 0}, 0.000007),
        (Price(input=0.02), {READ: 50, names.OPERATION: "embeddings"}, 0.000001),
        (Price(input=0, output=0), {READ: 1000, WRITTEN: 500}, 0.0),  # the operator says that it is free
        (Price(input=1, output=4, tiers=TIERS), {READ: 1000, WRITTEN: 500}, 0.003),
        (Price(input=1, output=4, tiers=TIERS), {READ: 1001, WRITTEN: 500}, 0.005002),
    ],
)
def test_each_token_is_paid_once(price: Price, said: dict[str, Any], usd: float) -> None:
    assert noted(price, said)[names.COST_USD] == pytest.approx(usd, rel=1e-9, abs=1e-15)


def test_the_rates_stay_with_what_was_counted_by_them() -> None:
    said = {READ: 1000, CACHED: 600, KEPT: 0, WRITTEN: 500, THOUGHT: 200}
    assert noted(EACH, said) == {
        names.COST_USD: 0.00326,
        "llama_stack.price.input": 1.0,
        "llama_stack.price.cached_input": 0.1,
        "llama_stack.price.output": 4.0,
        "llama_stack.price.reasoning": 8.0,
        names.PRICE_SOURCE: "a list",
    }


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (None, {READ: 1000, WRITTEN: 500}),
        (PRICE, {}),
        (PRICE, {READ: 1000}),  # a chat of which nobody knows what it has written
        (PRICE, {READ: 0, WRITTEN: 0}),
        (Price(input=1), {READ: 1000, WRITTEN: 500}),
        (Price(output=1), {READ: 1000, WRITTEN: 500}),
        (Price(input=1, output=4, tiers=TIERS), {READ: 5001, WRITTEN: 500}),  # above which none is known
        (PRICE, {READ: 1000, WRITTEN: 500, names.AUDIO_IN: 3}),
        (PRICE, {READ: 1000, WRITTEN: 500, names.AUDIO_OUT: 3}),
        (PRICE, {READ: 1000, WRITTEN: 500, names.SERVICE_TIER: "flex"}),
        (PRICE, {READ: 1000, WRITTEN: 500, names.API: "responses"}),  # its calls of models are paid for themselves
    ],
)
def test_what_is_not_known_is_not_told(price: Price | None, said: dict[str, Any]) -> None:
    assert noted(price, said) == {}


def test_the_usual_service_has_the_usual_price() -> None:
    assert noted(PRICE, {READ: 1000, WRITTEN: 500, names.SERVICE_TIER: "default"})[names.COST_USD] == 0.003


def test_the_price_is_asked_for_by_provider_model_and_name() -> None:
    asked: list[Any] = []
    span = Seen().begin()
    span.own = {**CALL, READ: 1, WRITTEN: 1}

    def find(*words: str) -> None:
        asked.append(words)

    Costs(find).note([span, Seen().begin()])
    assert asked == [("vendor", "large", "vendor/large")]


def test_kinds_without_a_rate_count_as_what_they_are_part_of() -> None:
    said = {READ: 10, CACHED: 4, KEPT: 3, WRITTEN: 6, THOUGHT: 5}
    assert tokens_by_kind(said, ()) == {"input": 10, "output": 6}
    assert tokens_by_kind(said, ("cached_input",)) == {"input": 6, "cached_input": 4, "output": 6}
    assert tokens_by_kind(said, ("cache_write", "reasoning")) == {
        "input": 7, "cache_write": 3, "output": 1, "reasoning": 5
    }  # fmt: skip
    assert tokens_by_kind({READ: "many", WRITTEN: None}, ()) == {}
