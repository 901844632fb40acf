"""A streamed answer of Gemini's as OpenAI's chunks.

Each event of Gemini's is an answer with the next piece of each candidate, and with token counts so far.
https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterator

from runtime.apis.inference.sense import making_sense
from runtime.providers.inference._gemini.answers import head_of
from runtime.providers.inference._gemini.candidates import blocked, end_of, logprobs_in, said_in, usage_in
from runtime.providers.inference._gemini.grounding import annotations_in
from runtime.sse import End, Frames, Json


class Finished:
    """Complete when the candidate has a finish reason, or the prompt was blocked: there is no `[DONE]`. An argument of
    a call may have such a name too.
    """

    is_complete = False

    def see(self, data: bytes) -> None:
        if self.is_complete or not (b'"finishReason"' in data or b'"blockReason"' in data):
            return
        try:
            self.is_complete = any(_is_end(event) for event in Frames(data).events())
        except ValueError:  # whoever reads the events is told
            self.is_complete = False


def _is_end(event: Json) -> bool:
    candidates, feedback = event.get("candidates"), event.get("promptFeedback")
    listed = candidates if isinstance(candidates, list) else []
    has_end = any(isinstance(one, dict) and one.get("finishReason") for one in listed)
    return has_end or (isinstance(feedback, dict) and bool(feedback.get("blockReason")))


def as_event(answer: Json) -> Frames | None:
    """An answer that is not streamed, as the only event; None if it is none."""
    return Frames.of(answer) if "candidates" in answer or "promptFeedback" in answer else None


class Chunks:
    """A stage that makes chunks of events. wants_usage: whether the last one is to have the token counts."""

    def __init__(self, model: str, provider_id: str, *, wants_usage: bool) -> None:
        self._model = model
        self._provider_id = provider_id
        self._wants_usage = wants_usage
        self._head: Json | None = None
        self._usage: Json | None = None
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[int, int] = {}

    async def read(self, frames: Frames) -> Frames | None:
        with making_sense(self._provider_id):
            chunks = [chunk for event in frames.events() for chunk in self._of(event)]
        return Frames.of(*chunks) if chunks else None

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        if how != "complete" or not self._wants_usage or self._usage is None or self._head is None:
            return None
        return Frames.of({**self._head, "choices": [], "usage": self._usage})

    def _of(self, event: Json) -> Iterator[Json]:
        if self._head is None:
            self._head = head_of(event, self._model) | {"object": "chat.completion.chunk"}
        self._usage = usage_in(event) or self._usage
        if (refusal := blocked(event)) is not None:
            yield self._chunk(0, {"role": "assistant", "refusal": refusal}, "content_filter")
        for place, candidate in enumerate(event.get("candidates") or ()):
            yield self._piece(candidate, candidate.get("index", place))

    def _piece(self, candidate: Json, index: int) -> Json:
        said = said_in(candidate)
        text = "".join(said.text)
        delta: Json = said.fields()
        if index not in self._texts:
            self._texts[index] = []
            delta["role"] = "assistant"
        if text or not (said.calls or said.thought):
            delta["content"] = text
        begun = self._calls.get(index, 0)
        if said.calls:
            delta["tool_calls"] = [{"index": begun + place, **call} for place, call in enumerate(said.calls)]
            self._calls[index] = begun + len(said.calls)
        self._texts[index].append(text)
        if candidate.get("groundingMetadata"):  # most pieces have none, and the text may be long
            found = annotations_in(candidate, "".join(self._texts[index]))
            delta |= {"annotations": found} if found else {}
        end = end_of(candidate, has_calls=self._calls.get(index, 0) > 0, provider_id=self._provider_id)
        return self._chunk(index, delta, end, logprobs=logprobs_in(candidate))

    def _chunk(self, index: int, delta: Json, end: str | None, *, logprobs: Json | None = None) -> Json:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": end}
        return {**(self._head or {}), "choices": [choice]}
