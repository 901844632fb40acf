"""Whole answers of `inference` as the earlier ones."""

from __future__ import annotations

from typing import Any

from runtime.sse import Json, decode

_REASONS = {"stop": "end_of_turn", "length": "out_of_tokens", "tool_calls": "end_of_message"}
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def stop_reason(finished: str | None) -> str:
    """Why an answer ended; a word of a vendor's own is the end of the turn."""
    return _REASONS.get(finished or "", "end_of_turn")


def metrics(usage: Json | None) -> list[Json] | None:
    """Token counts, None if nothing was counted."""
    counted = [{"metric": name, "value": usage[name], "unit": "tokens"} for name in _COUNTS if usage and name in usage]
    return counted or None


def chat_answer(completion: Json) -> Json:
    """A whole chat answer."""
    choice = completion["choices"][0]
    message = choice["message"]
    said: Json = {
        "role": "assistant",
        "content": message.get("content") or message.get("refusal") or "",
        "stop_reason": stop_reason(choice.get("finish_reason")),
    }
    if calls := message.get("tool_calls"):
        said["tool_calls"] = [
            tool_call(call["id"], call["function"]["name"], call["function"]["arguments"])[0] for call in calls
        ]
    return _whole(
        {"completion_message": said}, logprobs=chat_logprobs(choice.get("logprobs")), usage=completion.get("usage")
    )


def completion_answer(completion: Json) -> Json:
    """A whole text completion."""
    choice = completion["choices"][0]
    said = {"content": choice["text"], "stop_reason": stop_reason(choice.get("finish_reason"))}
    return _whole(said, logprobs=completion_logprobs(choice.get("logprobs")), usage=completion.get("usage"))


def vectors_of(embeddings: Json) -> list[Any]:
    """The vectors in the order of the texts."""
    return [one["embedding"] for one in sorted(embeddings["data"], key=lambda one: one["index"])]


def tool_call(call_id: str, name: str, written: str) -> tuple[Json, bool]:
    """A call, and whether what the model has written as its arguments is a JSON object."""
    try:
        arguments: Json | str = decode(written.encode() or b"{}")
    except (ValueError, TypeError):
        arguments = written
    said = {"call_id": call_id, "tool_name": name, "arguments": arguments, "arguments_json": written or "{}"}
    return said, isinstance(arguments, dict)


def chat_logprobs(given: Json | None) -> list[Json] | None:
    """Of each token of a chat answer: what could have stood there, or itself alone."""
    if not given or not given.get("content"):
        return None
    return [
        {
            "logprobs_by_token": {
                other["token"]: other["logprob"] for other in [*(token.get("top_logprobs") or ()), token]
            }
        }
        for token in given["content"]
    ]


def completion_logprobs(given: Json | None) -> list[Json] | None:
    """The same of a text completion."""
    if not given or not given.get("tokens"):
        return None
    likeliest = given.get("top_logprobs") or [None] * len(given["tokens"])
    return [
        {"logprobs_by_token": {**(others or {}), **({token: own} if own is not None else {})}}
        for token, own, others in zip(given["tokens"], given["token_logprobs"], likeliest, strict=True)
    ]


def _whole(said: Json, *, logprobs: list[Json] | None, usage: Json | None) -> Json:
    if logprobs is not None:
        said["logprobs"] = logprobs
    if (counted := metrics(usage)) is not None:
        said["metrics"] = counted
    return said
