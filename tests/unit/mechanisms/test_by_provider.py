"""An operation whose request names its provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.conformance.stacks import run_config
from tests.support.examples import echoes
from tests.support.mounting import mount
from tests.support.stacks import serving


def valleys(*ids: str) -> dict[str, object]:
    return {"inference": [], "echoes": [{"provider_id": one, "provider_type": "inline::valley"} for one in ids]}


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, echoes)


async def test_the_provider_that_a_request_names_answers_it(tmp_path: Path) -> None:
    async with serving(run_config(providers=valleys("north", "south")), tmp_path) as served:
        for valley in ("north", "south"):
            answer = await served.client.post("/v1/echoes", {"words": "hello", "provider_id": valley})
            assert answer.json() == {"valley": valley, "words": "hello"}
        answer = await served.client.post("/v1/echoes/again", {"words": "a b", "provider_id": "south"})
        assert [payload["words"] for payload in map(json.loads, answer.payloads())] == ["a", "b"]


async def test_without_a_name_there_has_to_be_one(tmp_path: Path) -> None:
    async with serving(run_config(providers=valleys("north", "south")), tmp_path) as served:
        for path in ("/v1/echoes", "/v1/echoes/again"):
            answer = await served.client.post(path, {"words": "hello"})
            assert (answer.status, answer.error["param"]) == (400, "provider_id")
            assert "`north`, `south`" in answer.error["message"]
    async with serving(run_config(providers=valleys("north")), tmp_path) as served:
        assert (await served.client.post("/v1/echoes", {"words": "hello"})).json()["valley"] == "north"


async def test_an_unknown_one_is_answered_with_those_like_it(tmp_path: Path) -> None:
    async with serving(run_config(providers=valleys("north", "south")), tmp_path) as served:
        answer = await served.client.post("/v1/echoes", {"words": "hello", "provider_id": "nort"})
        assert (answer.status, answer.error["code"]) == (404, "provider_not_found")
        assert "did you mean `north`?" in answer.error["message"]


async def test_one_that_is_off_is_answered_with_what_turns_it_on(tmp_path: Path) -> None:
    off = {"provider_id": "${env.SOUTH_URL:+south}", "provider_type": "inline::valley"}
    providers = {"inference": [], "echoes": [{"provider_id": "north", "provider_type": "inline::valley"}, off]}
    async with serving(run_config(providers=providers), tmp_path) as served:
        answer = await served.client.post("/v1/echoes", {"words": "hello", "provider_id": "south"})
        assert answer.status == 404
        assert "`south` is off: set SOUTH_URL" in answer.error["message"]
