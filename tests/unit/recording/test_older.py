"""Recordings of llama-stack and ogx become exchanges over HTTP, which a replay of this stack answers from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.recording.library import Library
from runtime.recording.older import NotImported, imported, united
from runtime.recording.said import said
from runtime.recording.session import RecordingChoice, Session
from runtime.stack.interposed import Interposed
from tests.support.recordings import (
    CHAT,
    MODEL,
    OLLAMA,
    TEST,
    asked,
    chunk,
    completion,
    peer_models,
    peer_recording,
    peer_search,
    typed,
)
from tests.support.stacks import openai_at, serving

VECTOR = [0.01 * place for place in range(20)]
CALLS = [{"index": 0, "id": "call_f6s1b0r3", "type": "function", "function": {"name": "greet", "arguments": "{}"}}]


def taken(value: Any, name: str | None = "ollama") -> Any:
    return imported(json.dumps(value).encode(), named=lambda server, test, model: name).recording


def test_a_call_of_an_sdk_becomes_what_was_sent() -> None:
    body = asked(stream=False, temperature=0.0, extra_body={"top_k": 3}, extra_headers={"x": "y"}, seed=None)
    one = taken(peer_recording(body | {"extra_query": {"v": 1}}))
    assert one.request == {
        "method": "POST",
        "server": "http://0.0.0.0:11434",
        "path": "/v1/chat/completions",
        "query": [["v", "1"]],
        "headers": {"content-type": "application/json"},
        "json": asked(stream=False, temperature=0.0, top_k=3),
    }
    assert (one.provider, one.scope) == ("inference/ollama", TEST)
    message = one.answer["json"]["choices"][0]["message"]
    assert message == {"content": "Hello", "role": "assistant"}  # without what a type has added
    assert one.answer["json"]["choices"][0]["logprobs"] is None and "service_tier" not in one.answer["json"]


@pytest.mark.parametrize(
    ("base", "endpoint", "server", "path"),
    [
        (OLLAMA, CHAT, "http://0.0.0.0:11434", "/v1/chat/completions"),
        ("https://api.fireworks.ai/inference/v1", CHAT, "https://api.fireworks.ai", "/inference/v1/chat/completions"),
        ("https://a.example/v1beta/openai/", "/v1/embeddings", "https://a.example", "/v1beta/openai/embeddings"),
        (OLLAMA, "/v1/openai/v1/chat/completions", "http://0.0.0.0:11434", "/v1/chat/completions"),
        ("__databricks__/serving-endpoints", CHAT, "", "/serving-endpoints/chat/completions"),
    ],
)
def test_the_path_that_was_asked_is_found(base: str, endpoint: str, server: str, path: str) -> None:
    one = taken(peer_recording(base=base.rstrip("/"), endpoint=endpoint))
    assert (one.request["server"], one.request["path"]) == (server, path)


def test_what_was_taken_down_below_an_sdk_is_an_exchange_already() -> None:
    request = {"test_id": TEST, "url": "https://a.example/v1/rerank", "method": "POST", "payload": {"query": "q"}}
    whole = {"status": 422, "body": {"detail": "no"}, "is_streaming": False}
    lines = ["event: message_start", 'data: {"type": "message_start"}', "", "event: ping", 'data: {"type": "ping"}', ""]
    one = taken({"test_id": TEST, "request": request, "response": whole})
    streamed = taken({"request": request, "response": {"body": lines, "is_streaming": True}})
    assert one.request["path"] == "/v1/rerank" and one.request["json"] == {"query": "q"}
    assert (one.answer["status"], one.answer["json"]) == (422, {"detail": "no"})
    assert [event["event"] for event in streamed.answer["events"]] == ["message_start", "ping"]


@pytest.mark.parametrize(
    ("response", "status", "error"),
    [
        (
            {"exception_data": {"category": "provider_sdk", "status_code": 404, "body": {"message": "gone"}}},
            404,
            {"message": "gone"},
        ),
        ({"exception_message": "Error code: 400 - no such field"}, 400, {"message": "no such field"}),
        (
            {"exception_data": {"category": "provider_sdk", "status_code": 422, "message": "Error code: 422 - no"}},
            422,
            {"message": "no"},
        ),
    ],
)
def test_an_exception_becomes_the_refusal_that_it_was(response: Any, status: int, error: Any) -> None:
    one = taken(peer_recording(answer={}, is_exception=True, **response))
    assert one.answer == {"status": status, "headers": {"content-type": "application/json"}, "json": {"error": error}}


def test_a_stream_that_broke_off_ends_with_its_error() -> None:
    facts = {"category": "provider_sdk", "status_code": 500, "body": {"message": "broke"}}
    one = taken(peer_recording(answer=[chunk("He")], streams=True, is_exception=True, exception_data=facts))
    assert [event["data"].get("error") for event in one.answer["events"]] == [None, {"message": "broke"}]


def test_ids_are_those_that_were_made_equal() -> None:
    value = peer_recording(asked("see file-abc"), completion("I see file-abc"))
    one = taken(value | {"id_normalization_mapping": {"file-1": "file-abc"}})
    assert one.request["json"]["messages"][0]["content"] == "see file-1"
    assert said(one.answer).choices[0].text == "I see file-1"


def test_several_lists_of_models_are_one() -> None:
    lists = [taken(peer_models("b", "c")), taken(peer_models("a", "b"))]
    tags = {"models": [{"model": "d"}]}
    lists.append(taken(peer_recording({}, typed("x", **tags), endpoint="/api/tags", base="http://0.0.0.0:11434")))
    whole = united(lists)
    assert (whole.request["method"], whole.request["path"], whole.scope) == ("GET", "/v1/models", "")
    assert [one["id"] for one in whole.answer["json"]["data"]] == ["a", "b", "c", "d"]
    assert [one.request["path"] for one in lists] == ["/v1/models"] * 3


def test_a_search_becomes_the_one_that_this_stack_asks() -> None:
    one = taken(peer_search())
    assert (one.provider, one.operation) == ("tool_runtime/tavily-search", "POST /search")
    assert one.request["json"] == {"query": "news", "max_results": 3}
    assert one.answer["json"]["results"][0]["url"] == "https://t.example"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("{", "it is not JSON"),
        ([], "it is no recording of llama-stack or ogx"),
        ({"request": {}, "response": {}}, "it is no recording of llama-stack or ogx"),
        (peer_recording(endpoint="/api/chat", base="http://0.0.0.0:11434"), "`/api/chat` is a path of Ollama's own"),
        (peer_recording(base="vertexai://", endpoint="/generate_content"), "it was taken above Google's SDK"),
        (peer_recording(answer={}, is_exception=True, exception_message="boom"), "an exception that no server"),
        (peer_search() | {"request": {"tool_name": "x", "provider": "pypdf"}}, "it is a call of `pypdf`"),
        (peer_search() | {"response": {"body": {"content": "no JSON"}}}, "are not as Tavily sends them"),
        (peer_recording(answer=[1], streams=True) | {"test_id": 7}, None),
        (peer_recording({"messages": 1}, [typed("m")], endpoint="/v1/models") | {"test_id": None}, "it is damaged"),
    ],
)
def test_what_cannot_become_an_exchange_says_why(value: Any, why: str | None) -> None:
    data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    if why is None:
        imported(data, named=lambda *_: "ollama")
        return
    with pytest.raises(NotImported) as caught:
        imported(data, named=lambda *_: "ollama")
    assert why in str(caught.value)


@pytest.mark.parametrize("broken", [{"body": None}, {"body": 5, "is_streaming": True}, {"body": [None]}])
def test_what_is_damaged_is_left_out(broken: dict[str, Any]) -> None:
    value = peer_models("a")
    value["response"] |= broken
    with pytest.raises(NotImported, match="it is damaged"):
        taken(value)


@pytest.mark.parametrize(
    "broken", [{"status": "ok"}, {"status": 99999}, {"body": None}, {"body": "words"}], ids=lambda one: str(one)
)
def test_nothing_is_imported_that_could_not_be_read_again(broken: dict[str, Any]) -> None:
    value = peer_recording()
    value["response"] |= broken
    with pytest.raises(NotImported, match=r"it is damaged|it has no answer"):
        taken(value)


@pytest.mark.parametrize(
    "names", [{"a": ""}, {"a": 5}, {"a": None}, {"a": ["x"]}, {"a": "{"}, {"a": '"'}, {"a": "choices"}]
)
def test_ids_that_are_none_damage_nothing(names: dict[str, Any]) -> None:
    one = taken(peer_recording() | {"id_normalization_mapping": names})
    assert said(one.answer).choices[0].text == "Hello"


def test_who_was_asked_has_to_be_known() -> None:
    with pytest.raises(NotImported, match=r"nothing says whose address `http://0\.0\.0\.0:11434` is"):
        taken(peer_recording(), None)


async def test_a_replay_of_this_stack_answers_from_them(tmp_path: Path) -> None:
    """As llama-stack's own tests ask: chats, streams, tools, embeddings and lists of models, a refusal."""
    chats: list[tuple[dict[str, Any], Any]] = [
        (asked(stream=False, temperature=0.0), completion()),
        (asked("again", stream=True, stream_options={"include_usage": True}), [chunk("Hel"), chunk("lo", "stop")]),
        (asked("with tools", stream=False, parallel_tool_calls=True), completion(None, tool_calls=CALLS)),
    ]
    library = Library(tmp_path / "recordings")
    for body, answer in chats:
        library.keep(taken(peer_recording(body, answer, streams=bool(body["stream"]))))
    embedded = typed("create_embedding_response.CreateEmbeddingResponse", object="list", model="e",
                     data=[{"embedding": VECTOR, "index": 0, "object": "embedding"}],
                     usage={"prompt_tokens": 1, "total_tokens": 1})  # fmt: skip
    embed = {"model": "e", "input": "x", "encoding_format": "float"}
    library.keep(taken(peer_recording(embed, embedded, endpoint="/v1/embeddings")))
    library.keep(united([taken(peer_models(MODEL)), taken(peer_models("e", "none"))]))
    refusal = {"category": "provider_sdk", "status_code": 404, "body": {"message": "no such model"}}
    library.keep(taken(peer_recording(asked("gone", model="none"), {}, is_exception=True, exception_data=refusal)))
    session = Session(RecordingChoice(mode="replay", folder=tmp_path / "recordings"))
    run = run_config({**openai_at(OLLAMA, "ollama"), "provider_type": "remote::ollama"})
    async with serving(run, tmp_path / "state", interposed=Interposed(session, variables={})) as served:

        async def post(path: str, body: dict[str, Any]) -> Any:
            return await served.client.post(path, body | {"model": f"ollama/{body['model']}"})

        hello = await post(CHAT, asked(temperature=0.0))  # not every client says `stream`
        again = await post(CHAT, asked("again", stream=True))
        tools = await post(CHAT, asked("with tools", stream=False, parallel_tool_calls=True))
        vectors = await post("/v1/embeddings", embed)
        gone = await post(CHAT, asked("gone", model="none"))
        models = await served.client.get("/v1/models")
    assert hello.json()["choices"][0]["message"]["content"] == "Hello"
    assert said({"events": [{"data": one} for one in again.events()]}).choices[0].text == "Hello"
    assert again.payloads()[-1] == "[DONE]"
    assert tools.json()["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "greet"
    assert vectors.json()["data"][0]["embedding"] == VECTOR
    assert (gone.status, "no such model" in gone.error["message"]) == (404, True)
    assert {"ollama/e", f"ollama/{MODEL}"} <= {one["id"] for one in models.json()["data"]}
    assert session.misses == ()
