"""Recordings that tests find: of ours, and in the form of llama-stack and ogx, written here by how they document it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.recording.documents import Recording, save
from runtime.recording.used import UsedLog

OLLAMA = "http://0.0.0.0:11434/v1"
CHAT = "/v1/chat/completions"
TEST = "tests/integration/test_chat.py::test_hello[txt=ollama/llama3.2:3b-instruct-fp16]"
MODEL = "llama3.2:3b-instruct-fp16"


def typed(kind: str, **data: Any) -> dict[str, Any]:
    """An object of a type of OpenAI's SDK, as it is written down."""
    return {"__type__": f"openai.types.{kind}", "__data__": data}


def completion(content: str | None = "Hello", **message: Any) -> dict[str, Any]:
    whole = {"content": content, "refusal": None, "role": "assistant", "function_call": None, "tool_calls": None}
    choice = {"finish_reason": "stop", "index": 0, "logprobs": None, "message": whole | message}
    return typed(
        "chat.chat_completion.ChatCompletion",
        id="rec-0123456789ab", choices=[choice], created=0, model=MODEL, object="chat.completion", service_tier=None,
        system_fingerprint="fp_ollama", usage={"completion_tokens": 2, "prompt_tokens": 4, "total_tokens": 6,
                                               "prompt_tokens_details": None},
    )  # fmt: skip


def chunk(content: str | None, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    whole = {"content": content, "function_call": None, "refusal": None, "role": "assistant", "tool_calls": None}
    choice = {"delta": whole | delta, "finish_reason": finish, "index": 0, "logprobs": None}
    return typed(
        "chat.chat_completion_chunk.ChatCompletionChunk",
        id="rec-0123456789ab", choices=[choice], created=0, model=MODEL, object="chat.completion.chunk", usage=None,
        service_tier=None, system_fingerprint="fp_ollama",
    )  # fmt: skip


def asked(content: str = "hello", **body: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], **body}


def peer_recording(
    body: dict[str, Any] | None = None, answer: Any = None, *, endpoint: str = CHAT, base: str = OLLAMA,
    test: str | None = TEST, streams: bool = False, **response: Any
) -> dict[str, Any]:  # fmt: skip
    """A call of OpenAI's SDK."""
    body = asked(stream=False) if body is None else body
    request = {
        "method": "POST",
        "url": f"{base}{endpoint}",
        "headers": {},
        "body": body,
        "endpoint": endpoint,
        "model": body.get("model", ""),
        "provider_metadata": {"openai_sdk_version": "2.30.0"},
    }
    answered = {"body": completion() if answer is None else answer, "is_streaming": streams, **response}
    return {"test_id": test, "request": request, "response": answered, "id_normalization_mapping": {}}


def peer_models(*names: str) -> dict[str, Any]:
    listed = [typed("model.Model", id=name, created=1778184253, object="model", owned_by="library") for name in names]
    return peer_recording({}, listed, endpoint="/v1/models", test=None)


def peer_search(query: str = "news") -> dict[str, Any]:
    """A search at Tavily, as the tool has answered."""
    content = (
        '{"query": "news", "top_k": [{"title": "T", "url": "https://t.example", "content": "words", "score": 0.9}]}'
    )
    result = {"__type__": "llama_stack_api.tools.ToolInvocationResult", "__data__": {"content": content,
              "error_message": None, "error_code": None, "metadata": None}}  # fmt: skip
    request = {"test_id": TEST, "provider": "tavily", "tool_name": "web_search", "kwargs": {"query": query}}
    return {"test_id": TEST, "request": request, "response": {"body": result, "is_streaming": False},
            "id_normalization_mapping": {}}  # fmt: skip


def keep_two(folder: Path) -> None:
    """Two answers of a chat, one of which is used."""
    (folder / "tests").mkdir(parents=True)
    for name in ("one", "two"):
        body = {"model": "m", "messages": [{"role": "user", "content": name}]}
        request = {"method": "POST", "server": "https://api.openai.com", "path": "/v1/chat/completions", "json": body}
        choice = {"index": 0, "message": {"role": "assistant", "content": f"{name}!"}, "finish_reason": "stop"}
        answer = {"status": 200, "headers": {}, "json": {"choices": [choice], "usage": {"total_tokens": 2}}}
        recording = Recording(provider="inference/openai", request=request, answer=answer, scope=f"tests/a.py::{name}")
        save(recording, folder / "tests" / f"{name}.json")
    log = UsedLog(folder)
    log.note(folder / "tests" / "one.json")
    log.close()
