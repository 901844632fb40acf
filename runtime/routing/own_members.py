"""Puts values of our own into the outermost object of answers, as bytes: the name by which a model was asked for, and
the id under which an answer is kept.

A quote inside a JSON string is escaped, so `"model"` is always a member. Knows JSON and server-sent events, and nothing
of who answers.
"""

from __future__ import annotations

import re
from typing import overload

from runtime.sse import EventStream, Frames, Reply, encode

_VALUES = {"model": b"null", "id": rb'[^\s"{}\[\],]+'}
"""What stands there where no text does: some vendors number their answers."""
_PATTERNS = {
    name: re.compile(rb'"%b"\s*:\s*(?:"(?:[^"\\]|\\.)*"|%b)' % (name.encode(), other))
    for name, other in _VALUES.items()
}
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')


class OwnMember:
    """A member of one answer with our value. name: `model` or `id`. is_needed: whether it is put in where an answer or
    an event has none.

    A vendor writes it the same way in nearly every event, so it is replaced as bytes; if a read contains another
    spelling, event by event.
    """

    __slots__ = ("_is_needed", "_key", "_ours", "_pattern", "_replacement", "_theirs")

    def __init__(self, name: str, value: str, *, is_needed: bool = False) -> None:
        self._key = b'"%b"' % name.encode()
        self._pattern = _PATTERNS[name]
        self._ours = self._replacement = self._key + b":" + encode(value)
        self._is_needed = is_needed
        self._theirs: bytes | None = None

    def put_into(self, data: bytes) -> bytes:
        """One JSON object, which may stand in an event."""
        found = self._find(data)
        if found is not None:
            start, end = found
            self._learn(data, start, end)
            return data[:start] + self._ours + data[end:]
        begin = data.find(b"{") + 1
        if not self._is_needed or not begin:
            return data
        rest = data[begin:]
        return data[:begin] + self._ours + (b"" if rest.lstrip().startswith(b"}") else b",") + rest

    def put_into_events(self, data: bytes) -> bytes:
        """The events of one read of a stream."""
        count = data.count(b"\n\n" if self._is_needed else self._key)
        if not count:
            return data
        if self._theirs is None or data.count(self._theirs) != count:
            # Learn the spelling from the first event; it is usually the same in all events of a read.
            self.put_into(data[: data.find(b"\n\n", 0 if self._is_needed else data.find(self._key))])
            if self._theirs is None or data.count(self._theirs) != count:
                return b"\n\n".join(self.put_into(event) for event in data.split(b"\n\n"))
        return data if self._theirs == self._replacement else data.replace(self._theirs, self._replacement)

    def _learn(self, data: bytes, start: int, end: int) -> None:
        """How this event writes the member. Objects inside may have one of the same name and value, if it is an id: so
        one that is needed is learned with the event's beginning.
        """
        if not self._is_needed:
            self._theirs = data[start:end]
        elif b'"' not in data[:start]:
            self._theirs, self._replacement = data[:end], data[:start] + self._ours

    def _find(self, data: bytes) -> tuple[int, int] | None:
        """Start and end of the member; if several objects have one, that of the outermost."""
        first = self._pattern.search(data)
        if first is None:
            return None
        if self._is_needed:
            if b'"' not in data[: first.start()] and data.count(b"{", 0, first.start()) == 1:
                return first.span()  # the object's first member, as an id nearly always is
        elif data.find(self._key, first.end()) < 0:
            return first.span()
        found = dict(match.span() for match in self._pattern.finditer(data))
        depth, depths = 0, {}
        for token in _NESTING.finditer(data):
            match token.group()[:1]:
                case b"{" | b"[":
                    depth += 1
                case b"}" | b"]":
                    depth -= 1
                case _ if token.start() in found:
                    depths[token.start()] = depth
                    if depth == 1:  # the object's own member: no need to scan the rest, which may be megabytes
                        break
        outermost = min(found, key=lambda start: depths.get(start, len(data)))
        if self._is_needed and depths.get(outermost) != 1:
            return None
        return outermost, found[outermost]


@overload
def with_members(answer: Reply, *members: OwnMember) -> Reply: ...
@overload
def with_members(answer: Reply | EventStream, *members: OwnMember) -> Reply | EventStream: ...
def with_members(answer: Reply | EventStream, *members: OwnMember) -> Reply | EventStream:
    """The same answer, whole or streamed, with members of our own."""
    if isinstance(answer, Reply):
        data = answer.data
        for member in members:
            data = member.put_into(data)
        return answer if data is answer.data else Reply(data)

    def change(frames: Frames) -> Frames:
        data = frames.data
        for member in members:
            data = member.put_into_events(data)
        return frames if data is frames.data else Frames(data)

    return answer.map(change)
