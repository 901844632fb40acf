"""What a request cost, in words: by the rates of that time, or why it is not known."""

from __future__ import annotations

from typing import Any

from llama_cli.tracing.explained import explanation
from tests.support.schemas import conform
from tests.unit.cli.tracing._spans import call, request

CHAT = {"gen_ai": "chat", "input_tokens": 1200, "output_tokens": 300}
PRICED = {**CHAT, "cost": 0.00105, "rate_input": 0.5, "rate_output": 1.5, "price_source": "the run config"}


def explained(*calls: dict[str, Any]) -> dict[str, Any]:
    found = explanation([request(), *calls])
    conform(found, "stack-explain")
    return found


def end_of(text: str) -> str:
    """What is said after how many tokens there were."""
    return text.partition(" out. ")[2]


def test_a_call_says_its_tokens_its_rates_and_who_has_said_so() -> None:
    found = explained(call(**PRICED))
    assert end_of(found["text"][1]) == (
        "It cost $0.00105: 1,200 tokens read at $0.50 and 300 written at $1.50 a million; "
        "the price is that of the run config."
    )
    assert found["cost_usd"] == found["calls"][0]["cost_usd"] == 0.00105
    assert found["calls"][0]["price"] == {
        "source": "the run config", "input": 0.5, "cached_input": None, "cache_write": None, "output": 1.5,
        "reasoning": None,
    }  # fmt: skip
    assert len(found["text"]) == 2, "of one call there is no sum"


def test_each_kind_of_tokens_is_told_at_its_rate() -> None:
    said = call(
        **PRICED | {"rate_cached_input": 0.05, "rate_cache_write": 0.625, "rate_reasoning": 3.0, "price_source": None},
        cached=1000, kept=100, reasoning=299,
    )  # fmt: skip
    assert end_of(explained(said)["text"][1].replace(" out (299 reasoning)", " out")) == (
        "It cost $0.00105: 100 tokens read at $0.50, 1,000 read from a cache at $0.05, "
        "100 read into a cache at $0.625, 1 written at $1.50 and 299 written in thought at $3.00 a million."
    )


def test_one_token_is_one() -> None:
    found = explained(call(gen_ai="embeddings", input_tokens=1, cost=2e-8, rate_input=0.02))
    assert found["text"][1].endswith("It cost $0.00000002: 1 token read at $0.02 a million.")


def test_why_it_is_not_known() -> None:
    def why(**facts: Any) -> str:
        found = explained(call(**{"gen_ai": "chat"} | facts))
        assert found["cost_usd"] is None and found["calls"][0]["price"] is None
        return str(found["text"][1].partition("What it cost is not known: ")[2])

    assert why(**CHAT) == "no price is known of the model `small`."
    assert why(**CHAT, tier="flex") == "no price is known of the service tier `flex`."
    assert why(**CHAT, audio=7) == "no price is known of audio."
    assert why() == "its answer does not say how many tokens it took."
    assert why(stream=True) == (
        "its answer does not say how many tokens it took, which a stream does where it is asked with `include_usage`."
    )
    assert why(error="it is down") == "", "nothing was answered"
    assert why(gen_ai="retrieval", api="vector_stores") == "", "no model was called"


def test_several_calls_have_a_sum_and_what_it_is_without() -> None:
    other = call("two", **PRICED | {"cost": 0.5})
    assert explained(call(**PRICED), other)["text"][-1] == "All of its calls of models cost $0.501."
    found = explained(call(**PRICED), call("two", **CHAT), call("three", gen_ai="chat", error="down"))
    assert found["text"][-1] == "All of its calls of models cost $0.00105, without 1 whose price is not known."
    assert not any("All of its" in part for part in explained(call(**CHAT), call("two", **CHAT))["text"])
