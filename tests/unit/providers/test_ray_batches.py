"""What workers on a Ray cluster do with a request, and what their answers become. Without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import ValidationError

from runtime.apis.models import Models
from runtime.conformance.upstream import Upstream, upstream_server
from runtime.errors import StackError, UpstreamError
from runtime.http.refusals import Call
from runtime.http.transport import Outgoing
from runtime.providers._background.asking import NobodyAnswers
from runtime.providers._vendors.ray import asking, worker
from runtime.providers._vendors.ray import cluster as cluster_module
from runtime.providers._vendors.ray.asking import OnCluster
from runtime.providers._vendors.ray.cluster import Cluster
from runtime.providers._vendors.ray.messages import Answered
from runtime.providers._vendors.ray.worker import Worker
from runtime.providers.batches._shared.endpoints import Endpoint
from runtime.providers.batches._shared.input_lines import Line
from runtime.providers.batches.ray.adapter import AnsweringOnCluster
from runtime.providers.batches.ray.config import RayBatchesConfig

CHAT = "/chat/completions"
LIMIT_S = 20.0


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


def worker_at(address: str, **facts: Any) -> Worker:
    return Worker(address, {"authorization": "Bearer sk-worker"}, **{"timeout_s": 10.0, "at_once": 2, **facts})


async def test_a_worker_passes_on_status_headers_and_body(vendor: Upstream) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        return web.Response(text=await request.text(), status=429, headers={"Retry-After": "7"})

    vendor.misbehaves = refused
    outcome, status, headers, body = await worker_at(vendor.url).ask(CHAT, b'{"model": "m"}')
    assert (outcome, status, headers["retry-after"], body) == ("answered", 429, "7", b'{"model": "m"}')
    assert vendor.calls(CHAT)[0].headers["authorization"] == "Bearer sk-worker"


async def test_a_worker_says_how_a_server_has_failed(vendor: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()

    async def odd(request: web.Request) -> web.StreamResponse:
        match await request.text():
            case "silent":
                await release.wait()
            case "broken":
                assert request.transport is not None
                request.transport.abort()
        return web.Response(body=b"x" * 100)

    vendor.misbehaves = odd
    monkeypatch.setattr(worker, "MAX_ANSWER_BYTES", 99)
    assert (await worker_at(vendor.url).ask(CHAT, b"large"))[0::3] == ("broken", b"its answer has more than 99 bytes")
    assert (await worker_at(vendor.url).ask(CHAT, b"broken"))[0] == "broken"
    silent = await worker_at(vendor.url, timeout_s=0.1).ask(CHAT, b"silent")
    release.set()
    assert silent[0::3] == ("timeout", b"it said nothing for 0.1 s")
    nowhere = await worker_at("http://127.0.0.1:1").ask(CHAT, b"")
    assert nowhere[0] == "unreachable" and b"refused" in nowhere[3]


async def test_a_worker_whose_request_is_given_up_leaves_the_server(vendor: Upstream) -> None:
    asked = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    vendor.misbehaves = silent
    asking = asyncio.create_task(worker_at(vendor.url).ask(CHAT, b"{}"))
    async with asyncio.timeout(LIMIT_S):
        await asked.wait()
        asking.cancel()
        await vendor.ended_early.wait()
    with pytest.raises(asyncio.CancelledError):
        await asking


class Stubs:
    """A cluster and models. answers: one a request."""

    def __init__(self, *answers: Answered) -> None:
        self.answers = [*answers]

    async def ask(self, path: str, body: bytes) -> Answered:
        return self.answers.pop(0)


def answered(outcome: Any, status: int = 0, body: bytes = b"") -> Answered:
    return Answered(number=0, outcome=outcome, status=status, body=body)


async def answer(*answers: Answered) -> bytes:
    """What these become, of a line that names no model."""
    outgoing = Outgoing(method="POST", url="http://there:8321", headers={"authorization": "Bearer sk-worker-secret"})
    workers = OnCluster(cast(Cluster, Stubs(*answers)), Call("ray", outgoing), cast(Models, None), work="a test")
    line = Line(1, "a", "/v1/chat/completions", "", b"{}")
    return await AnsweringOnCluster(workers).answer(cast(Endpoint, None), line)


async def test_a_line_of_a_lost_worker_is_asked_again_some_times() -> None:
    lost = answered("lost", body=b"its machine is gone")
    assert await answer(lost, lost, answered("answered", 200, b'{"id": "x"}')) == b'{"id": "x"}'
    with pytest.raises(StackError, match=r"6 workers of `ray` were lost.*its machine is gone"):
        await answer(*[lost] * asking._MOST_LOSSES)


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (answered("unreachable", body=b"Connection refused"), 503, "cannot reach http://there:8321, as a worker"),
        (answered("timeout", body=b"it said nothing for 9 s"), 504, "it said nothing for 9 s"),
        (answered("broken", body=b"cut by sk-worker-secret"), 502, "cut by [*]+$"),
        (answered("answered", 302), 502, "answered 302"),
        (answered("answered", 200, b"<html>"), 502, "with no JSON"),
        (answered("answered", 401, b'{"error": {"message": "no such key"}}'), 502, "answered 401: no such key"),
        (answered("answered", 404, b'{"error": {"message": "no such model"}}'), 404, "no such model"),
        (answered("failed", body=b"a fault"), 500, "has failed: a fault"),
    ],
)
async def test_what_is_no_answer_becomes_an_error_that_says_why(given: Answered, status: int, words: str) -> None:
    with pytest.raises(StackError, match=words) as raised:
        await answer(given)
    assert raised.value.status == status
    assert isinstance(raised.value, UpstreamError) == (given.outcome != "failed")


class Workers:
    """A client of Ray that can be asked while it has a worker. ended: those that were."""

    ended: list[Workers]

    def __init__(self) -> None:
        self.workers, self.trouble, self.has_ended = ("there:1",), "no room for one", False

    @classmethod
    async def started(cls, *_: Any) -> Workers:
        return cls()

    async def until_ready(self) -> None:
        if not self.workers:
            await asyncio.Event().wait()

    async def ask(self, path: str, body: bytes) -> Answered:
        assert self.workers, "nobody is asked where nobody is"
        self.workers = ()  # it is lost with this one
        return answered("answered", 200, b"{}")

    async def end(self) -> None:
        self.has_ended = True
        self.ended.append(self)


async def test_where_the_last_worker_is_lost_nobody_waits_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "ended", [], raising=False)
    monkeypatch.setattr(cluster_module, "RayClient", Workers)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1")
    async with server, asyncio.timeout(LIMIT_S):
        address = f"ray://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        config = RayBatchesConfig(address=address, base_url="http://there", start_timeout_s=0.05)
        cluster = Cluster(config, "ray", headers={}, at_once=1)
        assert (await cluster.ask(CHAT, b"{}")).status == 200
        with pytest.raises(NobodyAnswers, match=r"has started no worker in 0.05 s: no room for one"):
            await cluster.ask(CHAT, b"{}")
        assert len(Workers.ended) == 1
        assert "no room for one" in (await cluster.trouble() or "")
        assert (await cluster.ask(CHAT, b"{}")).status == 200, "another client may have workers again"
        assert await cluster.trouble() == "no room for one", "it has none any more, and says why"
        await cluster.close()


@pytest.mark.parametrize("address", ["ray://head:10001", "ray://head", "ray://[::1]:10001", "ray://10.0.0.1:10001"])
def test_addresses_of_a_cluster(address: str) -> None:
    assert RayBatchesConfig.model_validate({"address": address, "base_url": "http://there"}).address == address


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"address": "head:6379"}, "`ray://HOST:10001`"),
        ({"address": "ray://head:70000"}, "`ray://HOST:10001`"),
        ({"address": "auto"}, "`ray://HOST:10001`"),
        ({"address": "http://head:8265"}, "`ray://HOST:10001`"),
        ({"address": "ray://user@head:10001"}, "`ray://HOST:10001`"),
        ({"address": "ray://head:10001/x"}, "`ray://HOST:10001`"),
        ({"resources_per_worker": {"CPU": 1}}, "`cpus_per_worker`"),
        ({"network": {"tls": {}}}, "as their machines do"),
    ],
)
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RayBatchesConfig.model_validate({"address": "ray://head", "base_url": "http://there", **settings})
