"""Nothing ends the start or the listings for good: a provider's failure, garbage or silence is its own, it is said with
its reason for as long as it lasts, and goes away by itself.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.access import EVERYBODY
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream, refusal
from runtime.context import current
from runtime.errors import Unavailable
from runtime.provider import ListedModel, unhealthy
from runtime.server import closing
from runtime.spec import inline
from runtime.stack import failures
from runtime.stack import listings as listings_module
from runtime.stack import providers as providers_module
from runtime.storage.jobs import runner as jobs_runner
from tests.support import house
from tests.support.house import Prober, furnish, probe_spec
from tests.support.listing import Listing, furnish_listing, listing_provider, until
from tests.support.stacks import openai_at, table_of

SOON = {"server": {"registry_refresh_interval_seconds": 0.02}}


async def health(served: Served, provider_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await served.client.get(f"/v1/providers/{provider_id}")).json()["health"]
    return found


async def listed(served: Served) -> list[str]:
    return [model["id"] for model in (await served.client.get("/v1/models")).json()["data"]]


GARBAGE = {
    "a bug": ValueError("at postgres://me:hush@db/x"),
    "nothing": None,
    "a number": 5,
    "no models": ["good", {"id": "no-model"}],
    "no text": [ListedModel(provider_model_id=5)],  # type: ignore[arg-type]
    "no facts": [ListedModel(provider_model_id="a", metadata={"x": object()})],
    "cancels itself": asyncio.CancelledError(),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("kind", ["inline", "remote"])
async def test_one_provider_s_garbage_is_its_own_trouble(
    listing: type[Listing], tmp_path: Path, kind: str, garbage: Any
) -> None:
    listing.lists.update(bad=garbage, good=["m"])
    run = run_config(listing_provider("bad", kind), listing_provider("good", kind), **SOON)
    async with asyncio.timeout(10), serving(run, tmp_path) as served:
        assert "good/m" in await listed(served)
        if garbage is not GARBAGE["no text"]:  # of a list, only what has no name is left out
            reason = served.stack.degraded()["bad"]
            assert "did not list its models" in reason and "hush" not in reason
            found = await health(served, "bad")
            assert (found["state"], found["message"]) == ("degraded", reason)
        listing.lists.update(bad=["new"], good=["m", "n"])
        await until(lambda: served.stack.degraded() == {})
        await until(lambda: table_of(served.stack).find("good/n", EVERYBODY))
        assert "bad/new" in await listed(served)
        assert (await health(served, "bad"))["state"] == "ready"


async def test_each_change_of_a_provider_s_trouble_is_told_once(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists.update(bad=Unavailable("gone"))
    seen: list[dict[str, str]] = []
    async with asyncio.timeout(10), serving(run_config(listing_provider("bad", "remote"), **SOON), tmp_path) as served:
        served.stack.on_change = lambda: seen.append(served.stack.degraded())
        asked = listing.asked["bad"]
        await until(lambda: listing.asked["bad"] > asked + 3)
        assert seen == [], "it is in the same trouble as before"
        listing.lists.update(bad=["m"])
        await until(lambda: served.stack.degraded() == {})
        assert seen == [{}]
        listing.lists.update(bad=Unavailable("gone again"))
        await until(lambda: "bad" in served.stack.degraded())
        assert ["gone again" in reasons.get("bad", "") for reasons in seen] == [False, True]


async def test_a_provider_that_never_lists_delays_nobody_for_ever(
    listing: type[Listing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers_module, "LISTING_LIMIT_S", 0.1)

    async def takes_no_notice() -> None:
        while True:
            try:
                await let_go.wait()
                return
            except asyncio.CancelledError:
                continue

    let_go = asyncio.Event()
    listing.before_list["stuck"] = takes_no_notice
    listing.lists["good"] = ["m"]
    run = run_config(listing_provider("stuck", "remote"), listing_provider("good", "remote"), **SOON)
    try:
        async with asyncio.timeout(10), serving(run, tmp_path) as served:
            assert "did not list its models in" in served.stack.degraded()["stuck"]
            asked = listing.asked["good"]
            await until(lambda: listing.asked["good"] > asked + 3)
            let_go.set()
            del listing.before_list["stuck"]
            await until(lambda: served.stack.degraded() == {})
    finally:
        let_go.set()


async def test_a_start_that_cancels_itself_is_a_failure_like_any_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Cancelling(Prober):
        async def start(self) -> None:
            raise asyncio.CancelledError

    monkeypatch.setattr(house, "Cancelling", Cancelling, raising=False)
    listing = furnish_listing(monkeypatch, probe_spec("cancelling", "Cancelling"))
    listing.lists["good"] = ["m"]
    providers = {
        "probe": [{"provider_id": "p", "provider_type": "inline::cancelling"}],
        "inference": [listing_provider("good")],
    }
    async with asyncio.timeout(10), serving(run_config(providers=providers, **SOON), tmp_path) as served:
        assert "`p` did not start" in served.stack.degraded()["p"]
        listing.lists["good"] = ["n"]
        await until(lambda: table_of(served.stack).find("good/n", EVERYBODY))


async def test_a_stack_is_settled_when_all_have_started_although_a_bug_ends_a_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    class Slow(Prober):
        async def start(self) -> None:
            begun.set()
            await may_end.wait()

    async def broken(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(house, "Slow", Slow, raising=False)
    monkeypatch.setattr(listings_module.ProviderListings, "ask_all_first", broken)
    furnish(monkeypatch, [probe_spec("slow", "Slow")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::slow"}], "inference": []})
    async with asyncio.timeout(10), serving(run, tmp_path, settled=False) as served:
        await begun.wait()
        for _ in range(20):  # turns of the loop, in which the list has failed
            await asyncio.sleep(0)
        assert not served.stack.settled.is_set()
        may_end.set()
        await served.stack.settled.wait()
        assert "part of the start failed" in caplog.text


async def test_a_start_without_an_end_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream
) -> None:
    class Endless(Prober):
        async def start(self) -> None:
            await asyncio.Event().wait()

    async def down(_: web.Request) -> web.StreamResponse:
        return refusal(503, "starting up")

    monkeypatch.setattr(house, "Endless", Endless, raising=False)
    monkeypatch.setattr(providers_module, "START_LIMIT_S", 0.3)
    furnish_listing(monkeypatch, probe_spec("endless", "Endless"))
    providers = {
        "probe": [{"provider_id": "p", "provider_type": "inline::endless"}],
        "inference": [openai_at(upstream.url)],
    }
    upstream.misbehaves = down
    run = run_config(providers=providers, **SOON)
    async with asyncio.timeout(10), serving(run, tmp_path, settled=False) as served:
        await until(lambda: "vendor" in served.stack.degraded())
        upstream.misbehaves = None
        await until(lambda: served.stack.degraded() == {})  # looked after while the other still starts
        assert not served.stack.settled.is_set()
        await served.stack.settled.wait()
        assert "`p` did not start within" in served.stack.degraded()["p"]


async def test_an_alias_that_becomes_ambiguous_ends_nothing(listing: type[Listing], tmp_path: Path) -> None:
    run = run_config(listing_provider("a", "remote"), listing_provider("b", "remote"), **SOON)
    listing.lists.update(a=["shared"], b=["shared"])
    async with asyncio.timeout(10), serving(run, tmp_path, aliases={"mine": "shared"}) as served:
        refused = await served.client.get("/v1/models/mine")
        assert (refused.status, refused.error["code"]) == (400, "model_ambiguous")
        listing.lists["b"] = ["other"]
        await until(lambda: table_of(served.stack).find("mine", EVERYBODY))
        assert (await served.client.get("/v1/models/mine")).json()["provider_id"] == "a"


async def test_an_upstream_that_is_lost_after_the_start_is_told_until_it_is_back(
    upstream: Upstream, tmp_path: Path
) -> None:
    async def lost(_: web.Request) -> web.StreamResponse:
        return refusal(500, "out of order")

    async with asyncio.timeout(10), serving(run_config(openai_at(upstream.url), **SOON), tmp_path) as served:
        assert served.stack.degraded() == {}
        upstream.misbehaves = lost
        await until(lambda: "out of order" in served.stack.degraded().get("vendor", ""))
        assert (await health(served, "vendor"))["state"] == "degraded"
        assert await listed(served)  # what it last listed stays
        upstream.misbehaves = None
        await until(lambda: served.stack.degraded() == {})


async def test_an_upstream_in_the_house_is_looked_at_without_a_call(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path
) -> None:
    monkeypatch.setattr(listings_module, "_RETRY_S", 0.01)
    monkeypatch.setattr(listings_module, "_HEALTH_INTERVAL_S", 0.02)
    async with asyncio.timeout(10), serving(run_config(openai_at(upstream.url)), tmp_path) as served:

        async def lost(_: web.Request) -> web.StreamResponse:
            return refusal(500, "out of order")

        upstream.misbehaves = lost
        await until(lambda: "vendor" in served.stack.degraded())


async def test_a_call_that_fails_has_its_provider_looked_at(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path
) -> None:
    """Without a look at the vendor every minute."""
    monkeypatch.setattr(listings_module, "_RETRY_S", 0.01)
    async with asyncio.timeout(10), serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        listings = len(upstream.calls("/models"))

        async def hangs_up(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

        upstream.misbehaves = hangs_up
        asked = {"model": f"vendor/{CHAT_MODEL}", "messages": [{"role": "user", "content": "hi"}]}
        assert (await served.client.post("/v1/chat/completions", asked)).status == 502
        await until(lambda: "vendor" in served.stack.degraded())
        upstream.misbehaves = None
        await until(lambda: served.stack.degraded() == {})
        assert len(upstream.calls("/models")) > listings


async def test_health_that_is_lost_after_the_start_is_told_until_it_is_back(
    listing: type[Listing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings_module, "_HEALTH_INTERVAL_S", 0.01)
    monkeypatch.setattr(listings_module, "_RETRY_S", 0.01)
    run = run_config(listing_provider("l"), server={"registry_refresh_interval_seconds": 1000})
    async with asyncio.timeout(10), serving(run, tmp_path) as served:
        for failure in (unhealthy("the disk is full"), RuntimeError("hush")):
            listing.healths["l"] = failure
            await until(lambda: "l" in served.stack.degraded())
            assert "hush" not in served.stack.degraded()["l"]
            del listing.healths["l"]
            await until(lambda: served.stack.degraded() == {})


async def test_an_upstream_that_is_down_at_the_start_is_degraded_and_recovers_by_itself(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_: web.Request) -> web.StreamResponse:
        return refusal(503, "starting up")

    monkeypatch.setattr(listings_module, "_RETRY_S", 0.01)
    upstream.misbehaves = down
    async with asyncio.timeout(10), serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert "starting up" in served.stack.degraded()["vendor"]
        upstream.misbehaves = None
        await until(lambda: served.stack.degraded() == {})
        assert f"vendor/{CHAT_MODEL}" in await listed(served)


async def test_a_provider_that_waits_for_keys_is_not_degraded(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url, api_key="")), tmp_path) as served:
        assert (await health(served, "vendor"))["state"] == "needs-key"
        assert served.stack.degraded() == {}


async def test_looking_after_a_provider_survives_bugs_of_ours(
    listing: type[Listing], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [RuntimeError("a bug"), RuntimeError("another")]
    ask = providers_module.RunningProvider.ask

    async def asks(self: Any) -> None:
        if served_once.is_set() and fails:
            raise fails.pop()
        await ask(self)

    served_once = asyncio.Event()
    monkeypatch.setattr(providers_module.RunningProvider, "ask", asks)
    async with asyncio.timeout(10), serving(run_config(listing_provider("l"), **SOON), tmp_path) as served:
        served_once.set()
        listing.lists["l"] = ["late"]
        await until(lambda: table_of(served.stack).find("l/late", EVERYBODY))
        assert fails == []


async def test_unknown_names_do_not_multiply_calls_upstream(listing: type[Listing], tmp_path: Path) -> None:
    listing.lists.update(a=["m"], b=["m"])
    run = run_config(listing_provider("a", "remote"), listing_provider("b", "remote"))
    async with serving(run, tmp_path) as served:
        listing.asked.clear()
        names = [f"{provider}/{name}" for provider in ("a", "b", "nobody") for name in range(30)]
        answers = await asyncio.gather(*(served.client.get(f"/v1/models/{name}") for name in names))
        assert {answer.status for answer in answers} == {404}
        assert listing.asked == {"a": 1, "b": 1}


async def test_one_listing_at_a_time_whoever_asks(upstream: Upstream, tmp_path: Path) -> None:
    at_once, most, goes_on = 0, 0, asyncio.Event()

    async def slow(_: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await goes_on.wait()
        at_once -= 1
        return web.json_response({"data": [{"id": CHAT_MODEL}]})

    upstream.misbehaves = slow
    async with serving(run_config(openai_at(upstream.url)), tmp_path, settled=False) as served:
        asking = [asyncio.create_task(served.client.get(f"/v1/models/vendor/{number}")) for number in range(10)]
        await until(lambda: at_once)
        goes_on.set()
        await asyncio.gather(*asking)
        assert most == 1


@pytest.mark.parametrize("holds_on", ["stop", "task"])
async def test_a_provider_that_does_not_let_go_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, holds_on: str
) -> None:
    let_go, stopped = asyncio.Event(), asyncio.Event()

    class Clinging(Prober):
        async def start(self) -> None:
            self.context.tasks.spawn(self.work(), name="work")
            await asyncio.sleep(0)
            raise RuntimeError("no start")

        async def work(self) -> None:
            while holds_on == "task" and not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue

        async def stop(self) -> None:
            stopped.set()
            if holds_on == "stop":
                await let_go.wait()

    monkeypatch.setattr(house, "Clinging", Clinging, raising=False)
    monkeypatch.setattr(providers_module, "STOP_LIMIT_S", 0.1)
    furnish_listing(monkeypatch, probe_spec("clinging", "Clinging"))
    providers = {"probe": [{"provider_id": "p", "provider_type": "inline::clinging"}]}
    try:
        async with asyncio.timeout(10), serving(run_config(providers=providers, **SOON), tmp_path) as served:
            assert "`p` did not start" in served.stack.degraded()["p"]
            assert stopped.is_set()
    finally:
        let_go.set()


async def test_a_stack_that_closes_while_a_provider_is_given_up_stops_it_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ending, stopped = asyncio.Event(), asyncio.Event()

    class Busy(Prober):
        async def start(self) -> None:
            self.context.tasks.spawn(self.work(), name="work")
            await asyncio.sleep(0)
            raise RuntimeError("no start")

        async def work(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await asyncio.to_thread(lambda: None)

        async def stop(self) -> None:
            assert not stopped.is_set(), "stopped twice"
            stopped.set()

    monkeypatch.setattr(house, "Busy", Busy, raising=False)
    furnish(monkeypatch, [probe_spec("busy", "Busy")])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::busy"}], "inference": []})
    async with asyncio.timeout(10), serving(run, tmp_path, settled=False):
        await ending.wait()
    assert stopped.is_set()


async def test_a_list_is_asked_for_in_nobody_s_name(listing: type[Listing], tmp_path: Path) -> None:
    """It is everybody's: the key of the caller whose unknown name made us ask must not decide what is on it."""
    brought: list[Any] = []

    async def look() -> None:
        brought.append((current().is_serving, dict(current().provider_data)))

    async with serving(run_config(listing_provider("l", "remote")), tmp_path) as served:
        listing.before_list["l"] = look
        keys = {"x-llamastack-provider-data": '{"l_api_key": "sk-of-one-caller"}'}
        await served.client.get("/v1/models/l/new", headers=keys)
    assert brought == [(False, {})]


async def test_a_provider_that_was_stopped_is_not_ready(listing: type[Listing], tmp_path: Path) -> None:
    async with serving(run_config(listing_provider("l")), tmp_path) as served:
        stack = served.stack
    assert {(info.health.state, info.health.message) for info in await stack.provider_infos()} == {
        ("degraded", "it has been stopped")
    }


class LateStart(Prober):
    """Starts at its third try."""

    tries = 0

    async def start(self) -> None:
        type(self).tries += 1
        if self.tries < 3:
            raise Unavailable(f"no database at try {self.tries}")


class LateConstructor(Prober):
    """Can be made at the third try."""

    tries = 0

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        type(self).tries += 1
        if self.tries < 3:
            raise Unavailable(f"no database at try {self.tries}")


@pytest.mark.parametrize("late", [LateStart, LateConstructor])
async def test_a_provider_that_did_not_start_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, late: type[LateStart | LateConstructor]
) -> None:
    late.tries = 0
    monkeypatch.setattr("runtime.stack.supervisor._START_AGAIN_S", 0.02)
    adapter = f"{__name__}:{late.__name__}"
    furnish(monkeypatch, [inline("late", summary="Late", adapter=adapter).found_in("probe", __name__)])
    run = run_config(providers={"probe": [{"provider_id": "p", "provider_type": "inline::late"}], "inference": []})
    async with serving(run, tmp_path) as served:
        assert served.stack.degraded() == {"p": "no database at try 1"}
        answer = await served.client.get("/v1/things/a")
        assert answer.status == 503 and "no database at try 1" in answer.error["message"]
        await until(lambda: not served.stack.degraded())
        assert (await health(served, "p"))["state"] == "ready"
        assert (await served.client.get("/v1/things/a")).status == 200
        assert late.tries == 3


def test_work_that_does_not_end_leaves_time_to_stop_the_providers() -> None:
    assert 2 * max(failures.CANCEL_LIMIT_S, jobs_runner.STOP_S) <= closing.CLOSE_LIMIT_S
