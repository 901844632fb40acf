"""Providers that are asked by calling them fail on purpose: one that computes here, and a vector database."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from runtime.apis._api import Api, route
from runtime.apis._request import Request
from runtime.apis.vector_io.protocol import CollectionRequest, CreateCollection
from runtime.conformance.stacks import Served, run_config
from runtime.context import RequestContext
from runtime.context import serving as within
from runtime.errors import Unavailable, UpstreamError, UpstreamRejected
from runtime.faults.calls import FaultyCalls
from runtime.faults.injection import TOLD, Faults
from runtime.faults.parsing import read_faults
from runtime.provider import LimitsUploads
from runtime.recording.session import RecordingChoice, Session
from runtime.spec import inline
from runtime.stack.interposed import Interposed, faults_of
from runtime.stack.plan import plan
from runtime.wrapped import Wrapped
from tests.support.examples import kettle
from tests.support.mounting import add
from tests.support.stacks import serving

CHAT = "/v1/chat/completions"
WORDS = "one two three four five six"
BODY: dict[str, Any] = {"model": "k/steam", "messages": [{"role": "user", "content": WORDS}], "store": False}
STREAM = {**BODY, "stream": True}
EXACT = inline(
    "exact", summary="Vectors in memory", adapter="runtime.recording.exact_vectors:ExactVectors"
).found_in("vector_io", __name__)  # fmt: skip
Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Serve:
    """A stack with a kettle and a vector database."""
    add(monkeypatch, (), [EXACT, *(spec.found_in(api, kettle.__name__) for api, spec in kettle.SPECS)])
    monkeypatch.setattr(kettle.Kettle, "asked", [])
    monkeypatch.setattr(kettle.Kettle, "released", [])
    states = iter(tmp_path / f"state {number}" for number in range(9))

    def serve(faults: str, session: Session | None = None) -> AbstractAsyncContextManager[Served]:
        providers = {
            "inference": [{"provider_id": "k", "provider_type": "inline::kettle"}],
            "vector_io": [{"provider_id": "exact", "provider_type": "inline::exact"}],
        }
        run = run_config(providers=providers)
        injected = faults_of(plan(run), read_faults([faults]), seed=0)
        return serving(run, next(states), interposed=Interposed(session, faults=injected))

    return serve


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code"),
    [
        ("429", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("500", 502, "server_error", "upstream_error"),
        ("503", 503, "server_error", "upstream_error"),
        ("timeout", 504, "upstream_error", "upstream_timeout"),
        ("unreachable", 503, "unavailable_error", "provider_unavailable"),
        ("down", 503, "unavailable_error", "provider_unavailable"),
        ("bad-json", 502, "upstream_error", "upstream_error"),
    ],
)
async def test_what_a_client_sees(serve: Serve, fault: str, status: int, kind: str, code: str) -> None:
    async with serve(f"k: {fault}") as served:
        answer = await served.client.post(CHAT, BODY)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["code"]) == (status, kind, code)
    assert "`k`" in error["message"] and "an injected fault" in error["message"]
    assert answer.headers[TOLD] == f"k {fault}"
    assert len(kettle.Kettle.asked) == (fault == "bad-json")


@pytest.mark.parametrize(
    ("fault", "words"),
    [("cut-stream", "broke off its answer before it was complete"), ("bad-json", "sent an event that is not JSON")],
)
async def test_a_stream_breaks_and_is_let_go(serve: Serve, fault: str, words: str) -> None:
    async with serve(f"k: {fault}") as served:
        answer = await served.client.post(CHAT, STREAM)
    assert (answer.status, answer.headers[TOLD]) == (200, f"k {fault}")
    *events, error = [json.loads(payload) for payload in answer.payloads()]
    assert words in error["error"]["message"]
    said = [event["choices"][0]["delta"]["content"] for event in events]
    assert said == ["one", "two", "three"][: len(said)] and said
    assert kettle.Kettle.released == [WORDS]


async def test_a_short_stream_breaks_too(serve: Serve) -> None:
    async with serve("k: cut-stream") as served:
        answers = [
            await served.client.post(CHAT, {**STREAM, "messages": [{"role": "user", "content": ""}]}) for _ in range(5)
        ]
    assert {answer.payloads()[-1] == "[DONE]" for answer in answers} == {False}


async def test_a_slow_one_takes_its_time_which_is_not_ours(serve: Serve) -> None:
    async with serve("k: slow 60ms") as served:
        answer = await served.client.post(CHAT, BODY)
    assert answer.status == 200 and answer.headers[TOLD] == "k slow 60ms"
    assert float(answer.headers["server-timing"].rpartition("dur=")[2]) >= 60


async def test_a_fault_is_not_recorded_and_happens_to_what_stands_in(serve: Serve, tmp_path: Path) -> None:
    def session(mode: Any) -> Session:
        return Session(RecordingChoice(mode=mode, folder=tmp_path / "recordings"))

    async with serve("k: 500 first 1", session("record")) as served:
        await served.client.post(CHAT, BODY)
        told = await served.client.post(CHAT, BODY)
        await served.stack.settled.wait()
    texts = [path.read_text() for path in (tmp_path / "recordings").rglob("*.json")]
    assert told.status == 200 and texts and not [text for text in texts if "injected" in text]
    asked = len(kettle.Kettle.asked)
    async with serve("k: 500 every 2", session("replay")) as served:
        answers = [await served.client.post(CHAT, BODY) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 502, 200]
    assert answers[2].json() == told.json() and len(kettle.Kettle.asked) == asked


async def test_one_that_is_down_says_so_and_comes_back(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a vector database that is restarted: what it holds is there again."""
    passed = [1.0]
    monkeypatch.setattr(Faults, "passed_s", property(lambda _: passed[0]))
    async with serve("exact: down 5s; k: down 3s") as served:
        vectors, asking = served.stack.api("vector_io"), RequestContext()
        healths = [(await served.client.get(f"/v1/providers/{name}")).json()["health"] for name in ("exact", "k")]
        models = (await served.client.get("/v1/models")).json()["data"]
        with within(asking), pytest.raises(Unavailable, match="`exact` cannot be reached: an injected fault"):
            await vectors.create_collection(CreateCollection(provider_id="exact", collection="c", dimension=2))
        assert served.stack.degraded().keys() == {"exact", "k"}
        passed[0] = 5.0
        with within(RequestContext()):
            await vectors.create_collection(CreateCollection(provider_id="exact", collection="c", dimension=2))
        again = [(await served.client.get(f"/v1/providers/{name}")).json()["health"] for name in ("exact", "k")]
        answered = await served.client.post(CHAT, BODY)
        assert served.stack.degraded() == {}
    assert [health["message"] for health in healths] == [
        f"`{name}` cannot be reached: an injected fault" for name in ("exact", "k")
    ]
    assert models == [] and asking.headers[TOLD] == "exact down"
    assert [health["status"] for health in again] == ["OK", "OK"] and answered.status == 200


async def test_every_vector_database_fails_for_those_who_call_it(serve: Serve) -> None:
    async with serve("*: 503 every 2") as served:
        vectors = served.stack.api("vector_io")
        with within(RequestContext()):
            await vectors.create_collection(CreateCollection(provider_id="exact", collection="c", dimension=2))
            with pytest.raises(UpstreamError, match="`exact` answered 503"):
                await vectors.drop_collection(CollectionRequest(provider_id="exact", collection="c"))


class AskedRequest(Request):
    """What is asked."""

    text: str = ""


class Counting:
    """An API with a stream of models."""

    @route("POST", "/v1/counted")
    async def count(self, request: AskedRequest) -> AsyncIterator[int]:
        raise NotImplementedError


class Counter:
    def __init__(self) -> None:
        self.ended = False

    async def count(self, request: AskedRequest) -> AsyncGenerator[int, None]:
        async def numbers() -> AsyncGenerator[int, None]:
            try:
                for number in range(9):
                    yield number
            finally:
                self.ended = True

        return numbers()

    def check_upload(self, operation: str, size_bytes: int) -> None:
        """Takes everything."""


def faulty(counter: Counter, faults: str) -> Any:
    server = Faults(read_faults([faults]), seed=0, providers={"counting/c": True})
    return FaultyCalls(server.of("counting/c"), Counting, Api("counting", Counting).operations()).door(counter)


async def test_a_stream_of_models_breaks_and_is_let_go() -> None:
    counter = Counter()
    seen = faulty(counter, "c: cut-stream")
    with within(RequestContext()):
        numbers, read = await seen.count(AskedRequest()), []
        with pytest.raises(UpstreamError, match="broke off its answer"):
            async for number in numbers:
                read.append(number)
    assert read == list(range(len(read))) and 1 <= len(read) <= 3 and counter.ended


def test_a_wrapped_one_is_what_it_was() -> None:
    seen = Wrapped(Counter(), {"count": print})
    assert isinstance(seen, LimitsUploads) and isinstance(seen, Counter)
    assert seen.count is print and seen.ended is False
    assert not isinstance(Wrapped(object(), {}), LimitsUploads)


async def test_a_call_with_half_a_character_is_a_call_like_any_other() -> None:
    with within(RequestContext()), pytest.raises(UpstreamRejected, match="418"):
        await faulty(Counter(), "c: 418").count(AskedRequest.model_construct(text="\ud800"))


async def test_any_status_of_a_failure_is_a_vendor_s() -> None:
    with within(RequestContext()), pytest.raises(UpstreamRejected) as raised:
        await faulty(Counter(), "c: 418").count(AskedRequest())
    assert (raised.value.status, raised.value.more) == (418, {"injected": "418"})
