"""Functions that packages bring: what they say, and what becomes of those that fail, hang, end or have no import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from tests.conformance.scoring.subjects.functions import FUNCTIONS, SCORES, installed

CODE = """\
import os, sys, time

def said(row, told=None) -> str:
    print("nobody reads this")
    sys.stdin.read()
    return row["say"]

async def later(row):
    return {"score": True, "why": "it is so", "seen": sorted(os.environ)}

def given(row):
    return eval(row["value"], {"nan": float("nan"), "big": "a" * 2_000_000})

def ends(row):
    if row["how"] == "hang":
        while True: pass
    if row["how"] == "sleep":
        time.sleep(600)
    if row["how"] == "exit":
        sys.exit(3)
    if row["how"] == "die":
        os._exit(4)
    if row["how"] == "raise":
        raise ValueError("no\\x1b[31m luck")
    return 1

def told(row, needed, *, more=2):
    return needed + more
"""
NAMES = ("said", "later", "given", "ends", "told")


@pytest_asyncio.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-secret")
    monkeypatch.setenv("SCORER_URL", "somewhere")
    provider = {**FUNCTIONS, "config": {"timeout_s": 2, "environment": ["SCORER_URL"]}}
    with (
        installed(tmp_path / "good", "meadow_scores", CODE, *NAMES),
        installed(tmp_path / "bad", "meadow_moss", "import a_module_that_is_not_there", "soft"),
        installed(tmp_path / "worse", "meadow_mud", "import os\nos._exit(5)", "deep"),
    ):
        async with serving(run_config(providers={"scoring": [provider]}), tmp_path / "state") as served:
            yield served.client


async def ask(client: Client, function: str, rows: list[Any], **options: Any) -> Any:
    told = {f"functions::{function}": {"type": "basic", "options": options}}
    return await client.post("/v1/scoring/score", {"input_rows": rows, "scoring_functions": told})


async def said(client: Client, function: str, *rows: Any, **options: Any) -> list[Any]:
    answer = await ask(client, function, list(rows), **options)
    assert answer.status == 200, answer.body
    found: list[Any] = answer.json()["results"][f"functions::{function}"]["score_rows"]
    return found


async def test_a_function_may_be_asynchronous_and_say_more_than_a_score(client: Client) -> None:
    [row] = await said(client, "later", {})
    assert (row["score"], row["why"]) == (1.0, "it is so")
    assert "SCORER_URL" in row["seen"] and "OPENAI_API_KEY" not in row["seen"]


async def test_it_may_say_a_word_and_print_what_it_likes(client: Client) -> None:
    function = (await client.get("/v1/scoring-functions/functions::said")).json()
    assert function["return_type"] == {"type": "string"}
    answer = await ask(client, "said", [{"say": "good"}, {"say": "bad"}, {"say": "good"}])
    together = answer.json()["results"]["functions::said"]["aggregated_results"]
    assert together == {"categorical_count": {"categorical_count": {"good": 2, "bad": 1}}}


async def test_what_is_no_score_is_an_error_of_its_row(client: Client) -> None:
    values = ["1", "True", "{'score': 0.5}", "None", "nan", "[1]", "{}", "{'score': big}", "{'score': 1, 'a': {2}}"]
    found = await said(client, "given", *({"value": value} for value in values))
    assert [row["score"] for row in found] == [1.0, 1.0, 0.5, *[None] * 6]
    assert all(row["error"] for row in found[3:])


async def test_a_row_that_hangs_or_ends_the_process_fails_alone(client: Client) -> None:
    ways = ["fine", "hang", "fine", "die", "fine", "exit", "raise", "fine"]
    found = await said(client, "ends", *({"how": way} for way in ways))
    assert [row["score"] for row in found] == [1.0, None, 1.0, None, 1.0, None, None, 1.0]
    assert "longer than 2 s" in found[1]["error"] and "exit code 4" in found[3]["error"]
    assert found[5]["error"] == "SystemExit: 3" and found[6]["error"] == "ValueError: no?[31m luck"


async def test_rows_that_all_end_so_are_given_up(client: Client) -> None:
    found = await said(client, "ends", *[{"how": "die"}] * 50)
    assert [row["score"] for row in found] == [None] * 50
    assert "exit code 4" in found[2]["error"] and found[3]["error"].startswith("not tried")


async def test_its_options_are_its_arguments(client: Client) -> None:
    assert [row["score"] for row in await said(client, "told", {}, needed=1, more=3)] == [4.0]
    lacking = await ask(client, "told", [{}])
    assert lacking.status == 400 and "lacks `needed`" in lacking.error["message"]
    unknown = await ask(client, "told", [{}], needed=1, less=1)
    assert unknown.status == 400 and "`params.options.less`" in unknown.error["message"]
    assert "`needed`, `more`" in unknown.error["message"]


async def test_a_package_that_cannot_be_imported_is_named_and_the_others_work(client: Client) -> None:
    listed = {one["identifier"]: one for one in (await client.get("/v1/scoring-functions")).json()["data"]}
    assert {*listed} == {f"functions::{name}" for name in (*NAMES, "soft", "deep")}
    assert "a_module_that_is_not_there" in listed["functions::soft"]["description"]
    health = (await client.get("/v1/providers/functions")).json()["health"]
    assert health["status"] == "OK"
    assert "meadow_moss" in health["message"] and "meadow_mud" in health["message"], health
    for name, package in (("soft", "meadow_moss"), ("deep", "meadow_mud")):
        answer = await ask(client, name, [{}])
        assert answer.status == 503 and f"`{package}`" in answer.error["message"]


async def test_without_packages_there_are_no_functions(tmp_path: Path) -> None:
    async with serving(run_config(providers={"scoring": [FUNCTIONS]}), tmp_path) as served:
        assert (await served.client.get("/v1/scoring-functions")).json() == {"data": []}
        body = {"scoring_fn_id": "mine", "provider_id": "functions", "provider_scoring_fn_id": "length"}
        answer = await served.client.post("/v1/scoring-functions", body)
        assert answer.status == 404 and "llama_stack.scoring_functions" in answer.error["message"]


async def test_the_description_is_the_first_line_of_the_docstring(tmp_path: Path) -> None:
    with installed(tmp_path / "site", "meadow_scores", SCORES, "length"):
        async with serving(run_config(providers={"scoring": [FUNCTIONS]}), tmp_path / "state") as served:
            function = (await served.client.get("/v1/scoring-functions/functions::length")).json()
    assert function["description"] == "How much of the longest answer there could be this is."
    assert function["metadata"] == {"columns": ["generated_answer"]}
