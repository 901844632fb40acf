"""One answer of the model, chunk by chunk, as items of the output and their events.

A chunk's thoughts, text, refusal and calls open the item that they belong to, or go on with it; whatever else begins
ends it. A whole answer is one chunk. Calls of tools that are run here are no items: the tools make these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.citations import Marked
from runtime.sse import Json

REASONING = ("reasoning_content", "reasoning")
"""The names by which providers call what the model thinks."""


@dataclass
class Call:
    """A tool that the model called. place: of its item in the output; None for a tool that is run here."""

    id: str
    name: str
    place: int | None
    parts: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        return "".join(self.parts)


class Turn:
    """answering: where items go. ours: the names of the tools that are run here. finish_reason: the model's own word
    for why it ended, once it has. text, reasoning: what it said and thought, once they are complete. calls: in the
    order in which they began.
    """

    def __init__(self, answering: Answering, *, ours: Collection[str]) -> None:
        self._answering = answering
        self._ours = ours
        self._open: _Open | None = None
        self._by_index: dict[int, Call] = {}
        self.finish_reason: str | None = None
        self.text = ""
        self.reasoning = ""

    @property
    def calls(self) -> list[Call]:
        return list(self._by_index.values())

    def add(self, chunk: Json) -> None:
        """The next chunk, or a whole answer."""
        if usage := chunk.get("usage"):
            self._answering.count(usage)
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or choice.get("message") or {}
            logprobs = (choice.get("logprobs") or {}).get("content")
            thought = next((delta[name] for name in REASONING if isinstance(delta.get(name), str)), None)
            if thought:
                self._opened(_Thought).add(thought)
            if text := delta.get("content"):
                self._opened(_Text).add(text, logprobs)
            if refusal := delta.get("refusal"):
                self._opened(_Refusal).add(refusal)
            for call in delta.get("tool_calls") or ():
                self._add_call(call)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def end(self) -> None:
        """There are no more chunks."""
        self._close()
        status = "incomplete" if self.finish_reason in ("length", "content_filter") else "completed"
        for call in self._by_index.values():
            if call.place is not None:
                self._end_call(call, call.place, status)

    def interrupt(self) -> None:
        """There will be no more chunks though there should be: what has come stays, and is said to be incomplete."""
        if self._open is not None:
            self._open.keep()
        for call in self._by_index.values():
            if call.place is not None:
                self._answering.output[call.place]["arguments"] = call.arguments

    def _opened(self, kind: Callable[[Answering], _Open]) -> Any:
        """The item of this kind that is open. Text and refusal are parts of one message."""
        if type(self._open) is not kind:
            self._close()
            self._open = kind(self._answering)
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            whole = self._open.close()
            if isinstance(self._open, _Thought):
                self.reasoning += whole
            else:
                self.text += whole
            self._open = None

    def _add_call(self, part: Json) -> None:
        index = part.get("index")
        index = len(self._by_index) if index is None else index
        function = part.get("function") or {}
        call = self._by_index.get(index)
        if call is None:
            self._close()
            name = function.get("name") or ""
            call = Call(id=part.get("id") or self._answering.new_id("call_"), name=name, place=None)
            if name not in self._ours:
                call.place = self._answering.add(self._item(call))
            self._by_index[index] = call
        if piece := function.get("arguments"):
            call.parts.append(piece)
            if call.place is not None:
                item = self._answering.output[call.place]
                fields = {"item_id": item["id"], "output_index": call.place, "delta": piece}
                self._answering.event("response.function_call_arguments.delta", fields)

    def _item(self, call: Call) -> Json:
        return {
            "type": "function_call",
            "id": self._answering.new_id("fc_"),
            "call_id": call.id,
            "name": call.name,
            "arguments": "",
            "status": "in_progress",
        }

    def _end_call(self, call: Call, place: int, status: str) -> None:
        item = self._answering.output[place]
        item["arguments"], item["status"] = call.arguments, status
        fields = {"item_id": item["id"], "output_index": place, "name": call.name, "arguments": call.arguments}
        self._answering.event("response.function_call_arguments.done", fields)
        self._answering.done(place)


class _Open:
    """An item with one part that is being written. item, part: as they are at their beginning."""

    done_name: str
    member: str

    def __init__(self, answering: Answering, item: Json, part: Json) -> None:
        self._answering = answering
        self._item, self._part = item, part
        self._pieces: list[str] = []
        self._place = answering.add(item)
        # Not before: the event says that the item is empty.
        item["content"] = [part]
        self._where = {"item_id": item["id"], "output_index": self._place, "content_index": 0}
        answering.event("response.content_part.added", {**self._where, "part": part})

    def keep(self) -> str:
        """Put what has come into the item, and return it."""
        text = self._part[self.member] = "".join(self._pieces)
        return text

    def close(self) -> str:
        """Returns all of its text."""
        text = self.keep()
        self._answering.event(f"response.{self.done_name}.done", {**self._where, self.member: text, **self._extra()})
        self._answering.event("response.content_part.done", {**self._where, "part": self._part})
        self._item["status"] = "completed"
        self._answering.done(self._place)
        return text

    def _piece(self, piece: str, extra: Json) -> None:
        self._pieces.append(piece)
        self._answering.event(f"response.{self.done_name}.delta", {**self._where, "delta": piece, **extra})

    def _extra(self) -> Json:
        return {}


class _Text(_Open):
    done_name, member = "output_text", "text"

    def __init__(self, answering: Answering) -> None:
        self._logprobs: list[Json] = []
        self._marked = Marked(answering.citations) if answering.citations.sources else None
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        super().__init__(answering, _message(answering), part)

    def add(self, piece: str, logprobs: list[Json] | None) -> None:
        shown = logprobs or []
        self._logprobs += shown
        if self._marked is None:
            self._piece(piece, {"logprobs": shown})
        else:
            self._show(self._marked.add(piece), shown)

    def keep(self) -> str:
        if self._marked is not None:
            self._show(self._marked.end(), [])
        return super().keep()

    def _show(self, found: list[str | Json], logprobs: list[Json]) -> None:
        """Texts, with the log-probabilities of the piece that they were part of, and what they refer to."""
        for one in found:
            if isinstance(one, str):
                self._piece(one, {"logprobs": logprobs})
                logprobs = []
            else:
                annotations: list[Json] = self._part["annotations"]
                annotations.append(one)
                added = {**self._where, "annotation_index": len(annotations) - 1, "annotation": one}
                self._answering.event("response.output_text.annotation.added", added)

    def _extra(self) -> Json:
        self._part["logprobs"] = self._logprobs
        return {"logprobs": self._logprobs}


class _Refusal(_Open):
    done_name = member = "refusal"

    def __init__(self, answering: Answering) -> None:
        super().__init__(answering, _message(answering), {"type": "refusal", "refusal": ""})

    def add(self, piece: str) -> None:
        self._piece(piece, {})


class _Thought(_Open):
    done_name, member = "reasoning_text", "text"

    def __init__(self, answering: Answering) -> None:
        item = {
            "type": "reasoning",
            "id": answering.new_id("rs_"),
            "summary": [],
            "content": [],
            "status": "in_progress",
        }
        super().__init__(answering, item, {"type": "reasoning_text", "text": ""})

    def add(self, piece: str) -> None:
        self._piece(piece, {})

    def keep(self) -> str:
        text = super().keep()
        if self._answering.seal is not None:
            self._item["encrypted_content"] = self._answering.seal(text)
        return text


def _message(answering: Answering) -> Json:
    return {
        "type": "message",
        "id": answering.new_id("msg_"),
        "role": "assistant",
        "content": [],
        "status": "in_progress",
    }
