"""What providers answer now to what was recorded: asked at their servers with their keys, or by their own methods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.admin.recordings import Asking, ask_anew
from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, Upstream
from runtime.errors import ConfigInvalid
from runtime.recording.documents import Recording, RecordingError, load, save
from runtime.recording.library import stored
from runtime.recording.session import RecordingChoice, Session
from runtime.stack.interposed import Interposed
from tests.support.examples import kettle
from tests.support.mounting import mount
from tests.support.stacks import openai_at, serving

KEY = "sk-configured-secret"
CHAT = "/v1/chat/completions"
HELLO = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": "hello"}], "store": False}
KETTLE = {"provider_id": "k", "provider_type": "inline::kettle"}


@pytest.fixture
def kettles(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[kettle.Kettle]]:
    mount(monkeypatch, kettle)
    monkeypatch.setattr(kettle.Kettle, "asked", [])
    yield kettle.Kettle


class Recorded:
    """A folder of recordings and a run config with the providers that it is asked of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recordings"
        self._home = folder

    async def record(self, *bodies: dict[str, Any], inference: list[dict[str, Any]]) -> None:
        session = Session(RecordingChoice(mode="record", folder=self.folder), secrets=lambda: [KEY])
        run = run_config(*inference)
        async with serving(run, self._home / "state", interposed=Interposed(session, variables={})) as served:
            for body in bodies:
                path = "/v1/embeddings" if "input" in body else CHAT
                await served.client.post(path, body)

    async def ask(self, *inference: dict[str, Any], names: list[str] | None = None, **how: Any) -> list[dict[str, Any]]:
        file = self._home / "run.yaml"
        file.write_text(
            json.dumps(
                {"version": 2, "distro_name": "t", "providers": {"inference": list(inference)}, **how.pop("run", {})}
            )
        )
        told: list[tuple[str, int, int]] = []
        asking = Asking(folder=self.folder, alike=0.5, **how)
        given = self.names if names is None else names
        rows = await ask_anew(file, given, asking, lambda *each: told.append(each))
        assert [(done, total) for _, done, total in told] == [(place + 1, len(given)) for place in range(len(given))]
        assert [row["file"] for row in rows] == given
        return rows

    @property
    def names(self) -> list[str]:
        return [str(one.path.relative_to(self.folder)) for one in stored(self.folder) if one.path]

    def keep(self, name: str, **facts: Any) -> None:
        self.folder.mkdir(exist_ok=True)
        save(Recording(**facts), self.folder / name)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def drift(row: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [one["path"] for one in row["schema"]], [one["path"] for one in row["meaning"]]


async def test_what_has_not_changed_is_the_same(recorded: Recorded, upstream: Upstream) -> None:
    upstream.key = KEY
    vendor = openai_at(upstream.url)
    bodies = [HELLO, {**HELLO, "stream": True}, {"model": EMBEDDING_MODEL, "input": ["a"]}]
    await recorded.record(*bodies, inference=[vendor])
    before = {name: (recorded.folder / name).read_bytes() for name in recorded.names}
    upstream.seen.clear()
    rows = await recorded.ask(vendor)
    assert {row["outcome"] for row in rows} == {"same"} and not any(map(any, map(drift, rows)))
    assert {row["operation"] for row in rows} == {"GET /v1/models", "POST /v1/chat/completions", "POST /v1/embeddings"}
    asked = [seen for seen in upstream.seen if seen.path.endswith("/chat/completions")]
    assert [seen.headers["authorization"] for seen in asked] == [f"Bearer {KEY}"] * 2
    assert all(isinstance(row["duration_s"], float) for row in rows)
    assert {name: (recorded.folder / name).read_bytes() for name in recorded.names} == before


async def test_another_schema_and_another_meaning_are_told_apart(recorded: Recorded, upstream: Upstream) -> None:
    vendor = openai_at(upstream.url)
    await recorded.record(HELLO, inference=[vendor])

    async def changed(request: web.Request) -> web.StreamResponse:
        message = {"role": "assistant", "content": "Something else altogether, which nobody has recorded before"}
        choice = {"index": 0, "message": message, "finish_reason": "length", "logprobs": None}
        return web.json_response({"id": "x", "object": "chat.completion", "created": "now", "model": "m",
                                  "choices": [choice], "usage": {"total_tokens": 1}, "provider": "n"})  # fmt: skip

    upstream.misbehaves = changed
    [row] = [row for row in await recorded.ask(vendor) if row["operation"].startswith("POST")]
    schema, meaning = drift(row)
    assert row["outcome"] == "drifted"
    assert {"provider", "usage.prompt_tokens", "created"} <= set(schema)
    assert meaning == ["choices[0].finish_reason", "choices[0].text"]
    assert "Something else" in row["meaning"][1]["now"] and row["schema"][0].keys() == {"path", "recorded", "now"}


async def test_a_model_that_is_gone_is_a_change_of_meaning(recorded: Recorded, upstream: Upstream) -> None:
    vendor = openai_at(upstream.url)
    await recorded.record(HELLO, inference=[vendor])
    upstream.models = [EMBEDDING_MODEL]
    listed, chat = sorted(await recorded.ask(vendor), key=lambda row: row["operation"])
    assert drift(listed) == ([], ["data[].id"])
    assert drift(chat) == ([], ["status", "answer"])


@pytest.mark.parametrize(
    ("vendor", "why"),
    [
        (lambda url: openai_at("http://127.0.0.1:9/v1"), "cannot be reached"),
        (lambda url: openai_at(url, api_key="sk-another-secret"), "refuses the key (401)"),
        (lambda url: openai_at(url, api_key=None), "OPENAI_API_KEY"),
        (lambda url: openai_at(url, "other"), "there is no provider `inference/vendor` in the run config"),
    ],
    ids=["down", "refused", "no key", "another"],
)
async def test_a_provider_that_does_not_answer_is_named_with_the_reason(
    recorded: Recorded, upstream: Upstream, vendor: Any, why: str
) -> None:
    await recorded.record(HELLO, inference=[openai_at(upstream.url)])
    upstream.key = KEY
    rows = await recorded.ask(vendor(upstream.url))
    assert {row["outcome"] for row in rows} == {"unreachable"}
    assert why in rows[0]["message"] and "sk-another-secret" not in rows[0]["message"]


async def test_a_refusal_that_passes_is_no_drift(recorded: Recorded, upstream: Upstream) -> None:
    vendor = openai_at(upstream.url)
    await recorded.record(HELLO, inference=[vendor])

    async def busy(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "later"}}, status=429)

    upstream.misbehaves = busy
    rows = await recorded.ask(vendor)
    assert {(row["outcome"], "it answers 429, which may pass" in row["message"]) for row in rows} == {
        ("unreachable", True)
    }


async def test_a_key_goes_to_its_own_server_whatever_a_file_says(recorded: Recorded, upstream: Upstream) -> None:
    """Whoever can change a recording cannot have keys sent to an address of theirs."""
    request = {"method": "POST", "server": "http://127.0.0.1:9", "path": "/v1/chat/completions", "json": HELLO}
    answer = {"status": 200, "json": {}}
    recorded.keep("one.json", provider="inference/vendor", request=request, answer=answer)
    [row] = await recorded.ask(openai_at(upstream.url))
    assert row["outcome"] == "drifted" and [seen.path for seen in upstream.seen] == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("provider", "request_", "why"),
    [
        ("inference/vendor", {"method": "POST", "path": "/x", "json": {"key": "<hidden>"}}, "something secret"),
        ("inference/vendor", {"method": "DELETE", "path": "/v1/models/mine"}, "`DELETE /v1/models/mine` may change"),
        ("files/vendor", {"method": "POST", "path": "/v1/files", "parts": []}, "may change what the provider keeps"),
        ("connectors/builtin", {"call": "call_server_tool", "json": {}}, "`call_server_tool` may change"),
        ("inference/vendor", {"call": "chat_completion", "json": {"model": 1}}, "does not take this request any more"),
        ("inference/vendor", {"call": "chat", "json": {}}, "it has no `chat` any more"),
    ],
)
async def test_what_cannot_be_asked_by_itself_is_not(
    recorded: Recorded, upstream: Upstream, provider: str, request_: dict[str, Any], why: str
) -> None:
    recorded.keep("one.json", provider=provider, request=request_, answer={"status": 200, "json": {}})
    [row] = await recorded.ask(openai_at(upstream.url))
    assert row["outcome"] == "not_asked" and why in row["message"] and upstream.seen == []


async def test_what_computes_in_this_process_is_asked_by_its_methods(
    recorded: Recorded, kettles: type[kettle.Kettle], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [
        {"model": "k/steam", "messages": [{"role": "user", "content": text}], "store": False, "stream": streams}
        for text, streams in (("hello", False), ("one two three", True), ("cold", False))
    ]
    await recorded.record(*said, inference=[KETTLE])
    kettles.asked.clear()
    rows = await recorded.ask(KETTLE)
    assert [(row["operation"], row["outcome"]) for row in rows] == [("chat_completion", "same")] * 3
    assert len(kettles.asked) == 3

    async def silent(self: Any, request: Any) -> Any:
        raise RuntimeError("sk-another-secret")

    async def colder(self: Any, request: Any) -> Any:
        from runtime.errors import RequestError

        raise RequestError("It is frozen", code="frozen")

    monkeypatch.setattr(kettle.Kettle, "chat_completion", colder)
    assert {(row["outcome"], *map(tuple, drift(row))) for row in await recorded.ask(KETTLE)} == {
        ("drifted", (), ("answer",)),
        ("drifted", (), ("error",)),
    }
    monkeypatch.setattr(kettle.Kettle, "chat_completion", silent)
    rows = await recorded.ask(KETTLE)
    assert {row["outcome"] for row in rows} == {"unreachable"} and "sk-another-secret" not in str(rows)


async def test_what_is_recorded_anew_takes_the_place_of_the_same_file(recorded: Recorded, upstream: Upstream) -> None:
    upstream.key = KEY
    vendor = openai_at(upstream.url)
    await recorded.record({**HELLO, "stream": True}, inference=[vendor])
    [name] = [name for name in recorded.names if "chat" in name]
    before = load(recorded.folder / name)
    events = [{"id": KEY, "choices": [{"index": 0, "delta": {"content": "new"}, "finish_reason": "stop"}]}]

    async def changed(request: web.Request) -> web.StreamResponse:
        body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
        return web.Response(body=body, content_type="text/event-stream")

    upstream.misbehaves = changed
    [row] = await recorded.ask(vendor, names=[name], writes=True)
    after = load(recorded.folder / name)
    assert (row["outcome"], row["written"]) == ("drifted", True)
    assert (after.request, after.scope) == (before.request, before.scope)
    assert [event["data"] for event in after.answer["events"]] == [{**events[0], "id": "<hidden>"}, "[DONE]"]
    assert "began_ms" in after.answer["timing"] and KEY not in (recorded.folder / name).read_text()
    [again] = await recorded.ask(vendor, names=[name])
    assert again["outcome"] == "same"


async def test_what_did_not_answer_keeps_its_recording(recorded: Recorded, upstream: Upstream) -> None:
    await recorded.record(HELLO, inference=[openai_at(upstream.url)])
    before = {name: (recorded.folder / name).read_bytes() for name in recorded.names}
    rows = await recorded.ask(openai_at("http://127.0.0.1:9/v1"), writes=True)
    assert not any(row["written"] for row in rows)
    assert {name: (recorded.folder / name).read_bytes() for name in recorded.names} == before


async def test_a_damaged_recording_and_a_run_config_that_is_none_are_named(recorded: Recorded) -> None:
    recorded.folder.mkdir()
    (recorded.folder / "one.json").write_text("{")
    with pytest.raises(RecordingError, match=r"one\.json"):
        await recorded.ask(names=["one.json"])
    with pytest.raises(ConfigInvalid):
        await recorded.ask({"provider_id": "a", "provider_type": "remote::olama"}, names=[])
