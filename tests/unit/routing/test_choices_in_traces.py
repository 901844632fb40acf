"""What the server chooses where a request names none of several, and what guardrails do, is in the trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from runtime.telemetry import conventions as names
from tests.support.shields import WORDS, shields, with_words
from tests.support.stacks import openai_at
from tests.support.tool_groups import furnish_tools, group, toolbox
from tests.unit.telemetry._seen import Exported

COUNTED = {"metrics": True}
MEMORY = [{"provider_id": name, "provider_type": "inline::faiss"} for name in ("one", "two")]


async def said(served: Served, path: str, body: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What the spans of a request say was chosen and was changed."""
    exported = await Exported.of(served.stack)
    answer = await served.client.post(path, json=body)
    assert answer.status == 200, answer.body
    spans = await exported.spans()
    chosen, changed = (
        [words for span in spans for words in span.attributes.get(name, ())]  # type: ignore[union-attr]  # lists
        for name in (names.CHOSEN, names.CHANGED)
    )
    return chosen, changed


async def test_a_shield_that_was_not_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_words(monkeypatch)
    for known, told in (
        ({"bombs": "bomb", "guns": "gun"}, ["shield `bombs`: the usual one of this server, since none was named"]),
        ({"bombs": "bomb"}, []),
    ):
        run = run_config(
            providers={"safety": [WORDS]},
            registered_resources=shields(**known),
            safety={"default_shield_id": "bombs"},
            telemetry=COUNTED,
        )
        async with serving(run, tmp_path / str(len(known))) as served:
            assert (await said(served, "/v1/moderations", {"input": "hi"}))[0] == told
            assert (await said(served, "/v1/moderations", {"input": "hi", "model": "bombs"}))[0] == []


async def test_guardrails_of_the_server_and_what_they_stop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream
) -> None:
    with_words(monkeypatch)
    run = run_config(
        providers={"inference": [openai_at(upstream.url)], "safety": [WORDS]},
        registered_resources=shields(bombs="bomb"),
        safety={"guardrails": {"input": ["bombs"]}},
        telemetry=COUNTED,
    )
    own = ["guardrails `bombs`: this server's own, which every request goes through"]
    async with serving(run, tmp_path) as served:
        for text, changed in (
            ("hi", []),
            ("a bomb", ["the shield `bombs` stopped the request: a refusal stands in its place"]),
        ):
            asked = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": text}]}
            assert await said(served, "/v1/chat/completions", asked) == (own, changed)


async def test_the_group_of_a_tool_that_was_named_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    furnish_tools(monkeypatch)
    groups = [group("weather", own="w"), group("news", own="n")]
    run = run_config(
        providers={"tool_runtime": [toolbox(w=["forecast"], n=["headlines"])]},
        registered_resources={"tool_groups": groups},
        telemetry=COUNTED,
    )
    async with serving(run, tmp_path) as served:
        asked = {"tool_name": "forecast", "kwargs": {"query": "x"}}
        assert (await said(served, "/v1/tool-runtime/invoke", asked))[0] == [
            "tool group `weather`: of 2, it alone has a tool of that name"
        ]
        named = {**asked, "toolgroup_id": "weather"}
        assert (await said(served, "/v1/tool-runtime/invoke", named))[0] == []


async def test_the_provider_of_a_store_that_names_none(tmp_path: Path, upstream: Upstream) -> None:
    for default, told in (
        (None, "provider `one` of 2 for the vectors: the first of the run config, since none was named"),
        ("two", "provider `two` of 2 for the vectors: the run config's default, since none was named"),
    ):
        settings = {"default_embedding_model": {"provider_id": "vendor", "model_id": EMBEDDING_MODEL}}
        run = run_config(
            providers={"inference": [openai_at(upstream.url)], "vector_io": MEMORY},
            vector_stores={**settings, **({"default_provider_id": default} if default else {})},
            telemetry=COUNTED,
        )
        async with serving(run, tmp_path / str(default)) as served:
            assert (await said(served, "/v1/vector_stores", {"name": "a"}))[0] == [told]
            assert (await said(served, "/v1/vector_stores", {"name": "a", "provider_id": "two"}))[0] == []
