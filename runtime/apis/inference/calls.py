"""The calls of one answer of the model, put together from their pieces.

OpenAI gives each piece an `index`, and the first one of a call its id and name. Other providers leave the index out or
repeat one, repeat id and name in each piece, send them apart, or send a call whole. Two calls are told apart by
whatever differs; a piece that says nothing of itself goes on with the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from runtime.sse import Json, decode, encode, is_json_object

EXTRA = "extra_content"
"""What a call has for its provider alone, which wants it back: the member of chat completions, and of our items."""

UNREADABLE = "unreadable"
"""Where the model sees what it wrote in place of arguments."""


@dataclass
class Call:
    """A tool that the model called. id: one of its own among the calls of the answer, once it is begun; given: its
    provider's, before. name: empty until it has come. place: of its item in the output; None for a tool that is run
    here. allowed_by: the item by which the caller was asked for it, of a call that had to be allowed. has_text: whether
    it is called with text in place of JSON, as its provider has it.
    """

    given: str
    name: str
    index: int | None
    id: str = ""
    place: int | None = None
    allowed_by: str | None = None
    has_text: bool = False
    extra: Json | None = None
    parts: list[str] = field(default_factory=list)

    @property
    def is_begun(self) -> bool:
        return bool(self.id)

    @property
    def arguments(self) -> str:
        return "".join(self.parts)

    def as_message(self) -> Json:
        """As a part of an assistant's message."""
        return call_message(self.id, self.name, readable(self.arguments), self.extra)


class Calls:
    """In the order in which they came."""

    def __init__(self) -> None:
        self._all: list[Call] = []

    def __iter__(self) -> Iterator[Call]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, part: Json) -> tuple[Call, str]:
        """The call that a piece belongs to, which has it now, and the piece of its arguments."""
        function = part.get("function") or part.get("custom") or {}
        index, given, name = part.get("index"), part.get("id") or "", function.get("name") or ""
        call = self._meant(index, given, name)
        if call is None:
            call = Call(given=given, name=name, index=index)
            self._all.append(call)
        call.given, call.name = call.given or given, call.name or name
        call.has_text = call.has_text or "custom" in part
        call.extra = part.get(EXTRA) or call.extra
        piece = _text(function.get("input" if call.has_text else "arguments"))
        if piece:
            call.parts.append(piece)
        return call, piece

    def is_taken(self, id: str) -> bool:
        """Whether a call that is begun has this id."""
        return any(call.id == id for call in self._all)

    def _meant(self, index: int | None, given: str, name: str) -> Call | None:
        """The call that goes on; None where one begins."""
        for call in reversed(self._all):
            has_other_id = bool(given and call.given and given != call.given)
            has_other_name = bool(name and call.name and name != call.name)
            if call.index == index and not has_other_id and not has_other_name:
                is_said_again = bool(name and call.name and not given)  # without an index: another call of the function
                return None if index is None and is_said_again else call
        return None


def call_message(id: str, name: str, arguments: str, extra: Json | None) -> Json:
    """A call as a part of an assistant's message. extra: see `Call`."""
    call: Json = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return call | ({EXTRA: extra} if extra else {})


def readable(arguments: str) -> str:
    """What a call was made with as the JSON object that providers want, also where the model wrote something else: some
    refuse every request with such a call in it.
    """
    if is_json_object(arguments.encode()):
        return arguments
    return encode({UNREADABLE: arguments} if arguments.strip() else {}).decode()


def read_arguments(arguments: str) -> Json:
    """The object that `readable` writes, for a provider that takes no text; a number beyond all range is unreadable."""
    try:
        return decode(readable(arguments).encode())
    except ValueError:
        return {UNREADABLE: arguments}


def _text(arguments: Any) -> str:
    """Arguments are JSON as text; some providers send the object."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return encode(arguments).decode()
