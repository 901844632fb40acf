"""A streamed answer of Messages as OpenAI's chunks.

https://platform.claude.com/docs/en/build-with-claude/streaming (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.apis.inference.calls import EXTRA, call_message, read_arguments
from runtime.apis.inference.sense import making_sense
from runtime.providers.inference._messages.answers import completion_of
from runtime.providers.inference._messages.kept import Kept
from runtime.providers.inference._messages.said import (
    annotations_of,
    counts_in,
    end_of,
    head_of,
    refusal_in,
    usage_of,
)
from runtime.providers.inference._openai_compatible.streams import as_events
from runtime.sse import End, Frames, Json, encode


class Finished:
    """Complete when the message has a reason to stop: there is no `[DONE]`."""

    is_complete = False

    def see(self, data: bytes) -> None:
        if self.is_complete or not any(word in data for word in (b'"message_delta"', b'"message_stop"', b'"message"')):
            return
        try:
            self.is_complete = any(_is_end(event) for event in Frames(data).events())
        except ValueError:  # whoever reads the events is told
            self.is_complete = False


def _is_end(event: Any) -> bool:
    kind = event.get("type") if isinstance(event, dict) else None
    delta = event.get("delta") if kind == "message_delta" else None
    return kind in ("message_stop", "message") or (isinstance(delta, dict) and bool(delta.get("stop_reason")))


def as_event(answer: Json) -> Frames | None:
    """An answer that is not streamed, as the only event; None if it is none."""
    return Frames.of(answer) if answer.get("type") == "message" else None


@dataclass
class _Begun:
    """A block that is being written. text: what has come of it: text, thinking or JSON. at: where it stands: a call
    among the calls, a text in the whole text.
    """

    block: Json
    text: list[str] = field(default_factory=list)
    at: int = 0


class Chunks:
    """A stage that makes chunks of events. wants_usage: whether the last one is to have the token counts.
    has_answer_tool: as of `completion_of`.
    """

    def __init__(self, model: str, provider_id: str, *, wants_usage: bool, has_answer_tool: bool) -> None:
        self._model = model
        self._provider_id = provider_id
        self._wants_usage = wants_usage
        self._has_answer_tool = has_answer_tool
        self._head: Json | None = None
        self._counts: Json = {}
        self._blocks: dict[int, _Begun] = {}
        self._kept = Kept()
        self._calls = self._length = 0

    async def read(self, frames: Frames) -> Frames | None:
        with making_sense(self._provider_id):
            chunks = [chunk for event in frames.events() for chunk in self._of(event)]
        return Frames.of(*chunks) if chunks else None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        is_counted = {"input_tokens", "output_tokens"} <= self._counts.keys()
        if how != "complete" or not self._wants_usage or self._head is None or not is_counted:
            return None
        return Frames.of({**self._head, "choices": [], "usage": usage_of(self._counts)})

    def _of(self, event: Json) -> Iterator[Json]:
        match event.get("type"):
            case "message_start":
                self._begin(event["message"])
                yield self._chunk({"role": "assistant", "content": ""})
            case "content_block_start":
                yield from self._block_begun(event["index"], event["content_block"])
            case "content_block_delta":
                yield from self._piece(self._blocks[event["index"]], event["delta"])
            case "content_block_stop":
                yield from self._block_ended(self._blocks.pop(event["index"]))
            case "message_delta":
                self._counts |= counts_in(event.get("usage"))
                yield from self._ended(event["delta"])
            case "message":
                yield from self._whole(event)

    def _begin(self, message: Json) -> None:
        self._head = {**head_of(message, self._model), "object": "chat.completion.chunk"}
        self._counts |= counts_in(message.get("usage"))

    def _whole(self, answer: Json) -> Iterator[Json]:
        """An answer that was not streamed."""
        self._begin(answer)
        completion = completion_of(answer, self._model, self._provider_id, has_answer_tool=self._has_answer_tool)
        events = as_events(completion, with_usage=False)
        yield from events.events() if events else ()

    def _block_begun(self, index: int, block: Json) -> Iterator[Json]:
        begun = self._blocks[index] = _Begun(block)
        match block["type"]:
            case "text":
                begun.at = self._length
                yield from self._text(begun, block.get("text") or "")
            case "thinking":
                yield from self._thought(begun, block.get("thinking") or "")
            case "tool_use" if not self._has_answer_tool:
                begun.at = self._calls
                self._calls += 1
                call = call_message(block["id"], block["name"], "", self._kept.take())
                yield self._chunk({"tool_calls": [{"index": begun.at, **call}]})

    def _piece(self, begun: _Begun, delta: Json) -> Iterator[Json]:
        match delta["type"]:
            case "text_delta":
                yield from self._text(begun, delta["text"])
            case "thinking_delta":
                yield from self._thought(begun, delta["thinking"])
            case "signature_delta":
                begun.block = {**begun.block, "signature": (begun.block.get("signature") or "") + delta["signature"]}
            case "citations_delta":
                begun.block = {**begun.block, "citations": [*(begun.block.get("citations") or ()), delta["citation"]]}
            case "input_json_delta" if delta["partial_json"]:
                begun.text.append(delta["partial_json"])
                yield from self._arguments(begun, delta["partial_json"])

    def _block_ended(self, begun: _Begun) -> Iterator[Json]:
        block, text = begun.block, "".join(begun.text)
        match block["type"]:
            case "text":
                self._kept.add_text(len(text))
                found = annotations_of(block.get("citations") or (), begun.at, begun.at + len(text))
                if found:
                    yield self._chunk({"annotations": found})
            case "thinking":
                self._kept.add({**block, "thinking": text})
            case "tool_use":
                if not text:
                    yield from self._arguments(begun, encode(block.get("input") or {}).decode())
            case "server_tool_use" | "mcp_tool_use" if text:
                self._kept.add({**block, "input": read_arguments(text)})
            case _:
                self._kept.add(block)

    def _text(self, begun: _Begun, text: str) -> Iterator[Json]:
        if text:
            begun.text.append(text)
            self._length += len(text)
            yield self._chunk({"content": text})

    def _thought(self, begun: _Begun, text: str) -> Iterator[Json]:
        if text:
            begun.text.append(text)
            yield self._chunk({"reasoning_content": text})

    def _arguments(self, begun: _Begun, written: str) -> Iterator[Json]:
        if begun.block["type"] != "tool_use":
            return
        if self._has_answer_tool:
            yield self._chunk({"content": written})
        else:
            yield self._chunk({"tool_calls": [{"index": begun.at, "function": {"arguments": written}}]})

    def _ended(self, delta: Json) -> Iterator[Json]:
        if not delta.get("stop_reason"):
            return
        last: Json = {}
        if (extra := self._kept.take()) is not None:
            last[EXTRA] = extra
        if (refusal := refusal_in(delta)) is not None:
            last["refusal"] = refusal
        yield self._chunk(last, end_of(delta["stop_reason"], as_tool=self._has_answer_tool))

    def _chunk(self, delta: Json, end: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        return {**(self._head or {}), "choices": [choice]}
