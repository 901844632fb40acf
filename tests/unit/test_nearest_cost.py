"""Looking for close names is cheap whatever is asked for and however many are known, and still finds them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from runtime.errors import LONGEST_NAME, nearest
from runtime.routing.table import Entry, ResourceTable

LIMIT_S = 0.05
"""Several times what it takes here; difflib over all of them takes up to half a second."""
_made = random.Random(1)
_WORDS = ("llama", "gpt", "qwen", "mistral", "gemma", "phi", "deepseek", "claude", "mini", "large", "chat", "vision")
KNOWN = [
    f"vendor/{_made.choice(_WORDS)}-{_made.choice(_WORDS)}-{_made.randrange(400)}b-{_made.choice(_WORDS)}-{number}"
    for number in range(10_000)
]
NAMES = [
    *("llama-gpt-7b-vison-55", "vendor/qwen-mini-12b-chat-77x", "zzzz", "a", "", "-", "😀" * 30),
    *("model-" * 80, "a-" * 250, "x" * LONGEST_NAME, "y" * 20_000_000),
]


def seconds(call: Callable[[], object]) -> float:
    """Of the processor, so that others on this machine do not count; the least of three."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        call()
        took.append(time.thread_time() - began)
    return min(took)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
def test_a_name_among_ten_thousand_costs_milliseconds(name: str) -> None:
    assert seconds(lambda: nearest(name, KNOWN)) < LIMIT_S


@pytest.mark.parametrize("known", [["x" * 500] * 10_000, [f"{'x' * 490}{number}" for number in range(10_000)]])
def test_long_names_cost_no_more(known: list[str]) -> None:
    assert seconds(lambda: nearest("x" * 495, known)) < LIMIT_S


def test_an_unknown_name_of_a_large_table_costs_milliseconds() -> None:
    table = ResourceTable("model", plural="models")
    table.list_of("vendor", [Entry(id=name, provider_id="vendor", provider_resource_id=name[7:]) for name in KNOWN])
    assert seconds(lambda: table.unknown("llama-gpt-7b-vison-55")) < LIMIT_S


@pytest.mark.parametrize("change", ["drop", "double", "swap", "prefix", "case"])
def test_among_ten_thousand_the_one_that_was_meant_is_found(change: str) -> None:
    for meant in KNOWN[:: len(KNOWN) // 5]:
        tail = meant.removeprefix("vendor/")
        mistyped = {
            "drop": tail[:4] + tail[5:], "double": tail[:6] + tail[5:], "swap": tail[1] + tail[0] + tail[2:],
            "prefix": f"other/{tail}", "case": meant.upper(),
        }[change]  # fmt: skip
        assert meant in nearest(mistyped, KNOWN)
