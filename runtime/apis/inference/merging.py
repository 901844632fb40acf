"""Makes one chat answer of the chunks of its stream.

    merged = MergedChat(choices=1)
    merged.add(frames.data)         # for each read
    merged.answer()                 # as if it had not been streamed

Fields that nobody knows are merged by what they are: see `_merge`. Knows nothing of where the answer goes.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from runtime.sse import Json, decode, payloads

_ONCE = frozenset({"role", "id", "type", "name", "format", "index"})
"""Texts in a delta that are no parts of a longer one: they come whole, in the first part or in each."""
_NOT_MERGED = frozenset({"choices", "object", "obfuscation"})
"""Of a chunk: merged by themselves, or only there because it is one."""
_FIRST = frozenset({"id", "created", "model"})
"""Of a chunk, what the first one says; of anything else the last one that is not null counts."""
LIMIT_BYTES = 64 * 1024 * 1024
"""What is kept of a stream: an answer is far shorter, and one that is longer probably never ends."""
_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*').fullmatch


class MergedChat:
    """The answer as far as it has come. Raises ValueError, TypeError or AttributeError if an event makes no sense, or
    if there are more than `choices` answers or more than `limit_bytes` bytes to keep.

    Most events of a stream differ from the one before in a piece of text alone. Their bytes before and after it are
    compared, and the piece is added to the text as it is: that costs a tenth of reading them.
    """

    __slots__ = ("_choices", "_head", "_left_bytes", "_most", "_run", "_same", "_tail", "_top")

    def __init__(self, *, choices: int, limit_bytes: int = LIMIT_BYTES) -> None:
        self._most = choices
        self._left_bytes = limit_bytes
        self._top: Json = {}
        self._choices: dict[int, Json] = {}
        self._same: list[Any] | None = None  # the parts of the text that `_run` belongs to
        self._head = self._tail = b""
        self._run: list[bytes] = []

    @property
    def finished(self) -> int:
        """How many choices have ended."""
        return sum(1 for choice in self._choices.values() if choice.get("finish_reason"))

    def add(self, data: bytes) -> None:
        """The next chunks. data: whole server-sent events."""
        for event in data.split(b"\n\n"):
            if self._same is not None and event.startswith(self._head) and event.endswith(self._tail):
                piece = event[len(self._head) : len(event) - len(self._tail)]
                if _STRING(piece):
                    self._count(piece)
                    self._run.append(piece)
                    continue
            if event:
                self._count(event)
                self._read(event)

    def _count(self, kept: bytes) -> None:
        self._left_bytes -= len(kept)
        if self._left_bytes < 0:
            raise ValueError("the answer is too long")

    def answer(self) -> Json:
        """A chat completion of all chunks so far."""
        self._end_run()
        choices = []
        for index, choice in sorted(self._choices.items()):
            message = {"role": "assistant", "content": None, **_finished(choice["message"])}
            choices.append({**choice, "index": index, "message": message, "logprobs": _finished(choice["logprobs"])})
        return {**self._top, "object": "chat.completion", "choices": choices}

    def _read(self, event: bytes) -> None:
        self._end_run()
        for payload in payloads(event):
            if payload not in (b"[DONE]", b""):
                self._merge_chunk(decode(payload), event)

    def _merge_chunk(self, chunk: Json, event: bytes) -> None:
        for name, value in chunk.items():
            if name in _NOT_MERGED or (value is None and name in self._top):
                continue
            if name not in _FIRST or self._top.get(name) is None:
                self._top[name] = value
        choices = chunk.get("choices") or ()
        for part in choices:
            index = part.get("index") or 0
            if index not in self._choices and len(self._choices) >= self._most:
                raise ValueError(f"there are more answers than the {self._most} that were asked for")
            choice = self._choices.setdefault(index, {"message": {}, "finish_reason": None, "logprobs": None})
            for name, value in part.items():
                if name not in ("index", "delta", "message", "logprobs") and value is not None:
                    choice[name] = value
            delta = part.get("delta") or {}
            _merge(choice["message"], delta)
            if part.get("logprobs"):
                choice["logprobs"] = choice["logprobs"] or {}
                _merge(choice["logprobs"], part["logprobs"])
            elif len(choices) == 1:
                self._begin_run(event, delta, choice["message"])

    def _begin_run(self, event: bytes, delta: Json, message: Json) -> None:
        """If all that this event adds is a piece of one text, remember what is around it."""
        added = [name for name, value in delta.items() if value and name not in _ONCE]
        if len(added) != 1 or not isinstance(delta[added[0]], str):
            return
        member = re.compile(rb'"%b"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"' % re.escape(added[0].encode()))
        found = list(member.finditer(event))
        if len(found) == 1 and b"\n" not in event:
            self._head, self._tail = event[: found[0].start(1)], event[found[0].end(1) :]
            self._same = message[added[0]].parts

    def _end_run(self) -> None:
        if self._same is not None:
            if self._run:
                self._same.append(_text_of(b"".join(self._run)))
                self._run.clear()
            self._same = None


class _Text:
    """A text whose parts have come. Not a `str`, to which adding a part would copy it."""

    __slots__ = ("parts",)

    def __init__(self, part: str) -> None:
        self.parts: list[Any] = [part]


def _merge(target: Json, delta: Json) -> None:
    """Add a part of an object: texts are put one after the other, lists too, except that items with an `index` are
    parts of the item with that index; of anything else the last value that is not null counts.
    """
    for name, value in delta.items():
        there = target.get(name)
        if value is None:
            target.setdefault(name, None)
        elif isinstance(value, str) and name not in _ONCE:
            if isinstance(there, _Text):
                there.parts.append(value)
            else:
                target[name] = _Text(value)
        elif isinstance(value, dict):
            if not isinstance(there, dict):
                there = target[name] = {}
            _merge(there, value)
        elif isinstance(value, list):
            if not isinstance(there, list):
                there = target[name] = []
            _extend(there, value)
        elif not isinstance(value, str) or not there:
            target[name] = value


def _extend(items: list[Any], parts: list[Any]) -> None:
    by_index: dict[int, dict[str, Any]] = {}
    for one in items:
        if isinstance(one, dict) and isinstance(index := one.get("index"), int):
            by_index.setdefault(index, one)
    for part in parts:
        if not isinstance(part, dict) or not isinstance(index := part.get("index"), int):
            items.append(part)
            continue
        if index not in by_index:
            by_index[index] = {}
            items.append(by_index[index])
        _merge(by_index[index], part)


def _finished(value: Any, name: str = "") -> Any:
    """What was merged, as plain JSON. name: the member that holds it."""
    if isinstance(value, _Text):
        return _joined_base64(value.parts) if name == "data" else "".join(value.parts)
    if isinstance(value, dict):
        return {key: _finished(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        items = [_finished(item) for item in value]
        if name == "tool_calls":
            return [{key: inner for key, inner in item.items() if key != "index"} for item in items]
        return items
    return value


def _joined_base64(parts: list[str]) -> str:
    """Sound, each part of which may be padded for itself."""
    if not any("=" in part for part in parts[:-1]):
        return "".join(parts)
    try:
        return base64.b64encode(b"".join(base64.b64decode(part, validate=True) for part in parts)).decode()
    except binascii.Error:
        return "".join(parts)


def _text_of(pieces: bytes) -> str:
    text: str = decode(b'{"text":"%b"}' % pieces)["text"]
    return text
