"""One answer of the model, chunk by chunk, as items of the output and their events.

A chunk's thoughts, text, refusal and calls open the item that they belong to, or go on with it; whatever else begins
ends it. A whole answer is one chunk. Calls of tools that are run here are no items: the tools make these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any

from runtime.apis.inference.calls import Calls
from runtime.apis.inference.guardrails import violation_in
from runtime.apis.inference.sense import making_sense, text_of
from runtime.errors import UpstreamError
from runtime.providers.responses.builtin.answering import Answering
from runtime.providers.responses.builtin.called import CalledItem, CustomItem, FunctionItem
from runtime.providers.responses.builtin.citations import Marked
from runtime.providers.responses.builtin.details import DETAILS, Details
from runtime.sse import Json

REASONING = ("reasoning_content", "reasoning")
"""The names by which providers call what the model thinks."""
BROKEN_OFF = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""The finish reasons of an answer that is not whole, and what a response calls them."""


class Turn:
    """answering: where items go. ours: the names of the tools that are run here; custom: of those that are called with
    text. finish_reason: the model's own word
    for why it ended, once it has. text, reasoning: what it said and thought, once they are complete. calls: in the
    order in which they began. details: of what it thought. violation: what a shield has found, if one has: from then on
    what comes is a refusal.
    """

    def __init__(self, answering: Answering, *, ours: Collection[str], custom: Collection[str] = ()) -> None:
        self._answering = answering
        self._ours = ours
        self._custom = custom
        self._called: dict[int, CalledItem] = {}  # by the place of the item
        self._open: _Open | None = None
        self._usage: Json | None = None
        self._has_said = False
        self.calls = Calls()
        self.details = Details()
        self.finish_reason: str | None = None
        self.violation: Json | None = None
        self.text = ""
        self.reasoning = ""

    def add(self, chunk: Json) -> None:
        """The next chunk, or a whole answer."""
        self._usage = chunk.get("usage") or self._usage  # some providers count in each chunk what there is so far
        self.violation = violation_in(chunk) or self.violation
        for choice in chunk.get("choices") or ():
            self._has_said = True
            if choice.get("index"):
                continue
            delta = choice.get("delta") or choice.get("message") or {}
            self.details.add(delta.get(DETAILS))
            if thought := _thought_in(delta):
                self._opened(_Thought).add(thought)
            if text := text_of(delta.get("content")):
                logprobs = (choice.get("logprobs") or {}).get("content")
                self._opened(_Text).add(text, logprobs)
            if refusal := text_of(delta.get("refusal")):
                self._opened(_Refusal).add(refusal)
            for part in delta.get("tool_calls") or ():
                self._add_call(part)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def end(self) -> None:
        """There are no more chunks. Raises UpstreamError for a call that names no tool, and where there was no answer:
        one may be empty, but has a choice.
        """
        if not self._has_said:
            raise UpstreamError("The model's provider sent an answer without a choice", provider_id="responses")
        status = "incomplete" if self.finish_reason in BROKEN_OFF else "completed"
        self._close("completed" if self.violation else status)  # what is open then is the whole refusal
        for call in self.calls:
            if not call.is_begun:
                raise UpstreamError("The model called a tool without naming it", provider_id="responses")
            if call.place is not None:
                self._called[call.place].end(status)
        self._count()

    def interrupt(self) -> None:
        """There will be no more chunks though there should be: what has come stays, and is said to be incomplete."""
        if self._open is not None:
            self._open.keep()
        for item in self._called.values():
            item.keep()
        with (
            contextlib.suppress(UpstreamError),
            making_sense("responses"),
        ):  # it ends for another reason; the log has this one too
            self._count()

    def _count(self) -> None:
        usage, self._usage = self._usage, None  # first: one that makes no sense is not counted again
        self._answering.count(usage)

    def _opened(self, kind: Callable[[Answering], _Open]) -> Any:
        """The item of this kind that is open. A refusal after a text is a message of its own; one by a shield stops
        what is open.
        """
        if type(self._open) is not kind:
            self._close("incomplete" if self.violation else "completed")
            self._open = kind(self._answering)
        return self._open

    def _close(self, status: str) -> None:
        if self._open is not None:
            whole = self._open.close(status)
            if isinstance(self._open, _Thought):
                self.reasoning += whole
            else:
                self.text += whole
            self._open = None

    def _add_call(self, part: Json) -> None:
        call, piece = self.calls.add(part)
        if not call.is_begun:
            if not call.name:
                return  # whose item it is depends on the name
            self._close("completed")
            is_own = bool(call.given) and not self.calls.is_taken(call.given)
            call.id = call.given if is_own else self._answering.new_id("call_")
            if call.name not in self._ours:
                item = (CustomItem if call.name in self._custom else FunctionItem)(self._answering, call)
                assert call.place is not None, "it has a place now"
                self._called[call.place] = item
            piece = call.arguments
        if piece and call.place is not None:
            self._called[call.place].add(piece)


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
        if answering.streams:
            answering.event("response.content_part.added", {**self._where, "part": part})

    def keep(self) -> str:
        """Put what has come into the item, and return it."""
        text = self._part[self.member] = "".join(self._pieces)
        return text

    def close(self, status: str) -> str:
        """Returns all of its text."""
        text, extra = self.keep(), self._extra()
        if self._answering.streams:
            self._answering.event(f"response.{self.done_name}.done", {**self._where, self.member: text, **extra})
            self._answering.event("response.content_part.done", {**self._where, "part": self._part})
        self._item["status"] = status
        self._answering.done(self._place)
        return text

    def _piece(self, piece: str, extra: Json) -> None:
        self._pieces.append(piece)
        if self._answering.streams:
            self._answering.event(f"response.{self.done_name}.delta", {**self._where, "delta": piece, **extra})

    def _extra(self) -> Json:
        return {}


class _Text(_Open):
    done_name, member = "output_text", "text"

    def __init__(self, answering: Answering) -> None:
        self._logprobs: list[Json] = []
        self._untold: list[Json] = []
        self._marked = Marked(answering.citations) if answering.citations.sources else None
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        super().__init__(answering, _message(answering), part)

    def add(self, piece: str, logprobs: list[Json] | None) -> None:
        shown = [_logprob(one) for one in logprobs or ()]
        self._logprobs += shown
        if self._marked is None:
            self._piece(piece, {"logprobs": shown})
        else:
            self._show(self._marked.add(piece), shown)

    def keep(self) -> str:
        if self._marked is not None:
            self._show(self._marked.end(), [])
        if self._untold:
            self._piece("", {"logprobs": self._untold})
            self._untold = []
        citations = self._answering.citations
        if citations.files or citations.uncited:
            for one in citations.of_files("".join(self._pieces)):
                self._annotate(one)
        return super().keep()

    def _show(self, found: list[str | Json], logprobs: list[Json]) -> None:
        """Texts, with the log-probabilities of the pieces that came since the last one, and what they refer to."""
        self._untold += logprobs
        for one in found:
            if isinstance(one, str):
                self._piece(one, {"logprobs": self._untold})
                self._untold = []
            else:
                self._annotate(one)

    def _annotate(self, one: Json) -> None:
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
        item = answering.new_item("reasoning", summary=[], content=[], status="in_progress")
        super().__init__(answering, item, {"type": "reasoning_text", "text": ""})

    def add(self, piece: str) -> None:
        self._piece(piece, {})

    def keep(self) -> str:
        text = super().keep()
        if self._answering.seal is not None:
            self._item["encrypted_content"] = self._answering.seal(text)
        return text


def _message(answering: Answering) -> Json:
    return answering.new_item("message", role="assistant", content=[], status="in_progress")


def _thought_in(delta: Json) -> str | None:
    for name in REASONING:
        if (said := delta.get(name)) and isinstance(said, str):
            return said
    return None


def _logprob(given: Json) -> Json:
    """Log-probabilities have bytes here, where those of chat completions may have null."""
    likely = [{**one, "bytes": one.get("bytes") or []} for one in given.get("top_logprobs") or ()]
    return {**given, "bytes": given.get("bytes") or [], "top_logprobs": likely}
