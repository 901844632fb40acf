"""One response while it is made: the object as far as it is, and the events that tell of it.

    answering.begin() -> items, which add themselves -> answering.end()

Nothing else numbers events or changes the response's status. Knows no model, tool or table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.apis.responses.whole import prefix_of
from runtime.clock import stamp
from runtime.errors import StackError
from runtime.ids import ordered_id
from runtime.providers.responses.builtin.citations import Citations
from runtime.sse import Frames, Json, encode

RUNS = ("queued", "in_progress")
"""The states of a response that has not ended."""


class Answering:
    """response: the object, whose `output` grows. position: by which it is listed, and which all its ids hold, so that
    what they name can be found. streams: whether there are events; without, `event` does nothing. seal: closes what the
    model thinks, if that is asked for. citations: the sources that the model was shown.
    calls_in_answer: how many calls the model's last answer has. number: of the next event.
    """

    __slots__ = ("_events", "_number", "calls_in_answer", "citations", "position", "response", "seal", "streams")

    def __init__(
        self,
        response: Json,
        position: int,
        *,
        streams: bool,
        number: int = 0,
    ) -> None:
        self.response = response
        self.seal: Callable[[str], str] | None = None
        self.citations = Citations()
        self.calls_in_answer = 0
        self.position = position
        self.streams = streams
        self._events: list[bytes] = []
        self._number = number

    @property
    def output(self) -> list[Json]:
        """The items so far."""
        items: list[Json] = self.response["output"]
        return items

    @property
    def has_ended(self) -> bool:
        return self.response["status"] not in RUNS

    def new_id(self, prefix: str) -> str:
        return ordered_id(prefix, self.position)

    def new_item(self, kind: str, **members: Any) -> Json:
        """An item of this type, with an id. It is not in the output yet."""
        return {"type": kind, "id": self.new_id(prefix_of(kind)), **members}

    def event(self, kind: str, fields: Json) -> None:
        """Tell of something that happened."""
        if self.streams:
            data = encode({"type": kind, "sequence_number": self._number, **fields})
            self._number += 1
            self._events.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))

    def take(self) -> Frames | None:
        """The events since the last time; None if there are none."""
        if not self._events:
            return None
        frames = Frames(b"".join(self._events))
        self._events.clear()
        return frames

    def begin(self) -> None:
        """It is being made from now on; where it had to wait, it has been told of before."""
        if self._number == 0:
            self._tell("response.created")
        self.response["status"] = "in_progress"
        self._tell("response.in_progress")

    def queue(self) -> None:
        """It waits until somebody makes it."""
        self.response["status"] = "queued"
        self._tell("response.created")
        self._tell("response.queued")

    def add(self, item: Json) -> int:
        """Put a new item at the end of the output. Returns its place."""
        place = len(self.output)
        self.output.append(item)
        self.event("response.output_item.added", {"output_index": place, "item": item})
        return place

    def done(self, place: int, status: str | None = None) -> None:
        """The item at a place is complete, or as complete as it gets. status: the one that it has then."""
        if status is not None:
            self.output[place]["status"] = status
        self.event("response.output_item.done", {"output_index": place, "item": self.output[place]})

    def count(self, usage: Json | None) -> None:
        """Add the tokens of one time that the model was asked. usage: as chat completions have it."""
        if not usage:
            return
        total = self.response["usage"] or _no_usage()
        read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        total["input_tokens"] += read
        total["output_tokens"] += written
        total["total_tokens"] += _count(usage, "total_tokens") or read + written
        details = usage.get("prompt_tokens_details") or {}
        for name in ("cached_tokens", "cache_write_tokens"):
            total["input_tokens_details"][name] += _count(details, name)
        details = usage.get("completion_tokens_details") or {}
        total["output_tokens_details"]["reasoning_tokens"] += _count(details, "reasoning_tokens")
        self.response["usage"] = total

    def complete(self) -> None:
        self.response["completed_at"] = max(int(stamp()), self.response["created_at"])  # clocks may be set back
        self._end("completed")

    def refuse(self, violation: Json) -> None:
        """It is complete with a refusal. violation: what a shield has found, see `GuardrailViolation`."""
        self.response["violation"] = violation
        self.complete()

    def break_off(self, reason: str) -> None:
        """It ends here, though there would be more. reason: see `IncompleteDetails`."""
        broken_off(self.response, reason)
        self._tell("response.incomplete")

    def cancel(self) -> None:
        """Whoever asked for it wants it no more, also if it had ended and nobody was told. No event tells of it."""
        self.response |= {"status": "cancelled", "completed_at": None, "incomplete_details": None, "error": None}
        _break_off_items(self.response)

    def fail(self, error: StackError) -> None:
        """It has failed, also if it had ended and nobody was told yet: the event of that end is not sent, or taken back
        here.
        """
        if self.has_ended:
            if self.streams:
                self._number -= 1
            self._events = self._events[:-1]
            self.response |= {"completed_at": None, "incomplete_details": None}
        self.response["error"] = {"code": _code(error), "message": error.words, "type": error.type}
        self._end("failed")

    def _end(self, status: str) -> None:
        _break_off_items(self.response)
        self.response["status"] = status
        self._tell(f"response.{status}")

    def _tell(self, kind: str) -> None:
        self.event(kind, {"response": self.response})


def broken_off(response: Json, reason: str) -> Json:
    """The response, which has ended before it was complete. reason: see `IncompleteDetails`."""
    _break_off_items(response)
    response["incomplete_details"] = {"reason": reason}
    response["status"] = "incomplete"
    return response


def interrupted(response: Json) -> Json:
    """The response, which nobody makes any more."""
    return broken_off(response, "interrupted")


def _break_off_items(response: Json) -> None:
    for item in response["output"]:
        if item.get("status") in ("in_progress", "searching", "interpreting"):
            item["status"] = "incomplete"


def _count(counts: Json, name: str) -> Any:
    """One of a provider's counts, without the fraction that some have. What is no number stays what it is."""
    found = counts.get(name) or 0
    return int(found) if isinstance(found, float) else found


def _no_usage() -> dict[str, Any]:
    return {
        "input_tokens": 0,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 0,
    }


def _code(error: StackError) -> str:
    """OpenAI's word for why a response failed; its clients know no other ones."""
    if error.status == 429:
        return "rate_limit_exceeded"
    return "invalid_prompt" if error.status < 500 else "server_error"
