"""Stacks carried out: what fails degrades alone, what is asked for is routed, and everything ends in order."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.apis.inference.protocol import ChatCompletionRequest, Inference
from runtime.conformance.stacks import adapter_of, run_config
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.errors import NotFound, Unavailable
from runtime.http.live.transport import LiveTransport
from runtime.http.transport import Transport
from runtime.provider import ListedModel
from runtime.stack import providers as providers_module
from runtime.stack.plan import plan
from runtime.stack.planned import PlannedProvider
from runtime.stack.stack import Stack
from tests.support import house
from tests.support.house import Prober, furnish, plain_spec, probe_spec
from tests.support.listing import Listing, listing_provider
from tests.support.stacks import openai_at, serving


def probing(provider_type: str = "inline::prober", provider_id: str = "p", **config: Any) -> dict[str, Any]:
    return {"probe": [{"provider_id": provider_id, "provider_type": provider_type, "config": config}]}


async def health(client: Any, provider_id: str) -> dict[str, Any]:
    info = (await client.get(f"/v1/providers/{provider_id}")).json()
    found: dict[str, Any] = info["health"]
    return found


async def test_a_provider_that_cannot_be_built_degrades_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream
) -> None:
    furnish(monkeypatch, [probe_spec("broken", "BrokenConstructor")])
    run = run_config(providers={**probing("inline::broken"), "inference": [openai_at(upstream.url)]})
    async with serving(run, tmp_path) as served:
        assert served.stack.degraded() == {"p": "`p` did not start: RuntimeError; the server's log says why"}
        with pytest.raises(Unavailable, match="`p` did not start"):
            await served.stack.api("probe").look(house.LookRequest(thing_id="1"))
        answer = await served.client.get("/v1/things/1")
        assert (answer.status, answer.error["code"]) == (503, "provider_unavailable")
        found = await health(served.client, "p")
        since = found.pop("since")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", since)
        assert re.search(rf"the server's log says why \(since {since}, \d+ seconds? ago\)$", answer.error["message"])
        assert found == {
            "status": "Error",
            "state": "degraded",
            "message": "`p` did not start: RuntimeError; the server's log says why",
            "metrics": None,
        }
        assert (await served.client.get("/v1/health")).status == 200
        assert (await served.client.get("/v1/models")).json()["data"]


async def test_a_provider_that_does_not_start_degrades_alone_and_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    house.BrokenStart.instances.clear()
    furnish(monkeypatch, [probe_spec("broken", "BrokenStart")])
    async with serving(run_config(providers=probing("inline::broken")), tmp_path) as served:
        answer = await served.client.get("/v1/things/1")
        assert answer.status == 503
        assert "the weights are corrupt" in answer.error["message"]
        assert (await health(served.client, "p"))["message"] == "the weights are corrupt (fetch them again)"
        (broken,) = house.BrokenStart.instances
        assert broken.stopped  # what it got as far as taking is given back now, not at the end


async def test_a_healthy_provider_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    furnish(monkeypatch, [probe_spec()])
    async with serving(run_config(providers=probing()), tmp_path) as served:
        assert await health(served.client, "p") == {
            "status": "OK",
            "state": "ready",
            "message": "probed",
            "since": None,
            "metrics": None,
        }


async def test_health_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(providers_module, "HEALTH_LIMIT_S", 0.01)
    furnish(monkeypatch, [probe_spec()])
    async with serving(run_config(providers=probing()), tmp_path) as served:
        adapter_of(served.stack, "probe").before_answer = asyncio.Event().wait
        assert (await health(served.client, "p"))["state"] == "degraded"


def test_the_bound_on_health_is_three_seconds() -> None:
    assert providers_module.HEALTH_LIMIT_S == 3.0


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (Unavailable("gone"), "gone"),
        (ValueError("a bug"), "`p` failed its health check: ValueError; the server's log says why"),
        (TimeoutError(), "no answer within 3 s"),
    ],
)
async def test_a_health_check_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception, message: str
) -> None:
    furnish(monkeypatch, [probe_spec()])
    async with serving(run_config(providers=probing()), tmp_path) as served:

        async def fail() -> None:
            raise failure

        adapter_of(served.stack, "probe").before_answer = fail
        assert (await health(served.client, "p"))["message"] == message


async def test_a_provider_that_is_still_starting_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    goes_on = asyncio.Event()

    class Slow(Prober):
        async def start(self) -> None:
            await goes_on.wait()

    monkeypatch.setattr(house, "Slow", Slow, raising=False)
    furnish(monkeypatch, [probe_spec("slow", "Slow")])
    async with serving(run_config(providers=probing("inline::slow")), tmp_path, settled=False) as served:
        assert (await health(served.client, "p"))["state"] == "starting"
        assert not served.stack.settled.is_set()
        goes_on.set()
        async with asyncio.timeout(5):
            await served.stack.settled.wait()
        assert (await health(served.client, "p"))["state"] == "ready"


async def test_required_providers_must_be_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = replace(plain_spec("other"), config="tests.support.house:ProbeConfig")
    furnish(monkeypatch, [probe_spec("broken", "BrokenConstructor"), other], plain=["other"])
    providers = {
        **probing("inline::broken", "bad"),
        "other": [{"provider_id": "good", "provider_type": "inline::only"}],
    }
    async with serving(run_config(providers=providers), tmp_path) as served:
        await served.stack.check_required(["good"])
        with pytest.raises(Unavailable, match=r"`bad`: `bad` did not start: RuntimeError"):
            await served.stack.check_required(["good", "bad"])


async def test_providers_end_in_reverse_order_and_a_failing_one_does_not_keep_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    class Ending(Prober):
        async def stop(self) -> None:
            ended.append(self.context.provider_id)
            if self.context.provider_id == "p-second":
                raise RuntimeError("will not go")

    monkeypatch.setattr(house, "Ending", Ending, raising=False)
    specs = [
        plain_spec(api, needs=needs) for api, needs in (("third", ("second",)), ("second", ("first",)), ("first", ()))
    ]
    specs = [
        spec.__class__(
            **{**vars(spec), "adapter": "tests.support.house:Ending", "config": "tests.support.house:ProbeConfig"}
        )
        for spec in specs
    ]
    furnish(monkeypatch, specs, plain=["first", "second", "third"])
    providers = {
        api: [{"provider_id": f"p-{api}", "provider_type": "inline::only"}] for api in ("third", "second", "first")
    }
    async with serving(run_config(providers=providers), tmp_path):
        pass
    assert ended == ["p-third", "p-second", "p-first"]
    assert [
        record.__dict__["provider_id"] for record in caplog.records if record.message == "provider did not stop cleanly"
    ] == ["p-second"]


async def test_background_work_ends_with_its_provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    furnish(monkeypatch, [probe_spec()])
    let_go = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            let_go.set()

    async with serving(run_config(providers=probing()), tmp_path) as served:
        adapter_of(served.stack, "probe").context.tasks.spawn(work(), name="work")
        await asyncio.sleep(0)
    assert let_go.is_set()


async def test_a_failure_in_the_background_is_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    furnish(monkeypatch, [probe_spec()])

    async def work() -> None:
        raise ValueError("lost")

    async with serving(run_config(providers=probing()), tmp_path) as served:
        adapter_of(served.stack, "probe").context.tasks.spawn(work(), name="work")
        while not caplog.records:
            await asyncio.sleep(0)
    (record,) = [record for record in caplog.records if record.message == "background task failed"]
    assert (record.__dict__["task"], record.levelno) == ("probe/p: work", logging.ERROR)


@pytest.mark.parametrize("apis", [["inference", "probe"], ["probe"]], ids=["mounted", "not mounted"])
async def test_a_provider_is_given_the_routed_api_that_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream, apis: list[str]
) -> None:
    furnish(monkeypatch, [probe_spec(needs=("inference",))])
    run = run_config(providers={**probing(), "inference": [openai_at(upstream.url)]}, apis=apis)
    async with serving(run, tmp_path) as served:
        assert ((await served.client.get("/v1/models")).status == 200) is ("inference" in apis)
        inference: Inference = adapter_of(served.stack, "probe").context.api(Inference)
        request = ChatCompletionRequest(model=CHAT_MODEL, messages=[{"role": "user", "content": "hi"}])
        answer: Any = await inference.chat_completion(request)
        assert answer.value()["model"] == CHAT_MODEL
        with pytest.raises(LookupError, match="asks for Probe, which its spec does not list"):
            adapter_of(served.stack, "probe").context.api(house.Probe)


async def test_what_may_be_used_and_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    furnish(monkeypatch, [probe_spec(may_use=("inference",))])
    run = run_config(providers=probing(), apis=["probe"])
    async with serving(run, tmp_path) as served:
        context = adapter_of(served.stack, "probe").context
        assert context.optional_api(Inference) is None
        with pytest.raises(LookupError, match="which its spec does not list so"):
            context.api(Inference)


async def test_secrets_of_a_config_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    furnish(monkeypatch, [probe_spec()])
    run = run_config(providers=probing(level=3, api_key="sk-hush", address="https://me:hush@host/x"))
    async with serving(run, tmp_path) as served:
        answer = await served.client.get("/v1/providers/p")
        assert answer.json()["config"] == {"level": 3, "api_key": "********", "address": "https://********@host/x"}
        assert b"hush" not in answer.body


async def test_an_alias_of_the_command_line_is_one_more_name(tmp_path: Path, upstream: Upstream) -> None:
    run = run_config(openai_at(upstream.url))
    aliases = {"gpt-4o-mini": f"vendor/{CHAT_MODEL}"}
    async with serving(run, tmp_path, aliases=aliases) as served:
        model = (await served.client.get("/v1/models/gpt-4o-mini")).json()
        assert model["provider_resource_id"] == CHAT_MODEL
        assert "gpt-4o-mini" in [one["id"] for one in (await served.client.get("/v1/models")).json()["data"]]


async def test_an_alias_of_nothing_stops_the_start_and_lets_go_of_everything(tmp_path: Path) -> None:
    run = run_config(persistent=True)
    stack = Stack(plan(run), run, state_dir=tmp_path, aliases={"mine": "nobody"})
    with pytest.raises(NotFound):
        await stack.open()
    assert stack._stores._open == {}  # closed, not left to the end of the process


async def test_a_network_is_replaced_for_a_provider_and_not_for_all_of_its_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    furnish(monkeypatch, [probe_spec()])
    run = run_config(providers={**probing(provider_id="openai"), "inference": [openai_at("http://x/v1", "openai")]})
    given: list[tuple[str, str]] = []

    def transport(planned: PlannedProvider) -> Transport:
        given.append((planned.api, planned.provider_id))
        return LiveTransport(planned.provider_id)

    stack = Stack(plan(run), run, state_dir=tmp_path, transport=transport)
    await stack.open()
    await stack.close()
    assert {("probe", "openai"), ("inference", "openai")} <= set(given)


async def test_a_registration_survives_a_restart(tmp_path: Path, upstream: Upstream) -> None:
    run = run_config(openai_at(upstream.url), persistent=True)
    body = {"model_id": "mine", "provider_id": "vendor", "provider_model_id": CHAT_MODEL, "metadata": {"note": "é"}}
    async with serving(run, tmp_path) as served:
        first = await served.client.post("/v1/models", body)
        assert first.status == 200
    async with serving(run, tmp_path) as served:
        assert (await served.client.get("/v1/models/mine")).json() == first.json()
        chat = {"model": "mine", "messages": [{"role": "user", "content": "hi"}]}
        assert (await served.client.post("/v1/chat/completions", chat)).json()["model"] == "mine"
        assert (await served.client.request("DELETE", "/v1/models/mine")).status == 204
    async with serving(run, tmp_path) as served:
        assert (await served.client.get("/v1/models/mine")).status == 404


async def test_the_run_config_takes_over_a_name_that_was_registered(tmp_path: Path, upstream: Upstream) -> None:
    providers = [openai_at(upstream.url, "a"), openai_at(upstream.url, "b")]
    async with serving(run_config(*providers, persistent=True), tmp_path) as served:
        await served.client.post(
            "/v1/models", {"model_id": "mine", "provider_id": "a", "provider_model_id": CHAT_MODEL}
        )
    models = [{"model_id": "mine", "provider_id": "b", "provider_model_id": CHAT_MODEL}]
    async with serving(run_config(*providers, models=models, persistent=True), tmp_path) as served:
        assert (await served.client.get("/v1/models/mine")).json()["provider_id"] == "b"


async def test_routes_name_the_provider_types_behind_them(tmp_path: Path, upstream: Upstream) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        routes = (await served.client.get("/v1/inspect/routes")).json()["data"]
        assert {
            "route": "/v1/models",
            "method": "GET",
            "provider_types": ["remote::openai"],
            "api": "models",
            "deprecated": False,
        } in routes
        assert not any(route["deprecated"] for route in routes)
        older = (await served.client.get("/v1/inspect/routes?api_filter=deprecated")).json()["data"]
        assert "/v1/openai/v1/chat/completions" in [route["route"] for route in older]
        alpha = (await served.client.get("/v1/inspect/routes?api_filter=v1alpha")).json()["data"]
        assert alpha and all(route["route"].startswith("/v1alpha/") for route in alpha)


async def test_a_provider_that_cannot_list_does_not_keep_the_others_from_it(
    listing: type[Listing], tmp_path: Path, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    listing.lists["bad"] = ValueError("a bug in a provider")
    run = run_config(listing_provider("bad"), openai_at(upstream.url))
    async with serving(run, tmp_path) as served:
        assert [one["provider_id"] for one in (await served.client.get("/v1/models")).json()["data"]] == [
            "vendor",
            "vendor",
        ]
        assert served.stack.degraded() == {
            "bad": "`bad` did not list its models: ValueError; the server's log says why"
        }
    assert "provider degraded" in caplog.messages


async def test_a_name_nobody_listed_asks_its_provider_once(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists["l"] = ["known"]
    run = run_config(listing_provider("l"))
    async with serving(run, tmp_path) as served:
        listing.asked.clear()
        answers = await asyncio.gather(*(served.client.get("/v1/models/l/knwn") for _ in range(20)))
        assert [answer.status for answer in answers] == [404] * 20
        assert answers[0].error["message"].endswith("did you mean `l/known`?")
        assert listing.asked == {"l": 1}


async def test_a_model_that_is_new_at_its_provider_is_found_at_once(listing: type[Listing], tmp_path: Path) -> None:
    run = run_config(listing_provider("l"))
    async with serving(run, tmp_path) as served:
        listing.lists["l"] = [ListedModel(provider_model_id="new", metadata={"n": 1})]
        assert (await served.client.get("/v1/models/l/new")).json()["metadata"] == {"n": 1}


async def test_a_provider_that_lists_nothing_is_taken_at_its_name(listing: type[Listing], tmp_path: Path) -> None:
    async with serving(run_config(listing_provider("l")), tmp_path) as served:
        assert (await served.client.get("/v1/models/l/any/thing")).json()["provider_resource_id"] == "any/thing"
