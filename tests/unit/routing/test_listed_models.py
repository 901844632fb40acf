"""What a provider lists, made fit for the table: odd and endless lists cost a note, never more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import Upstream
from runtime.provider import ListedModel
from runtime.routing import listed_models as listed_module
from runtime.routing.listed_models import usable
from tests.support.listing import furnish_listing, listing_provider
from tests.support.stacks import openai_at, serving

UNPRINTABLE = "with characters that cannot be printed"


def models(*names: Any) -> list[ListedModel]:
    return [ListedModel(provider_model_id=name) for name in names]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *[(name, "without a name") for name in ("", " ", "\n", None, 5, [], {})],
        *[(name, UNPRINTABLE) for name in ("a\nb", "a\x1b[2J", "\u202ea", "a\x00", "\ud800")],
        ("x" * 512, "with more than 512 characters"),
        ("x" * 1_000_000, "with more than 512 characters"),
    ],
)  # fmt: skip
def test_a_name_that_nobody_can_ask_for_is_left_out_and_counted(name: Any, fault: str) -> None:
    entries, note = usable("p", models("good", name, name, "é/b:c 😀"))
    assert [entry.provider_resource_id for entry in entries] == ["good", "é/b:c 😀"]
    assert note == f"models left out: 2 {fault}"


def test_a_name_that_comes_twice_is_one_model() -> None:
    entries, note = usable("p", models("a", "a", "b", "a"))
    assert ([entry.id for entry in entries], note) == (["p/a", "p/b"], "")


def test_an_endless_list_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_module, "MAX_MODELS", 3)
    looked_at = 0

    def endless() -> Any:
        nonlocal looked_at
        while True:
            looked_at += 1
            yield ListedModel(provider_model_id=f"m{looked_at}")

    entries, note = usable("p", endless())
    assert (len(entries), looked_at, note) == (3, 4, "models left out: all beyond the first 3")


@pytest.mark.parametrize("kind", [["llm"], 5, "painter", None])
def test_a_type_that_is_none_is_not_known(kind: Any) -> None:
    assert usable("p", [ListedModel(provider_model_id="a", model_type=kind)]).entries[0].kind == ""


async def test_what_was_left_out_is_said_in_health_and_in_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    furnish_listing(monkeypatch).lists["l"] = ["good", "", "bad\n"]
    async with serving(run_config(listing_provider("l")), tmp_path) as served:
        health = (await served.client.get("/v1/providers/l")).json()["health"]
        note = "models left out: 1 without a name, 1 " + UNPRINTABLE
        assert health == {"status": "OK", "state": "ready", "message": note, "since": None, "metrics": None}
        assert served.stack.degraded() == {}
        assert caplog.messages.count(note) == 1


ENTRY = {"id": "good", "object": "model"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"data": [ENTRY]}, ["good"]),
        ([ENTRY], ["good"]),
        ([], []),
        ({"models": [{"name": "good:latest", "model": "x"}]}, ["good:latest"]),
        ({"models": [{"model": "good"}]}, ["good"]),
        ({"models": []}, []),
        ({"data": None}, []),
        ({"models": None}, []),
        ({"data": None, "models": [ENTRY]}, ["good"]),
        ({"data": [{"id": 5, "name": "good"}, {"id": ""}, {"id": None}, 7, [], ENTRY]}, ["good"]),
        ({"data": [ENTRY] * 1000}, ["good"]),
    ],
)
async def test_a_list_of_any_known_shape_is_read(tmp_path: Path, upstream: Upstream, body: Any, expected: Any) -> None:
    async def lists(_: web.Request) -> web.StreamResponse:
        return web.json_response(body)

    upstream.misbehaves = lists
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        shown = (await served.client.get("/v1/models")).json()["data"]
        assert [model["provider_resource_id"] for model in shown] == expected
        assert served.stack.degraded() == {}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "no list of models"),
        (b'{"data": {"a": 1}}', "no list of models"),
        (b'{"models": "all"}', "no list of models"),
        (b"5", "no list of models"),
        (b"null", "no list of models"),
        (b"", "no JSON"),
        (b"<html>hello</html>", "no JSON"),
        (b"\x1f\x8b\x08\x00", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"data": [{"id": "\\ud800"}]}', "no JSON"),
        (b"[" + b" " * (33 << 20) + b"]", "more than 32 MiB"),
    ],
    ids=lambda given: str(given[:20]),
)  # fmt: skip
async def test_what_is_no_list_is_named(tmp_path: Path, upstream: Upstream, body: bytes, words: str) -> None:
    async def lists_nonsense(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    upstream.misbehaves = lists_nonsense
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert words in served.stack.degraded()["vendor"]
        assert (await served.client.get("/v1/models")).json()["data"] == []


async def test_a_list_of_a_hundred_thousand_is_cut_and_said(tmp_path: Path, upstream: Upstream) -> None:
    async def lists_many(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": f"m{number}"} for number in range(100_000)]})

    upstream.misbehaves = lists_many
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert len((await served.client.get("/v1/models")).json()["data"]) == listed_module.MAX_MODELS
        health = (await served.client.get("/v1/providers/vendor")).json()["health"]
        assert "all beyond the first 10000" in health["message"]
