"""Whole answers of `inference` as the earlier ones."""

from __future__ import annotations

from typing import Any

from runtime.apis.inference.calls import Call, Calls
from runtime.apis.inference.guardrails import violation_in
from runtime.apis.inference.sense import making_sense, text_of
from runtime.errors import UpstreamError
from runtime.ids import new_id
from runtime.providers._earlier.called import called
from runtime.sse import Json

DOOR = "earlier_inference"
"""Who reads the answers, where one makes no sense."""
_REASONS = {"stop": "end_of_turn", "length": "out_of_tokens", "tool_calls": "end_of_message"}
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def stop_reason(finished: str | None, calls: Calls | None = None) -> str:
    """Why an answer ended; a word of a vendor's own is the end of the turn. Clients run the calls of a message that
    waits for them: some vendors say `stop` there.
    """
    reason = _REASONS.get(finished or "", "end_of_turn")
    return "end_of_message" if calls and reason == "end_of_turn" else reason


def metrics(usage: Json | None) -> list[Json] | None:
    """Token counts, None if nothing was counted."""
    given = usage or {}
    told = [(name, given[name]) for name in _COUNTS if given.get(name) is not None]
    return [{"metric": name, "value": value, "unit": "tokens"} for name, value in told] or None


def chat_answer(completion: Json) -> Json:
    """A whole chat answer. Raises UpstreamError for one that makes no sense."""
    with making_sense(DOOR):
        choice = _choice(completion)
        message = choice["message"]
        calls = Calls()
        for place, part in enumerate(message.get("tool_calls") or ()):
            calls.add({**part, "index": place})
        said: Json = {
            "role": "assistant",
            "content": said_in(message),
            "stop_reason": stop_reason(choice.get("finish_reason"), calls),
        }
        if calls:
            said["tool_calls"] = [tool_call(call, calls)[0] for call in calls]
        logprobs = chat_logprobs(choice.get("logprobs"))
        return _whole({"completion_message": said}, logprobs=logprobs, usage=completion.get("usage"))


def completion_answer(completion: Json) -> Json:
    """A whole text completion. Raises UpstreamError for one that makes no sense."""
    with making_sense(DOOR):
        choice = _choice(completion)
        said = {
            "content": choice["text"] or refused_in(completion),
            "stop_reason": stop_reason(choice.get("finish_reason")),
        }
        return _whole(said, logprobs=completion_logprobs(choice.get("logprobs")), usage=completion.get("usage"))


def vectors_of(embeddings: Json) -> list[Any]:
    """The vectors in the order of the texts. Raises UpstreamError where they make no sense."""
    with making_sense(DOOR):
        return [one["embedding"] for one in sorted(embeddings["data"], key=lambda one: one["index"])]


def no_choice() -> UpstreamError:
    """The error for an answer that has none: one may be empty, but has a choice."""
    return UpstreamError("The model's provider sent an answer without a choice", provider_id=DOOR)


def said_in(message: Json) -> str:
    """The text of a message or of a part of one; a refusal is its text too."""
    return text_of(message.get("content")) or text_of(message.get("refusal"))


def refused_in(completion: Json) -> str:
    """What is said in the place of a text completion that a shield has stopped, whole or in chunks; else empty. Chats
    have it in their message.
    """
    violation = violation_in(completion)
    return violation["user_message"] if violation is not None else ""


def tool_call(call: Call, calls: Calls) -> tuple[Json, bool]:
    """A call, and whether what the model has written as its arguments is a JSON object. calls: those of the same
    answer, among which it gets an id of its own where its provider gave none. Raises UpstreamError for one that names
    no tool.
    """
    if not call.name:
        raise UpstreamError("The model called a tool without naming it", provider_id=DOOR)
    call.id = call.given if call.given and not calls.is_taken(call.given) else new_id("call_")
    return called(call.id, call.name, call.arguments)


def chat_logprobs(given: Json | None) -> list[Json] | None:
    """Of each token of a chat answer: what could have stood there, or itself alone."""
    tokens = (given.get("content") or given.get("refusal")) if given else None
    if not tokens:
        return None
    return [
        {
            "logprobs_by_token": {
                other["token"]: other["logprob"] for other in [*(token.get("top_logprobs") or ()), token]
            }
        }
        for token in tokens
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


def _choice(completion: Json) -> Json:
    choices = completion.get("choices")
    if not choices:
        raise no_choice()
    first: Json = choices[0]
    return first


def _whole(said: Json, *, logprobs: list[Json] | None, usage: Json | None) -> Json:
    if logprobs is not None:
        said["logprobs"] = logprobs
    if (counted := metrics(usage)) is not None:
        said["metrics"] = counted
    return said
