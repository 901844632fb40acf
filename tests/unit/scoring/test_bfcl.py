"""Calls of functions, read and compared. The rows of `bfcl.jsonl` are like those with their ids in the leaderboard's
data, and the rules are those of its page on AST evaluation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.bfcl.calls import Call, NoCalls, calls_in
from runtime.providers.scoring.basic.bfcl.function import BFCL

ROWS = [json.loads(line) for line in Path(__file__).with_name("bfcl.jsonl").read_text(encoding="utf-8").splitlines()]
BY_ID = {row["id"]: row for row in ROWS}
HYPOT = BY_ID["simple_python_2"]


def said(row_id: str, answer: Any, **more: Any) -> Any:
    row = {**BY_ID.get(row_id, HYPOT), "id": row_id, "generated_answer": answer, **more}
    score: Any = BFCL.prepare(None)(row)  # type: ignore[arg-type]  # it is told nothing
    return score


RIGHT = [
    ("simple_python_2", "[math.hypot(x=4, y=5)]"),
    ("simple_python_2", "math.hypot(y=5, x=4, z=0)"),
    ("simple_python_2", "```python\nmath.hypot(x=4, y=5)\n```"),
    ("simple_python_2", '[{"math.hypot": {"x": 4, "y": 5}}]'),
    ("simple_python_2", '{"name": "math_hypot", "arguments": "{\\"x\\": 4, \\"y\\": 5}"}'),
    ("simple_python_2", [{"type": "function", "function": {"name": "math_hypot", "arguments": '{"x": 4, "y": 5}'}}]),
    ("simple_python_13", "area(function='x**2', interval=[1, 3])"),
    ("simple_python_13", "area(function='Y = x^2', interval=(1.0, 3.0), method='Trapezoidal')"),
    ("simple_python_13", "area(function=lambda x: x**2, interval=[1.0, 3.0])"),
    ("simple_python_17", "factors(number=450)"),
    ("simple_python_17", "factors(number=450, formatted=True)"),
    ("simple_python_89", "fetch(table='students', conditions={'school': 'bluebird hs', 'department': 'Science'})"),
    (
        "simple_python_96",
        "query(table='user', conditions=[{'field': 'age', 'operation': '>', 'value': '25'},"
        " {'field': 'job', 'operation': '=', 'value': 'engineer'}])",
    ),
    ("parallel_0", "[spotify.play(artist='Maroon 5', duration=15), spotify.play(artist='Taylor Swift', duration=20)]"),
    ("parallel_4", "[bmi(height=6, weight=80), bmi(height=5.6, weight=60)]"),
    ("multiple_0", "spotify.stop()"),
    ("live_simple_59-28-0", "get_movies(city='Mumbai', movie_date=None)"),
]
WRONG = [
    ("simple_python_2", "[]", "0 calls"),
    ("simple_python_2", "I cannot do that.", "neither Python nor JSON"),
    ("simple_python_2", "math.hypot(4, 5)", "without a name"),
    ("simple_python_2", "math.dist(x=4, y=5)", "`math.dist` is called"),
    ("simple_python_2", "math.hypot(x=4)", "`y` is missing"),
    ("simple_python_2", "math.hypot(x=4, y=6)", "`y` has another value"),
    ("simple_python_2", "math.hypot(x=4, y='5')", "`y` is of the type `str`"),
    ("simple_python_2", "math.hypot(x=4.0, y=5)", "`x` is of the type `float`"),
    ("simple_python_2", "math.hypot(x=4, y=5, w=1)", "`w` is no argument"),
    ("simple_python_2", "[math.hypot(x=4, y=5), math.hypot(x=4, y=5)]", "2 calls"),
    ("simple_python_13", "area(function='x**3', interval=[1, 3])", "`function` has another value"),
    ("simple_python_13", "area(function='x**2', interval=[3, 1])", "`interval` has another value"),
    ("simple_python_17", "factors(number=450, formatted=1)", "`formatted` is of the type `int`"),
    ("simple_python_17", "factors(number=450, formatted=False)", "`formatted` has another value"),
    ("simple_python_89", "fetch(table='students', conditions={'department': 'Science'})", "`conditions` has another"),
    ("simple_python_89", "fetch(table='students')", "`conditions` is missing, and is not optional"),
    ("simple_python_96", "query(table='user', conditions=[])", "`conditions` has another value"),
    ("parallel_0", "[spotify.play(artist='Maroon 5', duration=15)] * 2", "no call of a function"),
    (
        "parallel_0",
        "spotify.play(artist='Maroon 5', duration=15), spotify.play(artist='Maroon 5', duration=15)",
        "value",
    ),
    ("multiple_0", "spotify.play(artist='a', duration=1)", "`spotify.play` is called"),
]

HOSTILE = [
    "a" + " " * 300_000 + "b",
    "a" + "\n" * 300_000 + "b",
    "-" * 90_000,
    "f(a=" * 5000,
    "f(a=" + "[" * 150 + ")",
    "f" + "()" * 50_000,
    "{" * 9000,
    "x" * 200_000,
]


@pytest.mark.parametrize("row_id, answer", RIGHT)
def test_right_calls_have_a_score_of_one(row_id: str, answer: Any) -> None:
    assert said(row_id, answer) == {"score": 1.0}


@pytest.mark.parametrize("row_id, answer, reason", WRONG)
def test_wrong_calls_have_none_and_a_reason(row_id: str, answer: Any, reason: str) -> None:
    found = said(row_id, answer)
    assert found["score"] == 0.0 and reason in found["reason"], found


def test_each_call_that_is_wanted_takes_one_that_fits() -> None:
    """The first call that fits `x` would also be the only one that fits `y`."""
    functions = [{"name": "f", "parameters": {"properties": {"a": {"type": "integer"}}}}]
    row = {"generated_answer": "f(a=1), f(a=2)", "function": functions}
    row["ground_truth"] = [{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}]
    assert BFCL.prepare(None)(row) == {"score": 1.0}  # type: ignore[arg-type]  # it is told nothing


@pytest.mark.parametrize("category", ["irrelevance_0", "live_irrelevance_1-0-0"])
def test_where_no_function_fits_none_is_to_be_called(category: str) -> None:
    assert said(category, "There is no such function.")["score"] == 1.0
    assert said(category, "[]")["score"] == 1.0
    assert said(category, "math.hypot(x=4, y=5)")["score"] == 0.0


def test_where_one_fits_any_call_will_do() -> None:
    assert said("live_relevance_3-3-0", "f(a=1)")["score"] == 1.0
    assert said("live_relevance_3-3-0", "No.")["score"] == 0.0


def test_a_float_is_no_integer_in_a_list_either() -> None:
    """As the leaderboard's checker has it. Its floats may be integers, as arguments of their own may."""
    for kind, score in (("integer", 0.0), ("float", 1.0)):
        items = {"type": "array", "items": {"type": kind}}
        schema = {"name": "f", "parameters": {"properties": {"x": items}, "required": ["x"]}}
        row = {"generated_answer": "f(x=[1.0, 2])", "function": [schema], "ground_truth": [{"f": {"x": [[1, 2]]}}]}
        assert BFCL.prepare(None)(row)["score"] == score  # type: ignore[arg-type]  # it is told nothing


def test_columns_may_be_json_as_text_as_llama_stack_has_them() -> None:
    texts = {"function": json.dumps(HYPOT["function"]), "ground_truth": json.dumps(HYPOT["ground_truth"][0])}
    assert said("simple_0", "math.hypot(x=4, y=5)", **texts) == {"score": 1.0}


@pytest.mark.parametrize(
    "more, reason",
    [
        ({"language": "Java"}, "`Java`"),
        ({"generated_answer": 12}, "`generated_answer` is a number"),
        ({"generated_answer": None}, "`generated_answer` is null"),
        ({"ground_truth": "{"}, "`ground_truth` is text that is not JSON"),
        ({"ground_truth": [{"f": [1]}]}, "`ground_truth` is no"),
        ({"ground_truth": [{}]}, "`ground_truth` is no"),
        ({"function": [1]}, "`function` has something else than objects"),
    ],
)
def test_a_row_that_makes_no_sense_is_not_scored(more: Any, reason: str) -> None:
    with pytest.raises(NotScored, match=reason):
        said("simple_0", "math.hypot(x=4, y=5)", **more)


def test_a_schema_that_makes_no_sense_has_no_arguments() -> None:
    for broken in ({"parameters": 1}, {"parameters": {"properties": [], "required": 2}}, {}):
        functions = [{"name": "math.hypot", **broken}]
        assert "no argument" in said("simple_0", "math.hypot(x=4, y=5)", function=functions)["reason"]


def test_arguments_are_read_as_what_they_are() -> None:
    text = "a.b.c(i=-1, f=1e3, t=(1, 'x'), d={'k': [None, True]}, v=some.name, s=1 + x, e='\\u00e4')"
    [found] = calls_in(text)
    values = {
        "i": -1,
        "f": 1000.0,
        "t": [1, "x"],
        "d": {"k": [None, True]},
        "v": "some.name",
        "s": "1 + x",
        "e": "\u00e4",
    }
    assert found == Call(name="a.b.c", arguments=values)


@pytest.mark.parametrize("text", [*HOSTILE, "\x00", "f(**a)", "f(*a)", "1", "?"])
def test_hostile_text_is_no_call(text: str) -> None:
    with pytest.raises(NoCalls):
        calls_in(text)


def test_an_integer_that_no_float_can_be_is_another_value() -> None:
    schema = {"name": "f", "parameters": {"properties": {"x": {"type": "float"}}, "required": ["x"]}}
    row = {"generated_answer": f"f(x=1{'0' * 400})", "function": [schema], "ground_truth": [{"f": {"x": [1.0]}}]}
    found = BFCL.prepare(None)(row)  # type: ignore[arg-type]  # it is told nothing
    assert found["reason"] == "`x` has another value than those that are right"
