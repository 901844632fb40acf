"""A stack that is opened by need: what only comes by default is made when it is asked for, and answers as if it had
been there all the time.
"""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from runtime import discovery
from runtime.config.run_config import RunConfig
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.conformance.stacks import serving as serving_whole
from runtime.conformance.upstream import Upstream
from runtime.context import RequestContext, current
from runtime.context import serving as acting
from runtime.errors import Unavailable
from runtime.server.app import routed
from runtime.server.by_need import Table
from runtime.server.doors import Doors
from runtime.server.ongoing import Ongoing
from runtime.server.served import Served as ServedPaths
from runtime.stack import stack as stack_module
from runtime.stack.at_once import made_at_once
from runtime.stack.kinds import Kinds
from runtime.stack.plan import plan
from runtime.stack.stack import Stack
from runtime.stack.supervisor import Supervisor
from tests.support import house
from tests.support.house import furnish, probe_spec
from tests.support.stacks import openai_at, serving

LIMIT_S = 20.0
_FIELD = re.compile(r"{\w+(:path)?}")
DEFAULTS = {
    "agents", "connectors", "containers", "conversations", "earlier_inference", "mcp", "prompts", "responses",
    "synthetic_data_generation",
}  # fmt: skip


@pytest.fixture
def run(upstream: Upstream) -> RunConfig:
    return run_config(openai_at(upstream.url))


def table_of(stack: Stack) -> Table:
    return Table(ServedPaths(stack, Doors(stack.plan.apis.values()), Ongoing()).paths)


async def test_what_the_user_chose_is_made_and_the_rest_waits(run: RunConfig, tmp_path: Path) -> None:
    async with serving(run, tmp_path) as served:
        assert served.stack.plan.apis.keys() - served.stack.mounted().keys() == DEFAULTS
        assert not served.stack.is_whole
        assert (await served.client.get("/v1/models")).status == 200
        assert (await served.client.get("/v1/health")).status == 200
        assert not served.stack.is_whole
        assert (await served.client.get("/v1/prompts")).json()["data"] == []
        assert served.stack.is_whole and served.stack.mounted() == served.stack.plan.apis


async def test_no_path_of_what_waits_is_taken_for_one_of_what_is_there(run: RunConfig, tmp_path: Path) -> None:
    async with serving(run, tmp_path) as served:
        table, waiting = table_of(served.stack), 0
        for route in served.stack.routes():
            if route.method in ("WS", "ANY"):
                continue
            found = table.find(route.method, _FIELD.sub(lambda field: "a/b" if field[1] else "a", route.route))
            assert (found is not None) == (route.api in served.stack.mounted()), route.route
            waiting += found is None
        assert waiting > 50


async def test_a_plain_path_is_found_as_litestar_finds_it(run: RunConfig, tmp_path: Path) -> None:
    async with serving_whole(run, tmp_path) as served:
        table = table_of(served.stack)
        seen: list[Any] = []

        async def note(scope: Any, receive: Any, send: Any) -> None:
            seen.append((scope["path_template"], dict(scope["path_params"])))
            raise Unavailable("it is only to be found")

        doors = Doors(served.stack.plan.apis.values())
        paths = ServedPaths(served.stack, doors, Ongoing())
        paths.serve = note  # type: ignore[method-assign, assignment]
        client = Client(routed(served.stack, paths, doors))
        for route in served.stack.routes():
            if route.method in ("WS", "ANY"):
                continue
            for value in ("a", "a b", "ä", "a:b"):
                path = _FIELD.sub(lambda field, value=value: f"{value}/c" if field[1] else value, route.route)  # type: ignore[misc]
                assert (await client.request(route.method, quote(path))).status == 503, path
                assert table.find(route.method, path) == seen.pop(), path


async def test_every_route_answers_as_in_a_stack_that_was_whole(run: RunConfig, tmp_path: Path) -> None:
    """With a body that no route takes, or nothing: each answers for itself, and only the ids differ."""

    async def answers(client: Any, routes: list[Any]) -> list[tuple[str, int, Any]]:
        found = []
        for route in routes:
            if route.method in ("GET", "DELETE"):
                answer = await client.request(route.method, _FIELD.sub("none", route.route))
            elif route.method in ("POST", "PUT", "PATCH"):
                answer = await client.request(route.method, _FIELD.sub("none", route.route), body=b"[]")
            else:
                continue
            error = answer.json().get("error") if answer.status >= 400 else None
            found.append((f"{route.method} {route.route}", answer.status, error))
        return found

    async with serving_whole(run, tmp_path / "whole") as whole:
        routes = whole.stack.routes()
        expected = await answers(whole.client, routes)
    async with serving(run, tmp_path / "by need") as served:
        # What waits comes first: it must not matter what has been asked before.
        assert await answers(served.client, routes) == expected


async def test_an_unknown_path_is_refused_with_what_it_may_mean(run: RunConfig, tmp_path: Path) -> None:
    async with serving(run, tmp_path) as served:
        answer = await served.client.get("/v1/respones")
        assert answer.status == 404 and "/v1/responses" in answer.error["message"]


async def test_what_waits_is_imported_beside_the_event_loop(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a second, and the loop may be a program's own; nobody need have asked."""
    first: dict[str, threading.Thread] = {}
    load = discovery.load

    def noted(name: str, **facts: Any) -> Any:
        first.setdefault(facts["package"] + name, threading.current_thread())
        return load(name, **facts)

    async with serving(run, tmp_path) as served:
        monkeypatch.setattr(discovery, "load", noted)
        await served.stack.complete()
        assert first and threading.current_thread() not in first.values()


async def test_many_who_ask_at_once_have_it_made_once(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    construct = Stack._construct

    def counted(stack: Stack, planned: Any) -> None:
        made.append(planned.api)
        construct(stack, planned)

    monkeypatch.setattr(Stack, "_construct", counted)
    async with serving(run, tmp_path) as served:
        answers = await asyncio.gather(*(served.client.get("/v1/conversations/none") for _ in range(20)))
        assert {answer.status for answer in answers} == {404}
        assert sorted(made) == sorted({*made})


async def test_what_one_request_has_made_is_not_of_that_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: RunConfig
) -> None:
    seen: list[Any] = []
    make = Stack._make

    async def noted(stack: Stack, names: Any) -> None:
        seen.append(current().request_id)
        await make(stack, names)

    stack = Stack(plan(run), run, state_dir=tmp_path)
    await stack.open(by_need=True)
    monkeypatch.setattr(Stack, "_make", noted)
    with acting(RequestContext(request_id="req_of_somebody")):
        await stack.complete()
    await stack.close()
    assert seen and "req_of_somebody" not in seen


async def test_listing_the_providers_makes_and_starts_them_all(run: RunConfig, tmp_path: Path) -> None:
    async with serving(run, tmp_path) as served:
        listed = (await served.client.get("/v1/providers")).json()["data"]
        assert {info["health"]["status"] for info in listed} == {"OK"}, "none is still starting"
        assert {info["api"] for info in listed} == {planned.api for planned in served.stack.plan.providers}
        assert served.stack.is_whole


async def test_it_is_completed_although_nobody_asks(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that were left wait for their providers."""
    monkeypatch.setattr(stack_module, "COMPLETE_AFTER_S", 0.0)
    async with serving(run, tmp_path) as served, asyncio.timeout(LIMIT_S):
        while not served.stack.is_whole:
            await asyncio.sleep(0)


async def test_storage_that_cannot_be_read_is_an_error_of_the_request_and_it_is_tried_again(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Stack._make

    async def fail(stack: Stack, names: Any) -> None:
        raise Unavailable("the database is down")

    async with serving(run, tmp_path) as served:
        monkeypatch.setattr(Stack, "_make", fail)
        assert (await served.client.get("/v1/prompts")).status == 503
        assert (await served.client.get("/v1/models")).status == 200
        monkeypatch.setattr(Stack, "_make", make)
        assert (await served.client.get("/v1/prompts")).status == 200


async def test_what_is_made_later_is_started_and_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    house.LateStart.steps.clear()
    furnish(monkeypatch, [probe_spec("late", "LateStart")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::late"}]})
    monkeypatch.setattr(stack_module, "made_at_once", lambda plan, run: frozenset({"inspect", "providers"}))
    async with serving(run, tmp_path) as served:
        assert house.LateStart.steps == []
        assert (await served.client.get("/v1/things/1")).status == 200
        async with asyncio.timeout(LIMIT_S):
            while "started" not in house.LateStart.steps:
                await asyncio.sleep(0)
    assert house.LateStart.steps == ["made", "started", "stopped"]


async def test_what_does_not_start_in_time_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: RunConfig
) -> None:
    async def never(_: Supervisor, *beside: Any) -> None:
        await asyncio.gather(*beside)
        await asyncio.Event().wait()

    async with serving(run, tmp_path) as served, asyncio.timeout(LIMIT_S):
        monkeypatch.setattr(Supervisor, "start", never)
        monkeypatch.setattr(stack_module, "STARTS_WITHIN_S", 0.0)
        assert (await served.client.get("/v1/prompts")).status == 200
        assert served.stack.is_whole


def test_what_is_used_by_what_was_chosen_is_made_at_once(upstream: Upstream) -> None:
    run = run_config(
        openai_at(upstream.url),
        providers={
            "inference": [openai_at(upstream.url)],
            "agents": [{"provider_id": "mine", "provider_type": "inline::builtin"}],
        },
    )
    at_once = made_at_once(plan(run), run)
    assert {"agents", "responses", "conversations", "inference", "models"} <= at_once
    assert "earlier_inference" not in at_once


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("vector_stores", {"vector_store_id": "mine", "embedding_model": "vendor/small-embed"}),
        ("connectors", {"connector_id": "mine", "url": "https://tools.example/mcp"}),
    ],
)
def test_what_has_resources_of_the_run_config_is_made_at_once(
    upstream: Upstream, kind: str, resource: dict[str, Any]
) -> None:
    """A vector store is made in the background: whoever asked for it first found none."""
    providers = {"vector_io": [{"provider_id": "v", "provider_type": "inline::sqlite-vec"}]}
    providers |= {"files": [{"provider_id": "f", "provider_type": "inline::localfs"}]}
    providers |= {"inference": [openai_at(upstream.url)]}
    run = run_config(providers=providers, registered_resources={kind: [resource]})
    assert kind in made_at_once(plan(run), run)
    without = run_config(providers=providers)
    assert kind not in made_at_once(plan(without), without)


def test_nothing_waits_where_what_is_old_is_to_be_removed(upstream: Upstream) -> None:
    run = run_config(
        openai_at(upstream.url),
        storage={"backends": {"kv_default": {"type": "kv_memory"}}, "retention": {"responses": "30d"}},
    )
    planned = plan(run)
    assert made_at_once(planned, run) == planned.apis.keys() | planned.inner_apis.keys()


async def test_what_is_being_made_when_the_stack_is_closed_is_closed_too(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever waits for it is told."""
    making, go_on = asyncio.Event(), asyncio.Event()
    made: list[str] = []
    open_kind, construct = Kinds.open, Stack._construct

    async def slowly(kinds: Kinds, *which: Any) -> Any:
        making.set()
        await go_on.wait()
        return await open_kind(kinds, *which)

    def counted(stack: Stack, planned: Any) -> None:
        made.append(planned.api)
        construct(stack, planned)

    stack = Stack(plan(run), run, state_dir=tmp_path)
    await stack.open(by_need=True)
    monkeypatch.setattr(Kinds, "open", slowly)
    monkeypatch.setattr(Stack, "_construct", counted)
    waits = asyncio.create_task(stack.complete())
    async with asyncio.timeout(LIMIT_S):
        await making.wait()
        await stack.close()
        go_on.set()
        with pytest.raises(Unavailable, match="closed"):
            await waits
        with pytest.raises(Unavailable, match="closed"):
            await stack.complete()
    assert made == []
