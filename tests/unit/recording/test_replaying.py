"""A stack that is recorded, and replayed with nothing behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from runtime import clock, ids
from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream, refusal
from runtime.context import RequestContext
from runtime.context import serving as within
from runtime.recording.documents import RecordingError
from runtime.recording.manifest import Manifest, recorded_variables
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.recording.steady import make_steady
from runtime.recording.used import used
from runtime.stack.interposed import Interposed
from tests.support.examples import kettle
from tests.support.mounting import mount
from tests.support.stacks import openai_at, serving

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "hello"}], "store": False}  # what is kept gets an id of ours
UNUSED = "http://127.0.0.1:9/v1"  # where nobody answers


@pytest.fixture
def kettles(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[kettle.Kettle]]:
    mount(monkeypatch, kettle)
    monkeypatch.setattr(kettle.Kettle, "asked", [])
    monkeypatch.setattr(kettle.Kettle, "released", [])
    monkeypatch.setattr(kettle.Kettle, "fire", None)
    yield kettle.Kettle


class World:
    """Stacks over one folder of recordings, each with a state of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recordings"
        self._states = iter(folder / f"state {number}" for number in range(100))
        self.session: Session

    def serving(self, mode: Mode, url: str, *, timed: bool = False, **run: Any) -> AbstractAsyncContextManager[Served]:
        self.session = Session(
            RecordingChoice(mode=mode, folder=self.folder, is_timed=timed), secrets=lambda: ["sk-configured-secret"]
        )
        config = run_config(providers={"inference": [openai_at(url)], **run.pop("providers", {})}, **run)
        interposed = Interposed(self.session, variables={})
        return serving(config, next(self._states), interposed=interposed)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_a_vendor_answered_is_answered_without_it(world: World, upstream: Upstream) -> None:
    upstream.key = "sk-configured-secret"
    body, embed = {"model": CHAT_MODEL, **HELLO}, {"model": EMBEDDING_MODEL, "input": ["a", "b"]}
    async with world.serving("record", upstream.url) as served:
        told = [await served.client.post(CHAT, body), await served.client.post("/v1/embeddings", embed)]
        streamed = await served.client.post(CHAT, {**body, "stream": True})
        models = await served.client.get("/v1/models")
    asked = len(upstream.seen)
    async with world.serving("replay", UNUSED) as served:
        again = [await served.client.post(CHAT, body), await served.client.post("/v1/embeddings", embed)]
        streamed_again = await served.client.post(CHAT, {**body, "stream": True})
        models_again = await served.client.get("/v1/models")
    assert [one.json() for one in again] == [one.json() for one in told]
    assert streamed_again.events() == streamed.events() and streamed_again.payloads()[-1] == "[DONE]"
    assert [one["id"] for one in models_again.json()["data"]] == [one["id"] for one in models.json()["data"]]
    assert len(upstream.seen) == asked
    assert "sk-configured-secret" not in "".join(path.read_text() for path in world.folder.rglob("*.json"))


async def test_what_was_not_recorded_is_refused_with_the_nearest_and_is_told(world: World, upstream: Upstream) -> None:
    async with world.serving("record", upstream.url) as served:
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO, "temperature": 0.5})
    async with world.serving("replay", UNUSED) as served:
        refused = await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO, "temperature": 0.9})
        other = await served.client.post(
            CHAT, {"model": CHAT_MODEL, **HELLO, "n": 2}, headers={"x-llamastack-test": "t::b"}
        )
        told = world.session.misses
    assert (refused.status, refused.error["code"]) == (400, "not_recorded")
    assert "json.temperature: recorded 0.5, asked 0.9" in refused.error["message"]
    assert "with `--record`" in refused.error["message"]
    assert [one.scope for one in told] == ["", "t::b"] and "of the test `t::b`" in other.error["message"]


async def test_which_of_several_recordings_answered_is_told_with_the_rule(world: World, upstream: Upstream) -> None:
    async with world.serving("record", upstream.url) as served:
        for test in ("t::a", "t::b"):
            await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO}, headers={"x-llamastack-test": test})
    async with world.serving("replay", UNUSED, apis=["inference", "recordings"]) as served:
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO}, headers={"x-llamastack-test": "t::b"})
        state = (await served.client.get("/v1alpha/recordings")).json()
        others = (await served.client.get("/v1alpha/recordings?test=t::a")).json()
    [decided] = state["decided"]
    assert (decided["test"], decided["rule"], others["decided"]) == ("t::b", "this test's own", [])
    assert decided["message"].endswith(f"is answered by `{decided['file']}`: this test's own")


async def test_only_what_is_missing_is_asked_for(world: World, upstream: Upstream) -> None:
    async with world.serving("record", upstream.url) as served:
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO})
    upstream.seen.clear()
    async with world.serving("record-if-missing", upstream.url) as served:
        for content in ("hello", "another", "another"):
            await served.client.post(CHAT, {"model": CHAT_MODEL, "messages": [{"role": "user", "content": content}]})
    sent = [one.json()["messages"][0]["content"] for one in upstream.seen if one.method == "POST"]
    assert sent == ["another"]


async def test_a_refusal_is_replayed_and_one_that_passed_is_not(world: World, upstream: Upstream) -> None:
    answers = iter([429, 200, 404])

    async def misbehave(request: web.Request) -> web.StreamResponse:
        status = next(answers)
        if status == 200:
            upstream.misbehaves = None
            choice = {"index": 0, "message": {"role": "assistant", "content": "in the end"}, "finish_reason": "stop"}
            return web.json_response(
                {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            )
        return refusal(status, "words of the vendor", type="t", param=None, code=None, headers={})

    bad = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "bad"}], "store": False}
    async with world.serving("record", upstream.url) as served:
        upstream.misbehaves = misbehave
        first = await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO})
        upstream.misbehaves = misbehave
        refused = await served.client.post(CHAT, bad)
    assert (first.status, refused.status) == (200, 404)
    async with world.serving("replay", UNUSED) as served:
        again = await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO})
        refused_again = await served.client.post(CHAT, bad)
    assert again.json() == first.json()
    assert (refused_again.status, refused_again.error) == (404, refused.error)


async def _left_after_a_chunk(served: Served, body: dict[str, Any]) -> None:
    call = served.client.call(
        "POST", CHAT, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
    )
    await call.start()
    await call.chunk()
    await call.leave()


async def test_a_stream_whose_reader_left_is_recorded_whole(world: World, kettles: type[kettle.Kettle]) -> None:
    providers = {"inference": [{"provider_id": "k", "provider_type": "inline::kettle"}]}
    body = {"model": "k/steam", "messages": [{"role": "user", "content": "one two three"}], "stream": True}
    async with world.serving("record", UNUSED, providers=providers) as served:
        await _left_after_a_chunk(served, body)
    assert kettles.released == ["one two three"]
    async with world.serving("replay", UNUSED, providers=providers) as served:
        again = await served.client.post(CHAT, body)
    assert [word for word in ("one", "two", "three") if word in again.body.decode()] == ["one", "two", "three"]


async def test_a_reader_who_leaves_while_it_waits_takes_nothing_with_it(
    world: World, kettles: type[kettle.Kettle], upstream: Upstream
) -> None:
    kettles.fire = asyncio.Event()
    upstream.gate.clear()
    providers = {"inference": [openai_at(upstream.url), {"provider_id": "k", "provider_type": "inline::kettle"}]}
    said = {"messages": [{"role": "user", "content": "one two three"}], "stream": True}
    bodies = [{"model": CHAT_MODEL, **said}, {"model": "k/steam", **said}]
    async with world.serving("record", UNUSED, providers=providers) as served:
        for body in bodies:
            await _left_after_a_chunk(served, body)
        upstream.gate.set()
        kettles.fire.set()
    assert kettles.released == ["one two three"]
    providers["inference"][0] = openai_at(UNUSED)
    async with world.serving("replay", UNUSED, providers=providers) as served:
        again = [await served.client.post(CHAT, body) for body in bodies]
    assert [one.payloads()[-1] for one in again] == ["[DONE]"] * 2
    assert ['"finish_reason":"stop"' in one.body.decode() for one in again] == [True, True]


async def test_something_stands_in_for_what_computes_in_this_process(
    world: World, kettles: type[kettle.Kettle], monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = {"inference": [{"provider_id": "k", "provider_type": "inline::kettle"}]}
    said = {"model": "k/steam", **HELLO}
    cold = {"model": "k/steam", "messages": [{"role": "user", "content": "cold"}]}
    async with world.serving("record", UNUSED, providers=providers) as served:
        told = await served.client.post(CHAT, said)
        streamed = await served.client.post(CHAT, {**said, "stream": True})
        refused = await served.client.post(CHAT, cold)
        models = await served.client.get("/v1/models")
        await served.stack.settled.wait()
    count = len(kettles.asked)
    monkeypatch.delattr(kettle, "Kettle")  # nothing of it is imported
    async with world.serving("replay", UNUSED, providers=providers) as served:
        again = await served.client.post(CHAT, said)
        streamed_again = await served.client.post(CHAT, {**said, "stream": True})
        refused_again = await served.client.post(CHAT, cold)
        models_again = await served.client.get("/v1/models")
        unknown = await served.client.post("/v1/embeddings", {"model": "k/steam", "input": "x"})
    assert again.json() == told.json() and streamed_again.body == streamed.body
    assert (refused_again.status, refused_again.error) == (refused.status, refused.error)
    listed = [[model | {"created": 0} for model in one.json()["data"]] for one in (models, models_again)]
    assert listed[0] == listed[1]
    assert unknown.status in (400, 501) and len(kettles.asked) == count


async def test_a_provider_has_not_the_models_of_another(world: World, upstream: Upstream) -> None:
    """One that was not reached when it was recorded has none then either, so that a bare name means the same."""
    away = openai_at("http://127.0.0.1:7/v1", "away")
    body = {"model": CHAT_MODEL, **HELLO}
    async with world.serving(
        "record", upstream.url, providers={"inference": [away, openai_at(upstream.url)]}
    ) as served:
        told = await served.client.post(CHAT, body)
    async with world.serving("replay", UNUSED, providers={"inference": [away, openai_at(UNUSED)]}) as served:
        again = await served.client.post(CHAT, body)
        models = await served.client.get("/v1/models")
    assert told.status == 200 and again.json() == told.json()
    assert {one["provider_id"] for one in models.json()["data"]} == {"vendor"}


async def test_a_test_s_requests_belong_to_it(world: World, upstream: Upstream) -> None:
    async with world.serving("record", upstream.url) as served:
        world.session.begin("tests/a.py::test_a")
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO})
        older = {"X-LlamaStack-Provider-Data": json.dumps({"__test_id": "tests/a.py::test_older"})}
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO}, headers=older)
    folders = {path.parent.name for path in world.folder.rglob("*POST*.json")}
    assert folders == {"test_a", "test_older"}
    assert used(world.folder) is not None


async def test_nothing_of_a_caller_s_keys_is_recorded_but_for_words(world: World, upstream: Upstream) -> None:
    key, cookie = "caller-canary-0123456789", "cookie-canary-0123456789"
    said = f"{key} and {cookie} are not anything"
    body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": said}], "store": False}
    for headers in (
        {"x-api-key": key, "cookie": f"a={cookie}; b=1", "authorization": "Bearer anything"},
        {"authorization": f"Bearer {key}", "x-llamastack-provider-data": json.dumps({"x_key": cookie})},
    ):
        async with world.serving("record", upstream.url) as served:
            assert (await served.client.post(CHAT, body, headers=headers)).status == 200
        [path] = world.folder.rglob("*POST*.json")
        recorded = json.loads(path.read_text())["request"]["json"]["messages"][0]["content"]
        assert recorded == "<hidden> and <hidden> are not anything"


async def test_a_test_whose_name_has_a_key_keeps_it_for_itself(world: World, upstream: Upstream) -> None:
    test = "tests/a.py::test_a[sk-configured-secret]"
    async with world.serving("record", upstream.url) as served:
        world.session.begin(test)
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO})
    everything = "".join(f"{path} {path.read_text()}" for path in world.folder.rglob("*") if path.is_file())
    assert "configured-secret" not in everything
    async with world.serving("replay", UNUSED, apis=["inference", "recordings"]) as served:
        named = {"x-llamastack-test": test}
        again = await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO}, headers=named)
        await served.client.post(CHAT, {"model": CHAT_MODEL, **HELLO, "seed": 1}, headers=named)
        missed = (await served.client.get(f"/v1alpha/recordings?test={quote(test)}")).json()["missed"]
    assert again.status == 200 and [one["operation"] for one in missed] == ["POST /v1/chat/completions"]


async def test_a_recorded_stream_can_take_its_time(world: World, upstream: Upstream) -> None:
    body = {"model": CHAT_MODEL, **HELLO, "stream": True}
    async with world.serving("record", upstream.url) as served:
        told = await served.client.post(CHAT, body)
    for path in world.folder.rglob("*POST*.json"):
        document = json.loads(path.read_text())
        count = len(document["answer"]["events"])
        document["answer"]["timing"] = {"began_ms": 40, "events_ms": [50 * place for place in range(count)]}
        path.write_text(json.dumps(document))
    async with world.serving("replay", UNUSED) as served:
        began = time.monotonic()
        await served.client.post(CHAT, body)
        quick_s = time.monotonic() - began
    async with world.serving("replay", UNUSED, timed=True) as served:
        began = time.monotonic()
        slow = await served.client.post(CHAT, body)
        slow_s = time.monotonic() - began
    assert slow.events() == told.events()
    assert slow_s >= (40 + 50 * (count - 1)) / 1000 > 0 and slow_s > quick_s


@pytest.mark.parametrize(
    "make", [lambda folder: None, lambda folder: folder.mkdir(), lambda folder: folder.write_text("x")]
)
def test_a_folder_without_recordings_says_how_to_make_some(make: Any, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    make(folder)
    with pytest.raises(RecordingError) as caught:
        Session(RecordingChoice(mode="replay", folder=folder))
    assert str(folder) in caught.value.message and caught.value.hint and "--record" in caught.value.hint


def test_what_turned_providers_on_is_known_without_its_secrets(tmp_path: Path) -> None:
    given = {
        "OPENAI_API_KEY": "sk-1",
        "OLLAMA_URL": "http://user:pw@localhost:1/v1",
        "STORE": "/home/me/x",
        "MODEL": "llama",
    }
    given |= {"VENDOR_KEY": "sk-2", "OF_A_PASSWORD_FIELD": "hunter", "CLOUD_PROJECT": "mine", "TENANT_ID": "t"}
    Manifest(recorded_variables(given, secrets=["hunter"]), {}).write(tmp_path)
    read = Manifest.read(tmp_path)
    assert read is not None
    assert read.variables == {
        "OF_A_PASSWORD_FIELD": "replay",
        "VENDOR_KEY": "replay",
        "CLOUD_PROJECT": "replay",
        "TENANT_ID": "replay",
        "MODEL": "llama",
        "OLLAMA_URL": "http://********@localhost:1/v1",
        "OPENAI_API_KEY": "replay",
    }


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    for module, names in ((clock, ("_now", "_stamp", "_span")), (ids, ("_other_digits", "_other_position"))):
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    return make_steady


def _made_by(request_id: str) -> list[Any]:
    with within(RequestContext(request_id=request_id)):
        return [ids.new_id("resp_"), ids.ordered_id("file-", ids.new_position()), clock.stamp()]


def test_ids_and_times_are_the_same_each_time(steady: Callable[[], None]) -> None:
    def made() -> list[Any]:
        steady()
        return [ids.new_id("req_"), clock.stamp(), *_made_by("one"), *_made_by("two"), clock.span(1.5)]

    first = made()
    assert made() == first and len(set(map(str, first))) == len(first)
    assert ids.position_in(str(first[3])) is not None


def test_ids_do_not_follow_from_how_often_somebody_looks_nor_from_what_a_request_is_called(
    steady: Callable[[], None],
) -> None:
    def made(looks: int, name: str) -> list[Any]:
        steady()
        found = _made_by(f"{name} 1")
        for look in range(looks):
            with within(RequestContext(request_id=ids.new_id("req_"))):
                found += [clock.stamp()] * (look == 0)
        return [*found, *_made_by(f"{name} 2"), ids.new_id("job_")]

    assert made(1, "mine") == made(7, "yours")


def test_an_id_is_not_given_twice_to_a_request_that_lasts(
    steady: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.recording.steady._REQUESTS", 2)
    steady()
    made = [_made_by(name)[0] for name in ("long", "a", "b", "c", "long", "d", "long")]
    assert len(set(made)) == len(made)
