"""The items of responses, in the form of the conventions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.sse import Frames, Json, Reply, decode, payloads
from runtime.telemetry.bodies import parts
from runtime.telemetry.bodies.room import Room

_OUTPUT, _CALL = "_call_output", "_call"


def asked(request: Any) -> list[Any]:
    given = request.input
    return [{"role": "user", "content": given}] if isinstance(given, str) else [*(given or ())]


def item(said: Any, room: Room) -> Json:
    """One item of the input or of the output."""
    kind = str(said.get("type") or "message")
    if kind == "message":
        role = room.name(said.get("role") or "assistant")
        return {"role": role, "parts": [*parts.parts_of(said.get("content"), room)]}
    if kind == "reasoning":
        thoughts = [one.get("text") or "" for one in (said.get("content") or said.get("summary") or ())]
        return {"role": "assistant", "parts": [parts.thought("\n".join(thoughts), room)]}
    id = said.get("call_id") or said.get("id")
    if kind.endswith(_OUTPUT):
        return {"role": "tool", "parts": [parts.result(id, said.get("output"), room)]}
    if "name" in said:
        given = said.get("arguments") or said.get("input")
        found = [parts.call(id, said["name"], given, room)]
        if said.get("output") is not None:
            found.append(parts.result(id, said["output"], room))
        return {"role": "assistant", "parts": found}
    name, type = room.name(kind.removesuffix(_CALL)), room.name(kind)
    done = {"type": "server_tool_call", "id": room.name(id), "name": name, "server_tool_call": {"type": type}}
    return {"role": "assistant", "parts": [done]}


def answered(answer: Any) -> list[Any]:
    """The output of a whole response."""
    document = answer.value() if isinstance(answer, Reply) else answer
    output: list[Any] = document.get("output") or []
    return output


def last(reads: Iterable[Frames]) -> Json:
    """The response that the last event of a stream has; empty where it has none."""
    ending = b"".join(frames.data for frames in reads).removesuffix(b"\n\n").rpartition(b"\n\n")[2]
    for said in payloads(ending):
        try:
            response = decode(said).get("response")
        except (ValueError, TypeError):
            continue
        if isinstance(response, dict):
            return response
    return {}
