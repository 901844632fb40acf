"""A conversation that a model cannot read as a whole, without its oldest part: what `truncation: auto` asks for.

What systems and developers said stays, and so does the last message of the user with what the model is to answer now.
The rest goes from the oldest on, in turns: a user's message with everything until the next one, and after the last one
each answer of the model with the outputs of its calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.errors import StackError
from runtime.sse import Json, encode

_KEPT = (0.75, 0.5, 0.25, 0.1, 0.0)
"""How much of the turns is left, in bytes, each time that the model is asked again."""


def is_too_long(error: StackError) -> bool:
    """Whether a model's provider refused a prompt for its length."""
    return error.code == "context_length_exceeded"


def truncated(messages: Sequence[Json]) -> Iterator[list[Json]]:
    """The messages of a chat in shorter and shorter versions; none if nothing can be left out."""
    turns = _turns(messages)
    sizes = [sum(len(encode(messages[place])) for place in turn) for turn in turns]
    gone = 0
    for kept in _KEPT:
        left, before = sum(sizes[gone:]), gone
        while gone < len(turns) and (gone == before or left > kept * sum(sizes)):
            left -= sizes[gone]
            gone += 1
        if gone == before:
            return
        dropped = {place for turn in turns[:gone] for place in turn}
        yield [message for place, message in enumerate(messages) if place not in dropped]


def _turns(messages: Sequence[Json]) -> list[list[int]]:
    """The places of the messages of each turn that can be left out, the oldest first."""
    last_said = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=-1)
    turns: list[list[int]] = []
    called: dict[str, list[int]] = {}  # the turn of each call, by the call's id
    is_open = False
    for place, message in enumerate(messages):
        role = message["role"]
        if role in ("system", "developer"):
            continue
        if place == last_said:
            is_open = False
            continue
        if not is_open or role == "user" or (role == "assistant" and place > last_said):
            turns.append([])
            is_open = True
        turn = called.get(message.get("tool_call_id", ""), turns[-1])
        turn.append(place)
        called |= {call["id"]: turn for call in message.get("tool_calls") or ()}
    if turns and turns[-1][-1] > last_said:
        turns.pop()  # what the model is to answer now
    return turns
