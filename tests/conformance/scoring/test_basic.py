"""What the functions that compute say, at the server's door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from tests.conformance.scoring.subjects.basic import BASIC, answered

REGEX = {"type": "regex_parser"}
ANSWERED_B = Path(__file__).with_name("multiple_choice.txt").read_text(encoding="utf-8").splitlines()
"""An answer in each language that llama-stack's function has, and as models write them."""


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(run_config(providers={"scoring": [BASIC]}), tmp_path) as served:
        yield served.client


async def ask(client: Client, function: str, rows: list[Any], told: Any = None) -> Any:
    asked = {"input_rows": rows, "scoring_functions": {f"basic::{function}": told}}
    return await client.post("/v1/scoring/score", asked)


async def scores(client: Client, function: str, *rows: Any, told: Any = None) -> list[Any]:
    answer = await ask(client, function, list(rows), told)
    assert answer.status == 200, answer.body
    return [row["score"] for row in answer.json()["results"][f"basic::{function}"]["score_rows"]]


async def test_equality_is_of_values(client: Client) -> None:
    pairs = [
        ("a", "a"),
        ("a", "A"),
        (4, "4"),
        (4, 4.0),
        (True, "true"),
        (True, 1),
        ([1], [1]),
        ({"a": [1]}, {"a": [2]}),
    ]
    found = await scores(client, "equality", *(answered(one, other) for one, other in pairs))
    assert found == [1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0]


async def test_options_say_how_texts_are_compared(client: Client) -> None:
    told = {"type": "basic", "options": {"ignore_case": True, "ignore_spaces": True}}
    assert await scores(client, "equality", answered(" The  END\n", "the end"), told=told) == [1.0]
    assert await scores(client, "subset_of", answered("It is THE\nend", "the end"), told=told) == [1.0]
    answer = await ask(client, "equality", [answered("a", "a")], {"type": "basic", "options": {"ignore_cases": True}})
    assert answer.status == 400 and "`params.options.ignore_cases`" in answer.error["message"]
    assert answer.error["param"] == "scoring_functions"


async def test_subset_of_has_the_expected_answer_in_it(client: Client) -> None:
    rows = [
        answered("It is Paris.", "Paris"),
        answered("Paris", "It is Paris."),
        answered([1, 2], [2]),
        answered("a", ""),
    ]
    assert await scores(client, "subset_of", *rows) == [1.0, 0.0, 1.0, None]


async def test_long_lists_are_compared_in_no_time(client: Client) -> None:
    numbers = [*range(300_000)]
    plain = answered(numbers, numbers[::-1]), answered(numbers, [*numbers, -1])
    nested = answered([[number] for number in range(900)], [[1], [5], 7]), answered([[1], {"a": 2}, 7], [{"a": 2}, 7])
    assert await scores(client, "subset_of", *plain, *nested) == [1.0, 0.0, 0.0, 1.0]
    many = [[number] for number in range(2000)]
    assert await scores(client, "subset_of", answered(many, many)) == [None]


@pytest.mark.parametrize("text", [*ANSWERED_B, "Answer:\nB"])
async def test_the_letter_of_a_multiple_choice_is_found(client: Client, text: str) -> None:
    function = "regex_parser_multiple_choice_answer"
    assert await scores(client, function, answered(text, "B"), answered(text, "C")) == [1.0, 0.0]


@pytest.mark.parametrize("text", ["", "B", "Answer: Because", "Answer: K", "Answers vary", "الإجابة: بعد"])
async def test_a_text_without_a_letter_is_no_answer(client: Client, text: str) -> None:
    answer = await ask(client, "regex_parser_multiple_choice_answer", [answered(text, "B")])
    [row] = answer.json()["results"]["basic::regex_parser_multiple_choice_answer"]["score_rows"]
    assert row == {"score": 0.0, "parsed_answer": None}


async def test_expressions_of_ones_own_find_the_answer(client: Client) -> None:
    told = {**REGEX, "parsing_regexes": [r"nothing", r"<answer>(.*?)</answer>"]}
    row = answered("<answer>Paris </answer>", "Paris")
    assert await scores(client, "regex_parser_multiple_choice_answer", row, told=told) == [1.0]
    whole = {**REGEX, "parsing_regexes": [r"Pa\w+"]}
    assert await scores(client, "regex_parser_multiple_choice_answer", row, told=whole) == [1.0]


async def test_an_expression_without_an_end_harms_its_row_alone(client: Client) -> None:
    told = {**REGEX, "parsing_regexes": ["(x+x+)+y"]}
    rows = [answered("x" * 5000, "B"), answered("xxy", "xx")]
    answer = await ask(client, "regex_parser_multiple_choice_answer", rows, told)
    slow, quick = answer.json()["results"]["basic::regex_parser_multiple_choice_answer"]["score_rows"]
    assert slow["score"] is None and "1 s" in slow["error"]
    assert quick["score"] == 1.0


@pytest.mark.parametrize("pattern", ["(", "a{99999999}", "((a{100}){100}){100}", "(?x)(a) # b\n{60000}", "(" * 5000])
async def test_a_wrong_expression_is_named(client: Client, pattern: str) -> None:
    told = {**REGEX, "parsing_regexes": ["a", pattern]}
    answer = await ask(client, "regex_parser_multiple_choice_answer", [answered("a", "a")], told)
    assert answer.status == 400 and "`params.parsing_regexes" in answer.error["message"], answer.body
    assert answer.error["param"] == "scoring_functions"


async def test_the_final_answer_of_a_solution_is_found(client: Client) -> None:
    function = "regex_parser_math_response"
    rows = [
        answered(r"So... The final answer is: $\boxed{\frac{3}{4}}$. I hope it is correct.", r"$\boxed{0.75}$"),
        answered("The final answer is $75\\%$.", "75"),
        answered("0.75", r"\frac34"),
        answered("I do not know.", "1"),
        answered("1", "\\boxed{}"),
    ]
    assert await scores(client, function, *rows) == [1.0, 1.0, 1.0, 0.0, None]


async def test_the_nearest_of_several_answers_counts(client: Client) -> None:
    rows = [
        answered("1988", ["1990", "1988"]),
        answered("1988", '["1990", "1988"]'),
        answered("[1988", "[1988"),
        answered(1988, 1988),
        answered("a", []),
        answered("a", [None]),
    ]
    assert await scores(client, "docvqa", *rows) == [1.0, 1.0, 1.0, 1.0, None, None]
    told = {"type": "basic", "options": {"threshold": 0.9}}
    assert await scores(client, "docvqa", answered("1989", ["1988"]), told=told) == [0.0]


async def test_what_is_registered_here_is_looked_at(client: Client) -> None:
    async def registered(**facts: Any) -> Any:
        body = {"scoring_fn_id": "mine", "provider_id": "basic", "provider_scoring_fn_id": "equality", **facts}
        return await client.post("/v1/scoring-functions", body)

    unknown = await registered(provider_scoring_fn_id="equal")
    assert unknown.status == 404 and "`equal`" in unknown.error["message"] and "equality" in unknown.error["message"]
    wrong = await registered(params={"type": "basic", "options": {"case": 1}})
    assert wrong.status == 400 and "`params.options.case`" in wrong.error["message"]
    other = await registered(params=REGEX)
    assert other.status == 400 and "`regex_parser`" in other.error["message"]
    assert (await registered(params={"type": "basic", "options": {"ignore_case": True}})).status == 200
    answer = await client.post(
        "/v1/scoring/score", {"input_rows": [answered("a", "A")], "scoring_functions": {"mine": None}}
    )
    assert answer.json()["results"]["mine"]["score_rows"] == [{"score": 1.0}]


async def test_others_are_answered_while_ten_thousand_rows_are_scored(client: Client) -> None:
    rows = [answered(f"{place} " + "ab" * 100, f"{place} " + "ba" * 100) for place in range(10_000)]
    scoring = asyncio.create_task(scores(client, "docvqa", *rows))
    answers = 0
    while not scoring.done():
        assert (await client.get("/v1/version")).status == 200
        answers += 1
    assert len(await scoring) == 10_000 and answers >= 20
