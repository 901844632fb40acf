"""Shields behind both doors: `run-shield` and OpenAI's moderations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.apis.safety.categories import OPENAI_CATEGORIES
from runtime.apis.safety.moderations import MOST_INPUTS
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.errors import Unavailable
from tests.support.shields import WORDS, Words, shields, with_words
from tests.support.stacks import serving

LIMIT_S = 20.0
BOMB, CAT = "how to build a bomb", "how to stroke a cat"


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    with_words(monkeypatch)
    run = run_config(
        providers={"safety": [WORDS]},
        registered_resources=shields(bombs="bomb", guns="gun"),
        safety={"default_shield_id": "bombs"},
    )
    async with serving(run, tmp_path) as served:
        yield served.client


async def moderated(client: Client, **body: Any) -> Any:
    answer = await client.post("/v1/moderations", json=body)
    assert answer.status == 200, answer.body
    return answer.json()


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def test_a_shield_says_what_it_has_found(client: Client) -> None:
    asked = {"shield_id": "bombs", "messages": said(BOMB), "params": {}}
    assert (await client.post("/v1/safety/run-shield", json=asked)).json() == {
        "violation": {
            "violation_level": "error",
            "user_message": "I cannot talk about that.",
            "metadata": {"categories": ["violence"], "violation_type": "bomb"},
        }
    }
    assert (await client.post("/v1/safety/run-shield", json={**asked, "messages": said(CAT)})).json() == {
        "violation": None
    }


async def test_the_last_message_is_judged_and_the_others_are_there(client: Client) -> None:
    talk = [*said(BOMB), {"role": "assistant", "content": "No."}, *said(CAT)]
    answer = await client.post("/v1/safety/run-shield", json={"shield_id": "bombs", "messages": talk, "params": {}})
    assert answer.json() == {"violation": None}
    assert len(Words.latest.asked[-1].messages) == 3


async def test_what_it_is_told_for_once_goes_over_what_it_was_registered_with(client: Client) -> None:
    registered = {"shield_id": "many", "provider_id": "words", "params": {"words": ["knife"], "level": 3}}
    assert (await client.post("/v1/shields", json=registered)).status == 200
    asked = {"shield_id": "many", "messages": said("a knife, a sword")}
    first = (await client.post("/v1/safety/run-shield", json=asked)).json()["violation"]
    then = (await client.post("/v1/safety/run-shield", json={**asked, "params": {"words": ["sword"]}})).json()
    assert (first["metadata"]["violation_type"], then["violation"]["metadata"]["violation_type"]) == ("knife", "sword")
    assert Words.latest.asked[-1].told() == {"words": ["sword"], "level": 3}


async def test_moderations_have_all_categories_of_openai(client: Client) -> None:
    answer = await moderated(client, input=BOMB, model="bombs")
    assert answer["id"].startswith("modr-") and answer["model"] == "bombs"
    [result] = answer["results"]
    assert result["flagged"] is True
    for field in ("categories", "category_scores", "category_applied_input_types"):
        assert [*result[field]] == [*OPENAI_CATEGORIES]
    assert [name for name, is_flagged in result["categories"].items() if is_flagged] == ["violence"]
    assert result["category_scores"]["violence"] == 0.9 and result["category_scores"]["hate"] == 0
    assert result["category_applied_input_types"]["violence"] == ["text"]
    assert result["category_applied_input_types"]["hate"] == []


async def test_each_text_has_a_result_and_parts_have_one(client: Client) -> None:
    texts = [CAT, BOMB, "", CAT]
    assert [one["flagged"] for one in (await moderated(client, input=texts))["results"]] == [False, True, False, False]
    assert len(Words.latest.asked) == 3, "nobody is asked about nothing"
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    answer = await moderated(client, input=[{"type": "text", "text": BOMB}, image])
    assert [one["flagged"] for one in answer["results"]] == [True]
    assert Words.latest.asked[-1].messages[-1]["content"] == [{"type": "text", "text": BOMB}, image]


async def test_several_inputs_are_looked_at_at_a_time(client: Client) -> None:
    begun = asyncio.Event()

    async def wait(_: Any) -> None:
        if len(Words.latest.asked) == 2:
            begun.set()
        async with asyncio.timeout(LIMIT_S):
            await begun.wait()

    Words.latest.before_answer = wait
    assert len((await moderated(client, input=[CAT, CAT]))["results"]) == 2


async def test_without_a_model_the_usual_shield_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_words(monkeypatch)
    only = run_config(providers={"safety": [WORDS]}, registered_resources=shields(guns="gun"))
    async with serving(only, tmp_path / "only") as served:
        assert (await moderated(served.client, input="gun"))["model"] == "guns"
        await served.client.post("/v1/shields", json={"shield_id": "other", "provider_id": "words"})
        answer = await served.client.post("/v1/moderations", json={"input": "gun"})
        assert (answer.status, answer.error["param"]) == (400, "model")
        assert "`guns`, `other`" in answer.error["message"] and "safety.default_shield_id" in answer.error["message"]
    none = run_config(providers={"safety": [WORDS]})
    async with serving(none, tmp_path / "none") as served:
        answer = await served.client.post("/v1/moderations", json={"input": "gun"})
        assert answer.status == 400 and "register a shield first" in answer.error["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "words"),
    [
        ("/v1/moderations", {"input": CAT, "model": "bmobs"}, 404, "model", "did you mean `bombs`"),
        ("/v1/safety/run-shield", {"shield_id": "bmobs", "messages": said(CAT)}, 404, "shield_id", "`bombs`"),
        ("/v1/safety/run-shield", {"shield_id": "bombs", "messages": []}, 400, "messages", "at least 1"),
        ("/v1/moderations", {"input": []}, 400, "input", "at least 1"),
        ("/v1/moderations", {"input": [CAT, {"type": "text", "text": CAT}]}, 400, "input[1]", "string"),
        ("/v1/moderations", {"input": [{"type": "input_audio"}]}, 400, "input[0].type", "image_url"),
        ("/v1/moderations", {"input": ["a"] * (MOST_INPUTS + 1)}, 400, "input", str(MOST_INPUTS)),
    ],
)
async def test_a_wrong_request_is_refused_by_name(
    client: Client, path: str, body: Any, status: int, param: str, words: str
) -> None:
    answer = await client.post(path, json=body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert words in answer.error["message"]
    assert not Words.latest.asked


async def test_a_shield_that_fails_says_nothing_is_harmless(client: Client) -> None:
    async def fail(_: Any) -> None:
        raise Unavailable("the guard is down")

    Words.latest.before_answer = fail
    for path, body in (
        ("/v1/moderations", {"input": [CAT, BOMB]}),
        ("/v1/safety/run-shield", {"shield_id": "bombs", "messages": said(CAT)}),
    ):
        answer = await client.post(path, json=body)
        assert (answer.status, answer.error["message"]) == (503, "the guard is down")


async def test_shields_come_and_go(client: Client) -> None:
    listed = (await client.get("/v1/shields")).json()["data"]
    assert [shield["identifier"] for shield in listed] == ["bombs", "guns"]
    made = {"shield_id": "my/own", "provider_id": "words", "provider_shield_id": "cat", "params": {"api_key": "sk-1"}}
    shield = (await client.post("/v1/shields", json=made)).json()
    assert (shield["identifier"], shield["provider_resource_id"], shield["type"]) == ("my/own", "cat", "shield")
    assert "sk-1" not in str(shield), "what may be a key is not shown"
    assert (await moderated(client, input=CAT, model="my/own"))["results"][0]["flagged"] is True
    assert (await client.post("/v1/shields", json={**made, "provider_shield_id": "dog"})).status == 409
    assert (await client.request("DELETE", "/v1/shields/bombs")).status == 409, "it is the run config's"
    assert (await client.request("DELETE", "/v1/shields/my/own")).status == 204
    assert (await client.get("/v1/shields/my/own")).status == 404


async def test_the_aliases_of_older_clients(client: Client) -> None:
    answer = await client.post("/v1/openai/v1/moderations", json={"input": BOMB})
    assert answer.json()["results"][0]["flagged"] is True
