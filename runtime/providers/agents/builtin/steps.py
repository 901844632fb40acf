"""The steps of a turn, from the items of its responses: those that are kept, or those that are being made.

    begun(item), ended(item) for each item in its order, wrote(piece) between them -> steps, and the events that tell

Each time the model is asked is a step of inference, and so is each call that is run after it. A step of inference is
begun with the first of its answer and over with its last, whose calls say how many they are; where all of them were run
here, the model is asked again. Where an agent has shields, each response has a step of theirs before that and after it;
what one finds is a step in any case, the last. A refusal is told at the end, when it is known whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from runtime.ids import position_in
from runtime.providers._earlier.called import called
from runtime.providers.agents.builtin.shown import moment
from runtime.sse import Json

RUN_HERE = "tool_group_call"
_TOUCHPOINTS = {"input": "user-input", "output": "assistant-output"}
_REASONS = {"max_output_tokens": "out_of_tokens"}
"""Why a response is incomplete, where that is not the end of the turn."""


@dataclass
class _Asked:
    """One time that the model is asked. calls: of tools, in their order; tools: the steps of those that run here, by
    the id of their item; held: events of these, which come when the answer is whole.
    """

    step: Json
    texts: list[str] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    tools: dict[str, Json] = field(default_factory=dict)
    held: list[Json] = field(default_factory=list)
    ran: int = 0
    is_whole: bool = False


class Steps:
    """before: those of the turn's earlier responses. all: those so far, in the order in which they were begun."""

    def __init__(self, turn_id: str, before: Sequence[Json] = ()) -> None:
        self._turn_id = turn_id
        self._response_id = ""
        self._events: list[Json] = []
        self._asked: _Asked | None = None
        self._asked_at: str | None = None  # while nothing of the answer has come
        self._judging: Json | None = None  # the step of the shields that look at what is asked
        self._guardrails: Json = {}
        self._refusals: list[str] = []
        self._number = 0
        self.all = [*before]

    @property
    def waiting(self) -> list[Json]:
        """The calls that the client is to answer."""
        if self._asked is None:
            return []
        return [call for call in self._asked.calls if call["call_id"] not in self._asked.tools]

    def take(self) -> list[Json]:
        """The events since the last time."""
        events, self._events = self._events, []
        return events

    def tell(self, event: Json) -> None:
        """An event of the turn itself."""
        self._events.append(event)

    def begin(self, response: Json) -> None:
        """A response of the turn is begun. response: with `id`, `created_at` and the shields as `guardrails`."""
        self._response_id, self._number = response["id"], 0
        self._guardrails = response.get("guardrails") or {}
        self._asked_at = _begun(response)
        if self._guardrails.get("input"):
            self._judging = self._shields("input", self._asked_at)

    def answered(self, calls: list[Json], results: Iterable[Json], response: Json) -> None:
        """The client has answered calls before a response. results: as they were given."""
        names = {call["call_id"]: call["tool_name"] for call in calls}
        said = [
            {
                "call_id": one["call_id"],
                "tool_name": one.get("tool_name") or names.get(one["call_id"], ""),
                "content": one["content"],
                "metadata": one.get("metadata"),
            }
            for one in results
        ]
        step = self._new("tool_execution", f"{response['id']}-results", _begun(response))
        self._events.append(_of(step, "step_start"))
        step |= {"tool_calls": calls, "tool_responses": said, "completed_at": step["started_at"]}
        self._events.append(_of(step, "step_complete", step_details=step))

    def read(self, response: Json, *, awaits: bool, at: float | None = None) -> None:
        """A response that has ended, as a whole. awaits, at: see `end`."""
        self.begin(response)
        self.hear(response)
        self.end(response, awaits=awaits, at=at)

    def hear(self, response: Json) -> None:
        """All items of a response that has begun here, in their order."""
        for item in response["output"]:
            self.begun(item)
            self.ended(item)

    def begun(self, item: Json) -> None:
        """An item of the response is begun."""
        if item["type"] == "function_call":
            self._progress(_call("", "started"))
        elif item["type"] == RUN_HERE:
            self._run(item)

    def wrote(self, piece: str, *, is_call: bool = False) -> None:
        """The model has written more of a text, or of the arguments of a call."""
        self._progress(_call(piece, "in_progress") if is_call else {"type": "text", "text": piece})

    def ended(self, item: Json) -> None:
        """An item of the response is as complete as it gets."""
        if item["type"] == "message":
            for part in item["content"]:
                if part["type"] == "refusal":
                    self._refusals.append(part["refusal"])
                else:
                    self._current().texts.append(part.get("text") or "")
        elif item["type"] == "function_call":
            asked = self._current()
            call, is_whole = called(item["call_id"], item["name"], item["arguments"])
            asked.calls.append(call)
            self._progress(_call(call, "succeeded" if is_whole else "failed"))
        elif item["type"] == RUN_HERE:
            self._ran(self._current(), item)

    def end(self, response: Json, *, awaits: bool, at: float | None = None) -> None:
        """The response has ended. awaits: whether the turn waits for the client's answers then. at: when, in seconds
        since 1970; by default what the response says, which is less exact.
        """
        violation = response.get("violation")
        ended = moment(at or response.get("completed_at") or response["created_at"])
        ended = max(ended, *(step["started_at"] for step in self.all[-1:]), self._asked_at or "")
        if violation is not None:
            self._refusals.clear()
        if violation is None or violation["found_in"] == "output":
            asked = self._current()
            if not asked.is_whole:
                reason = _REASONS.get((response.get("incomplete_details") or {}).get("reason", ""), "end_of_turn")
                self._is_whole(asked, ended, "end_of_message" if awaits else reason)
            if violation is not None or self._guardrails.get("output"):
                self._have_looked(self._shields("output", ended), ended, violation)
        else:
            self._have_looked(self._judging or self._shields("input", self._asked_at or ended), ended, violation)

    def _run(self, item: Json) -> None:
        asked = self._current()
        call, is_whole = called(item["id"], item["name"], item["arguments"])
        asked.calls.append(call)
        self._progress(_call(call, "succeeded" if is_whole else "failed"))
        step = asked.tools[item["id"]] = self._new("tool_execution", f"{item['id']}-step", moment(item["started_at"]))
        step |= {"tool_calls": [call], "tool_responses": []}
        self._tell(asked, _of(step, "step_start"))
        self._tell(asked, _of(step, "step_progress", delta=_call(call, "in_progress")))
        if len(asked.calls) >= item["calls_in_answer"]:
            self._is_whole(asked, step["started_at"], "end_of_message")

    def _ran(self, asked: _Asked, item: Json) -> None:
        step = asked.tools[item["id"]]
        step["tool_responses"] = [
            {
                "call_id": item["id"],
                "tool_name": item["name"],
                "content": item.get("output") or item.get("error") or "",
                "metadata": item.get("metadata"),
            }
        ]
        step["completed_at"] = moment(item.get("completed_at") or item["started_at"])
        self._tell(asked, _of(step, "step_complete", step_details=step))
        asked.ran += 1
        if asked.ran == len(asked.calls) == item["calls_in_answer"]:
            self._asked_at = step["completed_at"]

    def _current(self) -> _Asked:
        """The time that the model was asked last, which is a step from now on: the shields have passed it."""
        if self._asked_at is not None:
            started_at, self._asked_at = self._asked_at, None
            if self._judging is not None:
                self._have_looked(self._judging, started_at, None)
                self._judging = None
            self._number += 1
            step = self._new("inference", f"{self._response_id}-{self._number}", started_at)
            self._asked = _Asked(step)
            self._events.append(_of(step, "step_start"))
        assert self._asked is not None, "a response is begun before its items"
        return self._asked

    def _shields(self, way: str, at: str) -> Json:
        """A new step of shields."""
        step = self._new("shield_call", f"{self._response_id}-{way}-{self._number}", at)
        self._events.append(_of(step, "step_start", metadata={"touchpoint": _TOUCHPOINTS[way]}))
        return step

    def _have_looked(self, step: Json, at: str, violation: Json | None) -> None:
        """A step of shields is over. violation: what one has found, as a response has it."""
        step |= {"violation": None if violation is None else _seen(violation), "completed_at": at}
        self._events.append(_of(step, "step_complete", step_details=step))

    def _is_whole(self, asked: _Asked, at: str, reason: str) -> None:
        if self._refusals:  # the model's own
            refusal = "".join(self._refusals)
            self._refusals.clear()
            asked.texts.append(refusal)
            self.wrote(refusal)
        said: Json = {"role": "assistant", "content": "".join(asked.texts), "stop_reason": reason}
        if asked.calls:
            said["tool_calls"] = asked.calls
        asked.step |= {"model_response": said, "completed_at": at}
        asked.is_whole = True
        self._events += [_of(asked.step, "step_complete", step_details=asked.step), *asked.held]
        asked.held.clear()

    def _tell(self, asked: _Asked, event: Json) -> None:
        (self._events if asked.is_whole else asked.held).append(event)

    def _progress(self, delta: Json) -> None:
        self._events.append(_of(self._current().step, "step_progress", delta=delta))

    def _new(self, kind: str, step_id: str, started_at: str) -> Json:
        step = {"turn_id": self._turn_id, "step_id": step_id, "step_type": kind, "started_at": started_at}
        self.all.append(step)
        return step


def _seen(violation: Json) -> Json:
    """What a shield has found, as `run-shield` has it."""
    metadata = {"shield_id": violation["shield_id"], **violation["metadata"]}
    return {name: violation[name] for name in ("violation_level", "user_message")} | {"metadata": metadata}


def _begun(response: Json) -> str:
    """When a response was begun, which its id says exactly."""
    position = position_in(response["id"])
    return moment(position / 1_000_000 if position is not None else response["created_at"])


def _call(said: str | Json, status: str) -> Json:
    return {"type": "tool_call", "tool_call": said, "parse_status": status}


def _of(step: Json, kind: str, **more: Json) -> Json:
    return {"event_type": kind, "step_type": step["step_type"], "step_id": step["step_id"], **more}
