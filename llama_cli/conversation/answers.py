"""Asks a server for a completion and reads what comes back, whole or piece by piece.

Knows how chat completions and completions look; prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words

T = TypeVar("T")

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
_TIMEOUT_S = 600.0
"""Between two reads: a model that is still loading can take its time for the first token."""
_NAMES = {CHAT: "chat completion", COMPLETION: "completion"}
_MOST_NAMES = 3
_ROUNDS = ("max_tool_calls", "max_infer_iters")


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A tool that the server calls for the model. server: its label; arguments: a JSON object, as text; output, error:
    what came of it, None where nothing did.
    """

    server: str
    name: str
    arguments: str
    output: str | None = None
    error: str | None = None


@dataclass
class Answer:
    """An answer, or the next part of one. reasoning: what the model thought before it; finish_reason and usage: None
    until the server states them.

    begins: of a part, whether it begins another message; last: what the last message says. calling: of a part, a call
    that begins; calls: those that are over; unanswered: functions that the model wants to be called by whoever asked
    it; items: what came, as OpenAI's Responses API has it.
    """

    content: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    begins: bool = False
    last: str = ""
    calling: ToolCall | None = None
    calls: list[ToolCall] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)

    def add(self, part: Answer) -> None:
        self.content += part.content
        self.last = "" if part.begins or part.calling else self.last + part.content
        self.reasoning += part.reasoning
        self.finish_reason = part.finish_reason or self.finish_reason
        self.usage = part.usage or self.usage
        self.calls += part.calls
        self.unanswered += part.unanswered
        self.items += part.items

    def cut(self, max_tokens: int | None) -> str | None:
        """Why an answer ended early, and what would allow more; None for one that did not."""
        if self.unanswered:
            names = words.some([f"`{name}`" for name in self.unanswered], _MOST_NAMES)
            return f"ended with a call of {names}, which nobody answers here; with `--tool mcp:URL` the server does"
        if self.finish_reason == "content_filter":
            return "cut by the provider's filter"
        if self.finish_reason in _ROUNDS:
            return f"ended by the server after so many calls of tools (`{self.finish_reason}`)"
        if self.finish_reason != "length":
            return None
        stated = (self.usage or {}).get("completion_tokens")
        used = stated if isinstance(stated, int) else None
        if max_tokens is not None and (used is None or used >= max_tokens):
            return f"cut at {max_tokens} tokens; --max-tokens allows more"
        # A model whose context is full stops before any bound, and more of those would not help.
        return f"cut{f' at {used} tokens' if used is not None else ''}, where the model's context ends"


def parts(url: str, path: str, body: Mapping[str, Any], *, stream: bool) -> Generator[Answer]:
    """What makes up an answer, in one part unless it is streamed. Raises Failure where it does not come whole.

    The connection, and with it the server's work, ends when the generator is closed.
    """
    with asked(url, path, body, stream=stream) as reply:
        if stream:
            yield from _streamed(reply, url, path)
        else:
            yield understood(url, _NAMES[path], _whole, reply.json())


@contextmanager
def asked(url: str, path: str, body: Mapping[str, Any], *, stream: bool) -> Iterator[ask.ServerReply]:
    """The open reply of a model, which can take its time. Raises Failure."""
    with ask.request(url, path, {**body, "stream": True} if stream else body, timeout_s=_TIMEOUT_S) as reply:
        for warning in reply.warnings:
            console.detail(f"{url}: {warning}")
        yield reply


def _streamed(reply: ask.ServerReply, url: str, path: str) -> Iterator[Answer]:
    finished: dict[Any, bool] = {}  # by choice: whether it has said why it ended

    def read(event: Mapping[str, Any]) -> Answer:
        found = Answer(usage=event.get("usage"))
        for choice in event.get("choices") or ():
            found.add(_of_choice(choice, choice.get("delta") or {}))
            index = choice.get("index", 0)
            finished[index] = finished.get(index, False) or bool(choice.get("finish_reason"))
        return found

    for event in ask.events(reply, is_whole=lambda: bool(finished) and all(finished.values())):
        yield understood(url, _NAMES[path], read, event)


def _whole(completion: Mapping[str, Any]) -> Answer:
    choice = completion["choices"][0]
    answer = _of_choice(choice, choice["message"] if "text" not in choice else {})
    answer.usage = completion.get("usage")
    return answer


def _of_choice(choice: Mapping[str, Any], message: Mapping[str, Any]) -> Answer:
    """Of a chat, what is in its message; otherwise its text. A model's refusal is what it has to say."""
    return Answer(
        content="" + (message.get("content") or message.get("refusal") or choice.get("text") or ""),
        # vLLM's newer name for it comes second
        reasoning="" + (message.get("reasoning_content") or message.get("reasoning") or ""),
        finish_reason=choice.get("finish_reason"),
        # Of a stream, the first piece of a call has its name.
        unanswered=[name for call in message.get("tool_calls") or () if (name := _function(call))],
    )


def _function(call: Mapping[str, Any]) -> str:
    return "" + ((call.get("function") or {}).get("name") or "")


def understood(url: str, what: str, read: Callable[[Any], T], document: Any) -> T:
    """A server's JSON, read. Raises Failure (NETWORK) where it has not the shape of `what`."""
    try:
        return read(document)
    except (AttributeError, TypeError, LookupError) as error:
        raise Failure(f"{url} answered with JSON that is no {what}", code=ExitCode.NETWORK) from error
