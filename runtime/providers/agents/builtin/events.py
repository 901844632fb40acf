"""The events of a response, told as those of a turn."""

from __future__ import annotations

from typing import Protocol

from runtime.providers.agents.builtin.failing import failure_of
from runtime.providers.agents.builtin.steps import Steps
from runtime.sse import End, Frames, Json

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_TEXTS = ("response.output_text.delta", "response.refusal.delta")


class RunningTurn(Protocol):
    """The turn that the events are of."""

    steps: Steps

    @property
    def turn_id(self) -> str: ...

    def began(self, response: Json) -> None: ...

    async def ended(self, response: Json) -> tuple[Json, bool]: ...

    async def failed(self) -> None: ...


class TurnEvents:
    """A `Stage` of a response's stream. is_new: whether the turn is begun by it."""

    def __init__(self, turn: RunningTurn, *, is_new: bool) -> None:
        self._turn = turn
        self._is_new = is_new
        self._response: Json | None = None

    async def read(self, frames: Frames) -> Frames | None:
        """Raises what `failure_of` makes of a response that failed."""
        steps, told = self._turn.steps, list[Json]()
        for event in frames.events():
            kind = event["type"]
            if kind in _TEXTS:
                steps.wrote(event["delta"])
            elif kind == "response.function_call_arguments.delta":
                steps.wrote(event["delta"], is_call=True)
            elif kind == "response.output_item.added":
                steps.begun(event["item"])
            elif kind == "response.output_item.done":
                steps.ended(event["item"])
            elif kind == "response.created":
                if self._is_new:
                    told.append({"event_type": "turn_start", "turn_id": self._turn.turn_id})
                self._turn.began(event["response"])
            elif kind in _ENDS:
                self._response = event["response"]
                if (failure := failure_of(event["response"])) is not None:
                    raise failure
        return _frames([*told, *steps.take()])

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        """Keeps what came of it, before the end is told."""
        if how != "complete" or self._response is None:
            await self._turn.failed()
            return None
        turn, awaits = await self._turn.ended(self._response)
        last = {"event_type": "turn_awaiting_input" if awaits else "turn_complete", "turn": turn}
        return _frames([*self._turn.steps.take(), last])


def _frames(payloads: list[Json]) -> Frames | None:
    if not payloads:
        return None
    return Frames.of(*({"event": {"payload": payload}} for payload in payloads))
