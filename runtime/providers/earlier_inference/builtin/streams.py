"""Streamed answers of `inference` as the earlier events: `start`, `progress`, `complete`."""

from __future__ import annotations

from runtime.apis.inference.calls import Calls
from runtime.apis.inference.sense import making_sense
from runtime.providers.earlier_inference.builtin.answers import (
    DOOR,
    chat_logprobs,
    completion_logprobs,
    metrics,
    no_choice,
    refused_in,
    said_in,
    stop_reason,
    tool_call,
)
from runtime.sse import End, Frames, Json, is_json_object


class _Events:
    """What the events of both forms are told from: how the one choice goes on, why it ended, and token counts."""

    def __init__(self) -> None:
        self._finished: str | None = None
        self._usage: Json | None = None
        self._has_choice = False

    def _news(self, frames: Frames) -> list[Json]:
        """What the chunks of one read have that is new. Raises UpstreamError for chunks that make no sense."""
        events: list[Json] = []
        with making_sense(DOOR):
            for chunk in frames.events():
                self._usage = chunk.get("usage") or self._usage
                for choice in chunk.get("choices") or ():
                    self._has_choice = True
                    self._finished = choice.get("finish_reason") or self._finished
                    events += self._progress(choice, chunk)
        return events

    def _progress(self, choice: Json, chunk: Json) -> list[Json]:
        raise NotImplementedError

    def _measured(self, last: Json) -> Json:
        """The last event, with the counts. Raises UpstreamError for a stream that had no choice."""
        if not self._has_choice:
            raise no_choice()
        counted = metrics(self._usage)
        return last if counted is None else {**last, "metrics": counted}


class ChatEvents(_Events):
    """A `Stage` that tells a chat completion's chunks in events of the earlier API."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = _CallEvents()
        self._has_begun = False

    async def read(self, frames: Frames) -> Frames | None:
        """Raises UpstreamError for chunks that make no sense."""
        return self._told(self._news(frames))

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """The calls that are not told yet, and `complete`. Raises UpstreamError for a stream that had no choice."""
        if how != "complete":
            return None
        reason = stop_reason(self._finished, self._calls.all)
        last = self._measured(_event("complete", _text(""), stop_reason=reason))
        return self._told([*self._calls.news(are_over=True), last])

    def _told(self, events: list[Json]) -> Frames | None:
        if not self._has_begun:
            self._has_begun = True
            events = [_event("start", _text("")), *events]
        return Frames.of(*events) if events else None

    def _progress(self, choice: Json, chunk: Json) -> list[Json]:
        delta = choice.get("delta") or {}
        logprobs = chat_logprobs(choice.get("logprobs"))
        events = []
        if (text := said_in(delta)) or logprobs:  # a token may be half a letter, or a piece of a call
            events.append(_event("progress", _text(text), logprobs=logprobs))
        for part in delta.get("tool_calls") or ():
            self._calls.add(part)
            events += self._calls.news()
        return events


class _CallEvents:
    """Calls of tools, told one after the other: the events do not say which call they are about. Where a provider
    writes several at a time, the others wait for the end of the first.
    """

    def __init__(self) -> None:
        self.all = Calls()
        self._ended = 0  # how many are told to their end
        self._pieces: int | None = None  # how many pieces of the next one are told; None before it is begun

    def add(self, part: Json) -> None:
        self.all.add(part)

    def news(self, *, are_over: bool = False) -> list[Json]:
        """What is not told yet. Raises UpstreamError for a call that has ended and names no tool."""
        events = []
        for call in list(self.all)[self._ended :]:
            if self._pieces is None:
                self._pieces = 0
                events.append(_called("", "started"))
            if new := call.parts[self._pieces :]:
                self._pieces = len(call.parts)
                events.append(_called("".join(new), "in_progress"))
            is_last = self._ended == len(self.all) - 1
            if not are_over and (is_last or not is_json_object(call.arguments.encode())):
                break
            whole, is_whole = tool_call(call, self.all)
            events.append(_called(whole, "succeeded" if is_whole else "failed"))
            self._ended, self._pieces = self._ended + 1, None
        return events


class CompletionEvents(_Events):
    """A `Stage` that tells a text completion's chunks in events of the earlier API."""

    async def read(self, frames: Frames) -> Frames | None:
        """Raises UpstreamError for chunks that make no sense."""
        events = self._news(frames)
        return Frames.of(*events) if events else None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """Why the text ended. Raises UpstreamError for a stream that had no choice."""
        if how != "complete":
            return None
        return Frames.of(self._measured({"delta": "", "stop_reason": stop_reason(self._finished)}))

    def _progress(self, choice: Json, chunk: Json) -> list[Json]:
        text, logprobs = choice.get("text") or refused_in(chunk), completion_logprobs(choice.get("logprobs"))
        if not (text or logprobs):
            return []
        return [{"delta": text, **({"logprobs": logprobs} if logprobs else {})}]


def _event(kind: str, delta: Json, **others: object) -> Json:
    return {"event": {"event_type": kind, "delta": delta, **{n: v for n, v in others.items() if v is not None}}}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _called(said: str | Json, status: str) -> Json:
    return _event("progress", {"type": "tool_call", "tool_call": said, "parse_status": status})
