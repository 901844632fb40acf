"""The events of a response, told as those of a turn."""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec

from runtime.providers.agents.builtin.failing import failure_of
from runtime.providers.agents.builtin.steps import Steps
from runtime.sse import End, Frames, Json, decode


class _Event(msgspec.Struct):
    """What is read of a response's event; most have more."""

    type: str
    delta: str = ""
    item: dict[str, Any] = {}
    response: msgspec.Raw = msgspec.Raw()


_events = msgspec.json.Decoder(list[_Event]).decode
_payloads = re.compile(rb"^data: (.*)$", re.MULTILINE).findall
"""Of a response's events, which have one line each."""
_ENDS = ("response.completed", "response.incomplete", "response.failed")


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
        """Raises what `failure_of` makes of a response that failed. Texts that came together are told together."""
        steps, said = self._turn.steps, list[str]()
        for event in _events(b"[%b]" % b",".join(_payloads(frames.data))):
            if event.type == "response.output_text.delta":
                said.append(event.delta)
                continue
            if said:
                steps.wrote("".join(said))
                said.clear()
            self._hear(event)
        if said:
            steps.wrote("".join(said))
        return _frames(steps.take())

    def _hear(self, event: _Event) -> None:
        steps = self._turn.steps
        if event.type == "response.function_call_arguments.delta":
            steps.wrote(event.delta, is_call=True)
        elif event.type == "response.output_item.added":
            steps.begun(event.item)
        elif event.type == "response.output_item.done":
            steps.ended(event.item)
        elif event.type == "response.created":
            if self._is_new:
                steps.tell({"event_type": "turn_start", "turn_id": self._turn.turn_id})
            self._turn.began(decode(event.response))
        elif event.type in _ENDS:
            self._response = decode(event.response)
            if (failure := failure_of(self._response)) is not None:
                raise failure

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
