"""What vendors' models cost, as the catalogue knows it."""

from __future__ import annotations

import math

from runtime.apis._price import Price
from runtime.catalog import prices
from runtime.catalog.prices import price_of


def known(vendor: str, name: str) -> Price:
    price = price_of(vendor, name)
    assert price is not None, (vendor, name)
    return price


def test_it_is_known_by_the_vendors_name_in_any_case() -> None:
    assert known("openai", "GPT-4o-mini").rates == {"input": 0.15, "cached_input": 0.075, "output": 0.6}
    assert known("openai", "text-embedding-3-small").rates == {"input": 0.02}
    assert known("voyage", "rerank-2.5").rates == {"input": 0.05}
    assert known("anthropic", "claude-sonnet-4-5").cache_write == 3.75
    assert price_of("groq", "gpt-4o-mini") is None
    assert price_of("nobody", "x") is None


def test_long_calls_have_their_own_rates() -> None:
    price = known("gemini", "gemini-2.5-pro")
    assert price.rates_for(200_000) == {"input": 1.25, "cached_input": 0.125, "output": 10}
    assert price.rates_for(200_001) == {"input": 2.5, "cached_input": 0.25, "output": 15}


def test_a_price_that_tokens_do_not_decide_is_not_there() -> None:
    assert price_of("perplexity", "sonar") is None  # and for each search
    assert price_of("cohere", "rerank-v3.5") is None  # for each query
    assert price_of("deepseek", "deepseek-v4-pro") is None  # by the hour of the day


def test_above_a_tier_of_which_not_all_is_known_nothing_is() -> None:
    price = known("perplexity", "xai/grok-4.3")
    assert price.rates_for(200_000) and not price.rates_for(200_001)


def test_every_row_can_be_read_and_none_pretends_to_be_free() -> None:
    listed = prices._listed()
    count = 0
    for vendor, models in listed.rows.items():
        for name in models:
            price = known(vendor, name)
            assert price.source == listed.source
            assert price.input, (vendor, name)
            for rates in (price, *price.tiers):
                assert all(rate > 0 and math.isfinite(rate) for rate in rates.rates.values()), (vendor, name)
            above = [tier.above for tier in price.tiers]
            assert above == sorted(set(above)), (vendor, name)
            count += 1
    assert count > 1000
