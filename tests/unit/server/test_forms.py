"""Names and values as objects and lists: what they may be, and that many of them cost what they weigh."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel

from runtime.errors import RequestError
from runtime.server.forms import nested


class Asked(BaseModel):
    a: Any = None
    tags: list[str] = []


def read(*given: tuple[str, str]) -> dict[str, Any]:
    return nested(given, Asked, "query")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([("a", "1"), ("a", "2")], ["1", "2"]),
        ([("a[]", "1"), ("a", "2")], ["1", "2"]),
        ([("a[1]", "y"), ("a[0]", "x")], ["x", "y"]),
        ([("a[x][]", "1")], {"x": ["1"]}),
        ([("a[" + "9" * 5000 + "]", "x")], {"9" * 5000: "x"}),
    ],
)
def test_what_names_mean(given: list[tuple[str, str]], found: Any) -> None:
    assert read(*given)["a"] == found


@pytest.mark.parametrize(
    "given",
    [
        [("a[b]", "1"), ("a", "2")],
        [("a", "1"), ("a[b]", "2")],
        [("a[][b]", "1")],
        [("a[b][c][d][e][f][g][h][i][j]", "1")],
    ],
)
def test_what_has_no_one_meaning_is_refused(given: list[tuple[str, str]]) -> None:
    with pytest.raises(RequestError, match="cannot be understood"):
        read(*given)


@pytest.mark.parametrize("name", ["a", "a[]", "tags"])
def test_a_long_list_costs_what_it_weighs(name: str) -> None:
    began = time.thread_time()
    assert len(read(*[(name, "x")] * 60_000)[name.removesuffix("[]")]) == 60_000
    assert time.thread_time() - began < 1.0
