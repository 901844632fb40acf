"""What every provider of scoring functions promises (`runtime/apis/scoring`), asked at the server's door."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.asgi import Answered
from runtime.conformance.scoring.subject import Subject

pytestmark = pytest.mark.asyncio

AT_ONCE = 8
ODD_VALUES: tuple[Any, ...] = (
    None,
    12,
    0.5,
    True,
    [],
    {},
    ["a", 1],
    "",
    " \n",
    "\x00",
    "{",
    "\\frac{",
    "(" * 2000,
    "a" * 50_000,
)
"""What a column may have that nobody has expected there."""
Json = dict[str, Any]


async def ask(subject: Subject, *rows: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> Answered:
    told = subject.params if params is None else params
    body = {"input_rows": list(rows), "scoring_functions": {subject.function: told}}
    return await subject.client.post("/v1/scoring/score", body)


async def scored(subject: Subject, *rows: Mapping[str, Any]) -> list[Json]:
    """What it says of each row."""
    answer = await ask(subject, *rows)
    assert answer.status == 200, answer.body
    found: list[Json] = answer.json()["results"][subject.function]["score_rows"]
    return found


async def columns_of(subject: Subject) -> list[str]:
    function = await subject.client.get(f"/v1/scoring-functions/{subject.function}")
    assert function.status == 200, function.body
    columns: list[str] = function.json()["metadata"]["columns"]
    return columns


async def test_it_is_listed_with_what_it_reads_and_says(subject: Subject) -> None:
    functions = (await subject.client.get("/v1/scoring-functions")).json()["data"]
    [function] = [one for one in functions if one["identifier"] == subject.function]
    assert function["description"] and function["return_type"]["type"] in ("number", "string", "boolean", "object")
    assert {*function["metadata"]["columns"]} <= {*subject.good}
    assert function == (await subject.client.get(f"/v1/scoring-functions/{subject.function}")).json()


async def test_good_rows_have_better_scores_than_bad_ones(subject: Subject) -> None:
    good, bad = await scored(subject, subject.good, subject.bad)
    assert good["score"] > bad["score"], (good, bad)
    assert "error" not in good and "error" not in bad


async def test_rows_are_scored_in_their_order(subject: Subject) -> None:
    good, bad = await scored(subject, subject.good, subject.bad)
    found = await scored(subject, subject.bad, subject.good, subject.good, subject.bad)
    assert [row["score"] for row in found] == [one["score"] for one in (bad, good, good, bad)]


async def test_columns_that_it_does_not_read_change_nothing(subject: Subject) -> None:
    [plain], [more] = await scored(subject, subject.good), await scored(subject, {**subject.good, "a note": [1]})
    assert plain == more


async def test_no_rows_have_no_scores(subject: Subject) -> None:
    assert await scored(subject) == []


async def test_a_missing_column_is_named_with_its_row_and_those_that_are_there(subject: Subject) -> None:
    for column in await columns_of(subject):
        short = {name: value for name, value in subject.good.items() if name != column}
        answer = await ask(subject, subject.good, {**short, "a note": 1})
        assert answer.status == 400, answer.body
        assert answer.error["param"] == "input_rows"
        message = answer.error["message"]
        assert f"`{column}`" in message and "row 2" in message.lower()
        assert all(f"`{name}`" in message for name in (*short, "a note")), message


async def test_odd_values_harm_their_own_row_alone(subject: Subject) -> None:
    [good] = await scored(subject, subject.good)
    columns = await columns_of(subject)
    odd = [{**subject.good, column: value} for column in columns for value in ODD_VALUES]
    first, *found, last = await scored(subject, subject.good, *odd, subject.good)
    assert first["score"] == last["score"] == good["score"]
    for row, said in zip(odd, found, strict=True):
        if said["score"] is None:
            assert isinstance(said["error"], str) and said["error"], row
        else:
            assert "error" not in said


async def test_calls_at_once_are_each_answered(subject: Subject) -> None:
    good, bad = await scored(subject, subject.good, subject.bad)
    rows = [subject.good if place % 2 else subject.bad for place in range(AT_ONCE)]
    found = await asyncio.gather(*(scored(subject, row) for row in rows))
    assert [one["score"] for [one] in found] == [(good if row is subject.good else bad)["score"] for row in rows]


async def test_an_unknown_function_is_not_found_and_close_ones_are_named(subject: Subject) -> None:
    body = {"input_rows": [subject.good], "scoring_functions": {f"{subject.function}x": None}}
    answer = await subject.client.post("/v1/scoring/score", body)
    assert answer.status == 404 and f"`{subject.function}`" in answer.error["message"]


@needs("wrong_params")
async def test_params_that_it_cannot_be_told_are_refused(subject: Subject) -> None:
    answer = await ask(subject, subject.good, params=subject.wrong_params)
    assert answer.status == 400, answer.body


async def test_its_health_is_told_without_its_key(subject: Subject) -> None:
    function = (await subject.client.get(f"/v1/scoring-functions/{subject.function}")).json()
    providers = await subject.client.get("/v1/providers")
    [provider] = [
        one
        for one in providers.json()["data"]
        if (one["api"], one["provider_id"]) == ("scoring", function["provider_id"])
    ]
    assert provider["health"]["status"] != "Error", provider["health"]
    if subject.secret:
        assert subject.secret.encode() not in providers.body


@needs("fails")
async def test_no_row_has_a_score_while_what_it_calls_fails(subject: Subject) -> None:
    assert subject.fail is not None
    subject.fail()
    answer = await ask(subject, subject.good)
    assert answer.status == 200, answer.body
    found = answer.json()["results"][subject.function]
    [said] = found["score_rows"]
    assert said["score"] is None and said["error"]
    assert found["aggregated_results"] == {"errors": 1}
    if subject.secret:
        assert subject.secret.encode() not in answer.body
