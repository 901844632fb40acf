"""The events of ConverseStream as OpenAI's chunks.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.context import warn
from runtime.providers.inference._answer_tool import ANSWER_TOOL
from runtime.providers.inference.bedrock.answers import call_of, end_of, head_of, usage_of
from runtime.sse import Json


@dataclass
class _Call:
    """A call that is being written. place: among the answer's calls. wrote: whether any of its arguments came."""

    place: int
    wrote: bool = False


@dataclass
class Chunks:
    """Makes chunks of one answer's events. model: by the name in the request. is_complete: whether its end has come."""

    model: str
    provider_id: str
    wants_usage: bool
    is_complete: bool = False
    _head: Json = field(init=False)
    _calls: dict[int, _Call] = field(default_factory=dict)
    _reasoning: dict[int, Json] = field(default_factory=dict)
    _forms: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._head = {**head_of(self.model), "object": "chat.completion.chunk"}

    def of(self, name: str, event: Json) -> Iterator[Json]:
        """The chunks of an event; raises whatever reading one raises that makes no sense."""
        if name == "messageStart":
            yield self._chunk({"role": "assistant", "content": ""})
        elif name == "contentBlockStart":
            yield from self._begun(event["contentBlockIndex"], event["start"])
        elif name == "contentBlockDelta":
            yield from self._piece(event["contentBlockIndex"], event["delta"])
        elif name == "contentBlockStop":
            call = self._calls.get(event["contentBlockIndex"])
            if call is not None and not call.wrote:
                yield self._arguments(call, "{}")
        elif name == "messageStop":
            self.is_complete = True
            yield self._chunk({}, end_of(event["stopReason"], as_tool=bool(self._forms)))
        elif name == "metadata" and self.wants_usage:
            yield {**self._head, "choices": [], "usage": usage_of(event["usage"])}

    def _begun(self, index: int, start: Json) -> Iterator[Json]:
        use = start.get("toolUse")
        if use is None:
            warn(f"left out of the answer: `{next(iter(start), '')}`, which `{self.provider_id}` sent beside its text")
        elif use["name"] == ANSWER_TOOL:
            self._forms.add(index)
        else:
            place = len(self._calls)
            self._calls[index] = _Call(place)
            reasoning = list(self._reasoning.values()) if place == 0 else ()
            yield self._chunk({"tool_calls": [{"index": place, **call_of(use, "", reasoning)}]})

    def _piece(self, index: int, delta: Json) -> Iterator[Json]:
        if "text" in delta:
            yield self._chunk({"content": delta["text"]})
        elif "reasoningContent" in delta:
            yield from self._thought(index, delta["reasoningContent"])
        elif "toolUse" in delta and (arguments := delta["toolUse"]["input"]):
            if index in self._forms:
                yield self._chunk({"content": arguments})
            else:
                self._calls[index].wrote = True
                yield self._arguments(self._calls[index], arguments)

    def _thought(self, index: int, piece: Json) -> Iterator[Json]:
        if "redactedContent" in piece:
            self._reasoning[index] = {"redactedContent": piece["redactedContent"]}
            return
        kept = self._reasoning.setdefault(index, {"reasoningText": {"text": ""}}).setdefault("reasoningText", {})
        for name in ("text", "signature"):
            if name in piece:
                kept[name] = kept.get(name, "") + piece[name]
        if piece.get("text"):
            yield self._chunk({"reasoning_content": piece["text"]})

    def _arguments(self, call: _Call, written: str) -> Json:
        return self._chunk({"tool_calls": [{"index": call.place, "function": {"arguments": written}}]})

    def _chunk(self, delta: dict[str, Any], end: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        return {**self._head, "choices": [choice]}
