"""Streamed answers of `inference` as the earlier events: `start`, `progress`, `complete`."""

from __future__ import annotations

from runtime.providers.earlier_inference.builtin.answers import (
    chat_logprobs,
    completion_logprobs,
    metrics,
    stop_reason,
    tool_call,
)
from runtime.sse import End, Frames, Json


class _Call:
    """A call of a tool as far as the model has written it."""

    def __init__(self) -> None:
        self.call_id = self.name = ""
        self.written: list[str] = []


class ChatEvents:
    """A `Stage` that tells a chat completion's chunks in events of the earlier API."""

    def __init__(self) -> None:
        self._call: _Call | None = None  # the one that is being written
        self._calls = -1  # its index
        self._finished: str | None = None
        self._usage: Json | None = None
        self._has_begun = False

    async def read(self, frames: Frames) -> Frames | None:
        """What the chunks of one read have that is new."""
        events: list[Json] = []
        for chunk in frames.events():
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk.get("choices") or ():
                events += self._progress(choice)
        return self._told(events)

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """The end of a call that is being written, and `complete`."""
        if how != "complete":
            return None
        last = _event("complete", _text(""), stop_reason=stop_reason(self._finished))
        if (counted := metrics(self._usage)) is not None:
            last["metrics"] = counted
        return self._told([*self._end_of_call(), last])

    def _told(self, events: list[Json]) -> Frames | None:
        if not self._has_begun:
            self._has_begun = True
            events = [_event("start", _text("")), *events]
        return Frames.of(*events) if events else None

    def _progress(self, choice: Json) -> list[Json]:
        delta = choice.get("delta") or {}
        self._finished = choice.get("finish_reason") or self._finished
        logprobs = chat_logprobs(choice.get("logprobs"))
        events = []
        if text := delta.get("content") or delta.get("refusal"):
            events.append(_event("progress", _text(text), logprobs=logprobs))
        for part in delta.get("tool_calls") or ():
            events += self._part_of_call(part)
        return events

    def _part_of_call(self, part: Json) -> list[Json]:
        events = []
        index = part.get("index") or 0
        if index != self._calls or self._call is None:
            events += self._end_of_call()
            self._call, self._calls = _Call(), index
            events.append(_called("", "started"))
        function = part.get("function") or {}
        self._call.call_id = part.get("id") or self._call.call_id
        self._call.name = function.get("name") or self._call.name
        if written := function.get("arguments"):
            self._call.written.append(written)
            events.append(_called(written, "in_progress"))
        return events

    def _end_of_call(self) -> list[Json]:
        call, self._call = self._call, None
        if call is None:
            return []
        whole, is_whole = tool_call(call.call_id, call.name, "".join(call.written))
        return [_called(whole, "succeeded" if is_whole else "failed")]


class CompletionEvents:
    """A `Stage` that tells a text completion's chunks in events of the earlier API."""

    def __init__(self) -> None:
        self._finished: str | None = None
        self._usage: Json | None = None

    async def read(self, frames: Frames) -> Frames | None:
        """What the chunks of one read have that is new."""
        events: list[Json] = []
        for chunk in frames.events():
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk.get("choices") or ():
                self._finished = choice.get("finish_reason") or self._finished
                if text := choice.get("text"):
                    logprobs = completion_logprobs(choice.get("logprobs"))
                    events.append({"delta": text, **({"logprobs": logprobs} if logprobs else {})})
        return Frames.of(*events) if events else None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """Why the text ended."""
        if how != "complete":
            return None
        last: Json = {"delta": "", "stop_reason": stop_reason(self._finished)}
        if (counted := metrics(self._usage)) is not None:
            last["metrics"] = counted
        return Frames.of(last)


def _event(kind: str, delta: Json, **others: object) -> Json:
    return {"event": {"event_type": kind, "delta": delta, **{n: v for n, v in others.items() if v is not None}}}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _called(said: str | Json, status: str) -> Json:
    return _event("progress", {"type": "tool_call", "tool_call": said, "parse_status": status})
