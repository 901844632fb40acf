"""Names and values as objects and lists: what they may be, and that many of them cost what they weigh."""

from __future__ import annotations

import time
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from runtime.errors import RequestError, TooLarge
from runtime.server.fields import MAX_TEXT_BYTES, nested, urlencoded


class Part(TypedDict):
    x: int


class Asked(BaseModel):
    a: Any = None
    tags: list[str] = []
    either: str | Annotated[list[Part], Field(fail_fast=True)] | None = None
    parts: Annotated[list[Part], Field(max_length=3)] | None = None
    part: Part | None = None
    word: Annotated[str | Part, Field(description="or not")] = ""


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


def test_json_in_a_field_holds_no_more_than_a_body_may() -> None:
    with pytest.raises(TooLarge, match="holds more than"):
        read(("parts", "[" + "[]," * 150_000 + "[]]"))


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


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ("either=Hello", {"either": "Hello"}),
        ("either=%5B1%5D", {"either": "[1]"}),
        ("either[0][x]=1", {"either": [{"x": "1"}]}),
        ('either[]={"x":1}', {"either": [{"x": 1}]}),
        ('either={"x":1}&either={"x":2}', {"either": [{"x": 1}, {"x": 2}]}),
        ("either=a&either=b", {"either": ["a", "b"]}),
        ('parts=[{"x":1}]', {"parts": [{"x": 1}]}),
        ("parts[0][x]=1", {"parts": [{"x": "1"}]}),
        ('part={"x":1}', {"part": {"x": 1}}),
        ("part[x]=1", {"part": {"x": "1"}}),
        ("part={x", {"part": "{x"}),
        ('tags={"x":1}&tags=b', {"tags": ['{"x":1}', "b"]}),
        ('word={"x":1}', {"word": '{"x":1}'}),
    ],
)
def test_json_in_a_form_is_read_where_no_text_can_be_meant(form: str, found: dict[str, Any]) -> None:
    assert urlencoded(form.encode(), Asked) == found


def test_a_form_has_no_more_than_fits() -> None:
    assert urlencoded(b"a=" + b"x" * (MAX_TEXT_BYTES - 2), Asked)
    with pytest.raises(TooLarge, match=f"more than {MAX_TEXT_BYTES} bytes"):
        urlencoded(b"a=" + b"x" * MAX_TEXT_BYTES, Asked)
    with pytest.raises(RequestError, match="fields"):
        urlencoded(b"&".join([b"a=1"] * 5000), Asked)
