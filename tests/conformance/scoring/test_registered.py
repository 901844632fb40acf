"""Functions that are registered over those of real providers, several functions at once, and scores at the end of what
a float can be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import upstream_server
from tests.conformance.scoring.subjects.basic import BASIC, answered
from tests.support.judge_model import JUDGE, JudgeModel
from tests.support.stacks import openai_at, serving

MODEL = f"vendor/{JUDGE}"
ROW = {"input_query": "Where?", "generated_answer": "here", "expected_answer": "here"}


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[JudgeModel]:
    async with upstream_server(make=JudgeModel) as running:
        yield running


@pytest_asyncio.fixture
async def client(tmp_path: Path, vendor: JudgeModel) -> AsyncIterator[Client]:
    config = {"judge_model": MODEL}
    judge = {"provider_id": "llm-as-judge", "provider_type": "inline::llm-as-judge", "config": config}
    run = run_config(providers={"inference": [openai_at(vendor.url)], "scoring": [BASIC, judge]})
    async with serving(run, tmp_path) as served:
        yield served.client


async def registered(client: Client, name: str, provider_id: str, own: str, **facts: Any) -> Any:
    body = {"scoring_fn_id": name, "provider_id": provider_id, "provider_scoring_fn_id": own, **facts}
    answer = await client.post("/v1/scoring-functions", body)
    assert answer.status == 200, answer.body
    return answer.json()


async def result(client: Client, function: str, *rows: Any, told: Any = None) -> Any:
    answer = await client.post("/v1/scoring/score", {"input_rows": list(rows), "scoring_functions": {function: told}})
    assert answer.status == 200, answer.body
    return answer.json()["results"][function]


async def test_one_over_equality_tells_accuracy_as_that_does(client: Client) -> None:
    await registered(client, "my-eq", "basic", "equality")
    rows = answered("a", "a"), answered("a", "b")
    assert await result(client, "my-eq", *rows) == await result(client, "basic::equality", *rows)
    assert "accuracy" in (await result(client, "my-eq", *rows))["aggregated_results"]


async def test_one_over_a_grader_asks_the_usual_judge(client: Client, vendor: JudgeModel) -> None:
    vendor.says = lambda body: '{"reasoning": "it is", "verdict": "correct"}'
    shown = await registered(client, "my-qa", "llm-as-judge", "405b-simpleqa")
    assert (shown["params"]["judge_model"], shown["return_type"]) == (MODEL, {"type": "string"})
    [row] = (await result(client, "my-qa", ROW))["score_rows"]
    assert row["score"] == "correct"


async def test_what_only_its_prompt_reads_is_not_told_of_one_with_its_own(client: Client) -> None:
    params = {"type": "llm_as_judge", "judge_model": MODEL, "prompt_template": "{generated_answer}"}
    assert (await registered(client, "mine", "llm-as-judge", "405b-simpleqa", params=params))["metadata"] == {}


async def test_huge_scores_have_an_average(client: Client, vendor: JudgeModel) -> None:
    vendor.says = lambda body: '{"reasoning": "much", "score": 1e308}'
    told = {"type": "llm_as_judge", "judge_model": MODEL, "prompt_template": "{generated_answer}"}
    found = await result(client, "llm-as-judge::base", ROW, ROW, told=told)
    assert found["aggregated_results"]["average"] == {"average": 1e308, "confidence_interval": [1e308, 1e308]}


@pytest.mark.parametrize(
    ("other", "told", "words"),
    [
        ("basic::equality", {"type": "basic", "options": {"ignore_cases": True}}, "`params.options.ignore_cases`"),
        ("basic::regex_parser_math_response", {"type": "regex_parser", "parsing_regexes": ["("]}, "parsing_regexes"),
        ("llm-as-judge::base", {"type": "llm_as_judge", "judge_model": MODEL}, "needs a `prompt_template`"),
    ],
)
async def test_what_one_function_cannot_be_told_is_said_before_another_asks_a_judge(
    client: Client, vendor: JudgeModel, other: str, told: Any, words: str
) -> None:
    vendor.says = lambda body: '{"reasoning": "it is", "verdict": "correct"}'
    functions = {"llm-as-judge::405b-simpleqa": None, other: told}
    answer = await client.post("/v1/scoring/score", {"input_rows": [ROW], "scoring_functions": functions})
    assert (answer.status, answer.error["param"]) == (400, "scoring_functions")
    assert words in answer.error["message"] and vendor.calls("/chat/completions") == []


async def test_a_column_that_one_function_lacks_is_said_before_another_asks_a_judge(
    client: Client, vendor: JudgeModel
) -> None:
    functions = {"llm-as-judge::405b-simpleqa": None, "basic::ifeval": None}
    answer = await client.post("/v1/scoring/score", {"input_rows": [ROW], "scoring_functions": functions})
    assert (answer.status, answer.error["param"]) == (400, "input_rows")
    assert "Row 1 has no column `instruction_id_list`" in answer.error["message"]
    assert vendor.calls("/chat/completions") == []
