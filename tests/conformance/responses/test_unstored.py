"""A response with `store: false` leaves nothing behind: no row, no line of a log, no file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.responses.asking import WEATHER, Asking
from tests.support.stacks import openai_at

SECRET = "quetzalcoatlus"
ASKED: dict[str, Any] = {
    "input": [{"role": "user", "content": f"The word is {SECRET}"}],
    "instructions": f"Keep {SECRET} to yourself",
    "metadata": {"word": SECRET},
    "prompt_cache_key": SECRET,
    "tools": [WEATHER],
    "include": ["reasoning.encrypted_content"],
}


def places(folder: Path) -> list[str]:
    """The files that have the word."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("store", [False, True])
async def test_nothing_of_an_unstored_response_is_kept(
    upstream: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture, store: bool
) -> None:
    """The same that is stored shows that this would find it."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiosqlite").setLevel(logging.DEBUG)
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        asking = Asking(served.client, upstream)
        answers = [
            says(SECRET),
            calls(("call_1", "get_weather", f'{{"city": "{SECRET}"}}')),
            says(SECRET, breaks="error"),
            says(SECRET, breaks="cut"),
        ]
        for said in answers:
            asking.says(said)
            made = [(await asking.streamed(store=store, **ASKED))[-1]["response"]]
            if not said.breaks:
                made.append(await asking.whole(store=store, **ASKED))
            for response in made:
                assert response["store"] is store
                got = await served.client.get(f"/v1/responses/{response['id']}")
                assert got.status == (200 if store else 404)
        listed = (await served.client.get("/v1/responses")).json()["data"]
        assert len(listed) == (6 if store else 0)
        assert bool(places(tmp_path)) is store
        completions = (await served.client.get("/v1/chat/completions")).json()["data"]
        assert completions == []
    assert bool(places(tmp_path)) is store
    assert SECRET not in caplog.text


async def test_an_unstored_response_cannot_be_continued_by_its_id(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        asking = Asking(served.client, upstream)
        response = await asking.whole(store=False)
        refused = await asking.refused({"input": "Go on", "previous_response_id": response["id"]})
        assert (refused["status"], refused["param"]) == (404, "previous_response_id")
        assert response["id"] in refused["message"]


async def test_what_was_not_stored_is_continued_by_its_items(upstream: Upstream, tmp_path: Path) -> None:
    """With the thoughts, which the caller keeps and cannot read."""
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        asking = Asking(served.client, upstream)
        asked = {"store": False, "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}
        first = await asking.whole("Tell", **asked)
        sealed = [{**item, "content": None} for item in first["output"] if item["type"] == "reasoning"]
        assert sealed and all(item["encrypted_content"] for item in sealed)
        message = first["output"][1]
        script = asking.says(says("ok"))
        await asking.whole([{"role": "user", "content": "Tell"}, *sealed, message, {"role": "user", "content": "On"}])
        thought = first["output"][0]["content"][0]["text"]
        assert script.asked[0]["messages"][1]["reasoning_content"] == thought
