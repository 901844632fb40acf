"""Looking for close names is cheap whatever is asked for and however many are known, and still finds them."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import pytest

from runtime import similar
from runtime.access import EVERYBODY
from runtime.apis.models import MODEL
from runtime.routing.entry import Entry
from runtime.routing.table import ResourceTable
from runtime.similar import LONGEST_NAME, nearest

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


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """For each look with difflib, whose cost is the product of both: how long the name was, and what it was held
    against, in characters.
    """
    looks: list[tuple[int, int]] = []
    real = similar.get_close_matches

    def counted(word: str, possibilities: Collection[str], **facts: Any) -> list[str]:
        looks.append((len(word), sum(map(len, possibilities))))
        return real(word, possibilities, **facts)

    monkeypatch.setattr(similar, "get_close_matches", counted)
    return looks


def assert_cheap(looks: list[tuple[int, int]]) -> None:
    """Among ten thousand names it would be some 300,000 characters."""
    assert len(looks) <= 2
    assert all(name <= LONGEST_NAME and known <= 100 * LONGEST_NAME for name, known in looks)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:12])
def test_a_name_is_compared_with_the_likeliest_of_ten_thousand(compared: list[tuple[int, int]], name: str) -> None:
    nearest(name, KNOWN)
    assert_cheap(compared)
    assert all(known <= 10_000 for _, known in compared)


@pytest.mark.parametrize("known", [["x" * 500] * 10_000, [f"{'x' * 490}{number}" for number in range(10_000)]])
def test_long_names_are_compared_with_no_more(compared: list[tuple[int, int]], known: list[str]) -> None:
    nearest("x" * 495, known)
    assert_cheap(compared)


def test_an_unknown_name_of_a_large_table_is_compared_with_no_more(compared: list[tuple[int, int]]) -> None:
    table = ResourceTable(MODEL)
    table.replace_listed(
        "vendor", [Entry(id=name, provider_id="vendor", provider_resource_id=name[7:]) for name in KNOWN]
    )
    assert "did you mean" in str(table.unknown("llama-gpt-7b-vison-55", EVERYBODY).hint)
    assert_cheap(compared)


@pytest.mark.parametrize("change", ["drop", "double", "swap", "prefix", "case"])
def test_among_ten_thousand_the_one_that_was_meant_is_found(change: str) -> None:
    for meant in KNOWN[:: len(KNOWN) // 5]:
        tail = meant.removeprefix("vendor/")
        mistyped = {
            "drop": tail[:4] + tail[5:], "double": tail[:6] + tail[5:], "swap": tail[1] + tail[0] + tail[2:],
            "prefix": f"other/{tail}", "case": meant.upper(),
        }[change]  # fmt: skip
        assert meant in nearest(mistyped, KNOWN)
