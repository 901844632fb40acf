"""Asks a server for a response (OpenAI's Responses API), for what chat completions do not have: tools that the server
calls, and documents that it reads. Nothing of it is kept there.

https://platform.openai.com/docs/api-reference/responses. Knows events and items; prints nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from llama_cli.asking import ask
from llama_cli.conversation import answers
from llama_cli.conversation.answers import Answer, ToolCall, understood
from llama_cli.conversation.items import Item, text_of
from llama_cli.exits import ExitCode, Failure

RESPONSE = "/v1/responses"
_WHAT = "response"
_FINISHED = {"max_output_tokens": "length"}
"""Why a response is incomplete, in the words of chat completions; others stay."""
_NO_ROUTE = (404, 405, 501)
_CONNECTORS = "GET /v1/connectors"
_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))


def parts(url: str, body: Mapping[str, Any], *, stream: bool) -> Generator[Answer]:
    """What makes up an answer, as `answers.parts` gives it. Raises Failure."""
    try:
        with answers.asked(url, RESPONSE, body, stream=stream) as reply:
            if stream:
                yield from _streamed(reply, url)
            else:
                yield from understood(url, _WHAT, _whole, reply.json())
    except ask.Refusal as refusal:
        if refusal.status in _NO_ROUTE and refusal.param is None:
            refusal.hint = f"tools and documents need a server with {RESPONSE}, as those of Llama Stack are"
        elif _CONNECTORS in (refusal.hint or ""):  # a route is no help on a command line, where the name was typed
            refusal.hint, refusal.code = f"`llama api {_CONNECTORS}` lists those there are", ExitCode.USAGE
        raise


def _streamed(reply: ask.ServerReply, url: str) -> Iterator[Answer]:
    reading = _Events()
    for event in ask.events(reply):
        yield understood(url, _WHAT, reading.read, event)
        if reading.is_over:  # nothing follows, not even `[DONE]`
            return


class _Events:
    """is_over: whether the event came that ends a response."""

    def __init__(self) -> None:
        self.is_over = False
        self._has_spoken = False

    def read(self, event: Mapping[str, Any]) -> Answer:
        kind = event["type"].removeprefix("response.")
        if kind in ("output_text.delta", "refusal.delta"):
            self._has_spoken = True
            return Answer(content="" + event["delta"])
        if kind in ("reasoning_text.delta", "reasoning_summary_text.delta"):
            return Answer(reasoning="" + event["delta"])
        if kind == "output_item.added":
            return self._begun(event["item"])
        if kind == "output_item.done":
            return _done(event["item"])
        if kind in ("completed", "incomplete", "failed"):
            self.is_over = True
            return _ended(event["response"])
        if kind == "error":
            raise Failure("" + event["message"], code=ExitCode.NETWORK)
        return Answer()

    def _begun(self, item: Item) -> Answer:
        if item["type"] == "message":
            return Answer(begins=True, content="\n\n" if self._has_spoken else "")
        return Answer(calling=call_of(item)) if item["type"] == "mcp_call" else Answer()


def _whole(response: Mapping[str, Any]) -> list[Answer]:
    found: list[Answer] = []
    for item in response["output"]:
        if item["type"] == "message":
            has_spoken = any(part.content for part in found)
            found += [Answer(begins=True, content="\n\n" if has_spoken else ""), Answer(content=text_of(item))]
        elif item["type"] == "reasoning":
            thought = item.get("content") or item["summary"]
            found.append(Answer(reasoning="".join(part["text"] for part in thought)))
        found.append(_done(item))
    return [*found, _ended(response)]


def _done(item: Item) -> Answer:
    """An item that is over: what is to be shown of it, and the item itself where the conversation goes on with it."""
    if item["type"] == "mcp_call":
        return Answer(calls=[call_of(item)], items=[item])
    if item["type"] == "function_call":
        return Answer(unanswered=["" + item["name"]])
    return Answer(items=[item] if item["type"] in ("message", "mcp_approval_request") else [])


def call_of(item: Item) -> ToolCall:
    """The call of an item that is one, or that asks for one."""
    error = item.get("error")
    return ToolCall(
        server=item["server_label"],
        name=item["name"],
        arguments=item.get("arguments") or "",
        output=item.get("output"),
        error=_words(error) if error else None,
    )


def _words(error: Any) -> str:
    """What an error of a call says: a text, an object with a message, or what the tool itself has said."""
    if not isinstance(error, dict):
        return str(error)
    texts = [part.get("text") for part in error.get("content") or () if isinstance(part, dict)]
    said = "\n".join(text for text in texts if isinstance(text, str))
    return str(error.get("message") or said or error.get("type") or "it failed")


def _ended(response: Mapping[str, Any]) -> Answer:
    """Raises Failure (NETWORK) for a response that failed."""
    if response["status"] == "failed":
        error = response.get("error") or {}
        raise Failure(str(error.get("message") or "the response failed"), code=ExitCode.NETWORK)
    reason = (response.get("incomplete_details") or {}).get("reason")
    usage = response.get("usage")
    return Answer(finish_reason=_FINISHED.get(reason, reason) if reason else "stop", usage=_usage(usage))


def _usage(stated: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Under the names that chat completions have."""
    if stated is None:
        return None
    counts = {name: stated[theirs] for name, theirs in _COUNTS}
    return {**counts, "total_tokens": stated.get("total_tokens", sum(counts.values()))}
