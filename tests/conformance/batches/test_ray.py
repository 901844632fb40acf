"""Batches whose lines, and evaluations whose rows, are asked by workers on a real Ray cluster of one machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from runtime.conformance.upstream import Upstream
from runtime.providers._background.asking import NobodyAnswers
from runtime.providers._vendors.ray.client import environment
from runtime.providers.batches._shared import running as batches_running
from runtime.providers.batches.ray.adapter import RayBatches
from runtime.providers.eval._shared import running as evaluations_running
from tests.conformance.batches.asking import BATCHES, CHAT, LIMIT_S, Asking, Json, asking_at, jsonl, line, lines
from tests.conformance.batches.held import Held, until
from tests.conformance.eval import asking as evaluating
from tests.support.batches_process import content, created, once, running
from tests.support.descendants import command_line, descendants
from tests.support.ray_cluster import TOKEN, RayCluster, ray_cluster
from tests.support.relay import relay

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: it has no wheel for this platform"),
]
KEY = "sk-for-the-workers"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster() as found:
        yield found


def config_of(port: int, vendor: Upstream, **settings: object) -> Json:
    place = {"address": f"ray://127.0.0.1:{port}", "auth_token": TOKEN, "base_url": vendor.url}
    return {**place, "api_key": KEY, "cpus_per_worker": 0.25, **settings}


def adapter_of(asking: Asking) -> RayBatches:
    assert isinstance(asking.adapter, RayBatches)
    return asking.adapter


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    vendor: Upstream, cluster: RayCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asking]:
    folder = tmp_path_factory.mktemp("state")
    async with asking_at(vendor, folder, provider="remote::ray", config=config_of(cluster.port, vendor)) as found:
        for _ in range(3):  # the cluster does not always start what serves a client
            with suppress(NobodyAnswers):
                await adapter_of(found)._workers.begin()  # takes longer than a batch may
                break
        yield found


async def test_200_lines_are_asked_by_the_workers_and_answered_in_order(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = held = Held(free=1_000_000)
    batch = await asking.completed(*lines(200))
    assert batch["request_counts"] == {"total": 200, "completed": 200, "failed": 0} and batch["usage"]["input_tokens"]
    assert [one["custom_id"] for one in await asking.output(batch)] == [f"line-{number}" for number in range(200)]
    assert Counter(held.asked) == Counter(f"Say {number}" for number in range(200))
    calls = vendor.calls("/chat/completions")
    assert {call.headers["authorization"] for call in calls} == {f"Bearer {KEY}"}, "and no other key reached them"
    assert held.most <= 10
    assert (await adapter_of(asking).check_health()).message == "workers: 2"


async def test_a_worker_that_is_killed_is_replaced_and_its_lines_are_asked_again(
    asking: Asking, vendor: Upstream
) -> None:
    vendor.misbehaves = held = Held(free=20)
    batch = await asking.create(*lines(40))
    await held.until(30)
    await until(asking, batch, completed=20)  # else their answers may still be on their way, and are lost as well
    before = adapter_of(asking)._workers.cluster.workers
    assert len(before) == 2
    os.kill(int(before[0].rpartition(":")[2]), signal.SIGKILL)
    held.let()
    ended = await asking.ended(batch)
    assert ended["request_counts"] == {"total": 40, "completed": 40, "failed": 0}
    assert [one["custom_id"] for one in await asking.output(ended)] == [f"line-{number}" for number in range(40)]
    asked = Counter(held.asked)
    assert 1 <= sum(asked.values()) - 40 <= 10, "what that worker had was asked again, and nothing else"
    async with asyncio.timeout(LIMIT_S):
        while (await adapter_of(asking).check_health()).message != "workers: 2":
            await asyncio.sleep(0.02)
    assert {*adapter_of(asking)._workers.cluster.workers} & {*before} == {before[1]}


async def test_cancelling_reaches_the_server_that_the_workers_ask(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = held = Held(free=3)
    batch = await asking.create(*lines(40))
    await held.until(13)
    await until(asking, batch, completed=3)
    await asking.done("POST", f"{BATCHES}/{batch['id']}/cancel")
    ended = await asking.ended(batch)
    assert ended["status"] == "cancelled"
    assert ended["request_counts"] == {"total": 40, "completed": 3, "failed": 37}
    async with asyncio.timeout(LIMIT_S):
        while held.now:
            await asyncio.sleep(0.005)
    assert len(held.asked) == 13, "no line was asked after it"


async def test_what_a_line_asks_in_vain_is_in_its_error(asking: Asking, vendor: Upstream) -> None:
    async def odd(request: web.Request) -> web.StreamResponse:
        text = (await request.json())["messages"][-1]["content"]
        if text == "text":
            return web.Response(text="It works!")
        error = {"message": "too long", "type": "invalid_request_error", "param": "messages", "code": None}
        return web.json_response({"error": error}, status=400)

    vendor.misbehaves = odd
    wrong = line("model")
    wrong["body"]["model"] = "vendor/no-such-model"
    batch = await asking.completed(wrong, line("text", "text"), line("long", "long"))
    failed = {one["custom_id"]: one["response"] for one in await asking.errors(batch)}
    assert {name: one["status_code"] for name, one in failed.items()} == {"model": 404, "text": 502, "long": 400}
    assert "It works!" in failed["text"]["body"]["error"]["message"]
    assert failed["long"]["body"]["error"]["param"] == "messages"
    assert len(vendor.calls("/chat/completions")) == 2, "a model that is not there is not asked for"


@pytest.mark.parametrize("endpoint", ["/v1/moderations", "/v1/responses"])
async def test_what_is_no_inference_is_left_to_the_builtin_provider(asking: Asking, endpoint: str) -> None:
    error = await asking.not_created(501, line("a", url=endpoint), endpoint=endpoint)
    assert f"`{endpoint}`" in error["message"]


async def test_keys_that_a_caller_brings_stay_here(asking: Asking, vendor: Upstream) -> None:
    headers = {"x-llamastack-provider-data": '{"vendor_api_key": "sk-of-the-caller"}'}
    asked = {"input_file_id": await asking.upload(jsonl(line("a"))), "endpoint": CHAT, "completion_window": "24h"}
    answered = await asking.ask("POST", BATCHES, asked, headers=headers)
    assert answered.status == 200 and "stays here" in answered.headers["x-llama-warnings"]
    await asking.ended(answered.json())
    assert {call.headers["authorization"] for call in vendor.calls("/chat/completions")} == {f"Bearer {KEY}"}


async def test_a_batch_waits_while_the_cluster_is_away_and_goes_on_when_it_is_back(
    vendor: Upstream, cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_running, "_AGAIN_S", 0.1)
    monkeypatch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "1")  # of half a minute
    monkeypatch.setenv("RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S", "1")
    vendor.misbehaves = held = Held(free=20)
    async with (
        relay(cluster.port) as way,
        asking_at(vendor, tmp_path, provider="remote::ray", config=config_of(way.port, vendor)) as asking,
    ):
        batch = await asking.create(*lines(40))
        await held.until(30)
        await until(asking, batch, completed=20)  # as above
        way.cut()
        held.let()
        health = await unhealthy(asking)
        assert "cannot be reached" in health and f"ray://127.0.0.1:{way.port}" in health
        waiting = await waiting_for(lambda: asking.get(batch))
        assert waiting["status"] == "in_progress" and waiting["request_counts"]["failed"] == 0
        assert f"ray://127.0.0.1:{way.port}" in waiting["waiting_for"]
        assert not begun_by_us(cluster), "the client begins no cluster in place of the one that is lost"
        await way.mend()
        ended = await asking.ended(batch)
    assert ended["request_counts"] == {"total": 40, "completed": 40, "failed": 0}
    assert len(held.asked) <= 50, "what was in flight was asked again, and nothing else"


async def test_a_token_that_the_cluster_refuses_is_named(vendor: Upstream, cluster: RayCluster, tmp_path: Path) -> None:
    config = config_of(cluster.port, vendor, auth_token="another")
    async with asking_at(vendor, tmp_path, provider="remote::ray", config=config) as asking:
        batch = await asking.create(*lines(2))
        health = await unhealthy(asking)
        assert "authentication token" in health and "`auth_token`" in health
        await asking.done("POST", f"{BATCHES}/{batch['id']}/cancel")
        assert (await asking.ended(batch))["status"] == "cancelled"


async def test_a_cluster_without_room_for_a_worker_is_named(
    vendor: Upstream, cluster: RayCluster, tmp_path: Path
) -> None:
    config = config_of(cluster.port, vendor, resources_per_worker={"moon": 1}, start_timeout_s=6)
    async with asking_at(vendor, tmp_path, provider="remote::ray", config=config) as asking:
        batch = await asking.create(*lines(2))
        health = await unhealthy(asking)
        assert "has started no worker in 6 s" in health and "`resources_per_worker`" in health
        waiting = await waiting_for(lambda: asking.get(batch))
        assert waiting["status"] == "validating" and waiting["waiting_since"] >= batch["created_at"]
        assert "has started no worker in 6 s" in waiting["waiting_for"]
        [listed] = (await asking.done("GET", BATCHES))["data"]
        assert listed["waiting_for"] == waiting["waiting_for"]


async def test_a_batch_that_has_waited_long_enough_fails_and_says_for_what(
    vendor: Upstream, cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_running, "_AGAIN_S", 0.1)
    async with relay(cluster.port) as way:
        config = config_of(way.port, vendor, max_wait_s=1)
        way.cut()
        async with asking_at(vendor, tmp_path, provider="remote::ray", config=config) as asking:
            ended = await asking.ended(await asking.create(*lines(2)))
    assert (ended["status"], ended["waiting_for"]) == ("failed", None)
    [error] = ended["errors"]["data"]
    assert error["code"] == "nobody_answers" and "It has waited 1 s, which `max_wait_s` allows" in error["message"]
    assert "cannot be reached" in error["message"]


async def test_a_server_that_is_killed_loses_no_line_and_asks_few_twice(
    vendor: Upstream, cluster: RayCluster, tmp_path: Path
) -> None:
    vendor.misbehaves = held = Held(free=43)
    config = config_of(cluster.port, vendor)
    async with running(vendor, tmp_path, provider="remote::ray", **config) as first:
        batch_id = await created(first, jsonl(*lines(100)), CHAT)
        await once(first, batch_id, completed=43)
        await held.until(53)
        in_flight = set(held.asked[43:])
        first.signal(signal.SIGKILL)
        await first.process.wait()
    async with asyncio.timeout(LIMIT_S):
        while held.now:  # its workers are ended with it
            await asyncio.sleep(0.02)
    held.let()
    async with running(vendor, tmp_path, provider="remote::ray", **config) as second:
        ended = await once(second, batch_id, status="completed")
        output = [json.loads(one) for one in (await content(second, ended["output_file_id"])).splitlines()]
    assert ended["request_counts"] == {"total": 100, "completed": 100, "failed": 0}
    assert [one["custom_id"] for one in output] == [f"line-{number}" for number in range(100)]
    assert {text for text, times in Counter(held.asked).items() if times > 1} <= in_flight
    assert len(held.asked) == 110


async def test_ray_begins_no_cluster_by_itself(tmp_path: Path) -> None:
    """A call without a connection, which would begin one: with the variables that the client gets."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", "import ray; ray.put(1)"),
        env=environment(os.environ, None) | {"HOME": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1 and b"Ray has not been started yet" in said
    assert [*tmp_path.iterdir()] == [], "nor makes a token for one"


async def unhealthy(asking: Asking) -> str:
    """What its health says, once it is bad."""
    async with asyncio.timeout(LIMIT_S):
        while (health := await adapter_of(asking).check_health()).status == "OK":
            await asyncio.sleep(0.02)
    assert health.message is not None
    return health.message


async def waiting_for(read: Callable[[], Awaitable[Json]]) -> Json:
    """The work, once it says that it waits."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await read())["waiting_for"] is None:
            await asyncio.sleep(0.02)
    return found


def begun_by_us(cluster: RayCluster) -> list[str]:
    """The programs of clusters below this process that are not of the tests' own."""
    theirs = {one.pid for one in cluster.processes()}
    programs = [Path(*command_line(one)[:1]).name for one in descendants() if one.pid not in theirs]
    return [name for name in programs if name in ("gcs_server", "raylet")]


@pytest.fixture
def on_ray(cluster: RayCluster, vendor: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stack whose evaluations are done by the cluster at a port."""

    def at(port: int) -> Any:
        settings = config_of(port, vendor)
        provider = {"provider_id": "ray", "provider_type": "remote::ray", "config": settings}
        return evaluating.asking_at(vendor, tmp_path, monkeypatch, providers={"eval": [provider]})

    yield at
    vendor.misbehaves = None
    vendor.seen.clear()


async def test_an_evaluation_is_asked_by_the_workers_and_waits_while_the_cluster_is_away(
    on_ray: Any, vendor: Upstream, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations_running, "_AGAIN_S", 0.1)
    monkeypatch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "1")  # of half a minute
    monkeypatch.setenv("RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S", "1")
    vendor.misbehaves = model = evaluating.Held(free=20)
    async with relay(cluster.port) as way, on_ray(way.port) as asking:
        path = await asking.benchmark("many", evaluating.rows(40))
        run = await asking.run(path)
        await model.until(30)
        async with asyncio.timeout(LIMIT_S):
            while (await asking.job(run))["progress"]["done"] != 20:  # as above
                await asyncio.sleep(0.02)
        way.cut()
        model.let()
        async with asyncio.timeout(LIMIT_S):
            while (await asking.adapter.check_health()).state == "ready":
                await asyncio.sleep(0.02)
        waiting = await waiting_for(lambda: asking.job(run))
        assert waiting["status"] == "in_progress" and waiting["progress"]["failed"] == 0
        assert f"ray://127.0.0.1:{way.port}" in waiting["waiting_for"]
        await way.mend()
        async with asyncio.timeout(2 * LIMIT_S):
            while (ended := await asking.job(run))["ended_at"] is None:
                await asyncio.sleep(0.02)
        assert (ended["status"], ended["progress"]) == ("completed", {"rows": 40, "done": 40, "failed": 0})
        assert ended["waiting_for"] is None
        result = await asking.result(run)
        assert [one["generated_answer"] for one in result["generations"]] == [f"{number}" for number in range(40)]
        assert result["scores"][evaluating.SAME]["aggregated_results"]["accuracy"]["accuracy"] == 1.0
    assert len(model.asked) <= 50, "what was in flight was asked again, and nothing else"
    calls = vendor.calls("/chat/completions")
    assert {call.headers["authorization"] for call in calls} == {f"Bearer {KEY}"}, "the workers have asked"


async def test_an_agent_is_not_asked_by_workers(on_ray: Any, cluster: RayCluster) -> None:
    agent = {"eval_candidate": {"type": "agent", "config": {"model": evaluating.MODEL, "instructions": "Be brief."}}}
    async with on_ray(cluster.port) as asking:
        path = await asking.benchmark("one", evaluating.rows(1))
        error = await asking.refused(501, f"{path}/jobs", {"benchmark_config": agent})
    assert "workers of a cluster" in error["message"] and "inline::builtin" in error["message"]
