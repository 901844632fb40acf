"""Calls of functions in an answer that arrives in pieces. Knows dialects; no tokens, no schemas.

What is no call that the request allows stays text. Arguments are passed on as they arrive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set
from typing import Any

from runtime.engine.text.answer_parts import CallArguments, CallStart, Content, Part, PartReader
from runtime.engine.text.pythonic_calls import json_text, python_calls
from runtime.engine.text.stop_strings import possible_start
from runtime.engine.text.tool_dialects import PYTHON_TAG, Dialect

_JSON_HEAD = re.compile(
    r'\{\s*(?:"type"\s*:\s*"function"\s*,\s*)?"name"\s*:\s*"((?:[^"\\]|\\.)*)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)'
)
_KEYS = ('"name"', '"type"', '"arguments"', '"parameters"', '"id"')
_TAG_HEAD = re.compile(r"([\w.-]+)>\s*(?=\{)")
_TAG_HEAD_BEGUN = re.compile(r"[\w.-]*(>\s*)?")
_PYTHONIC_BEGUN = re.compile(r"\[\s*([\w.-]+\s*\(|[\w.-]+\s*\Z|\Z)")


class CallReader(PartReader):
    """Splits an answer into text and calls. names: of the functions that may be called."""

    def __init__(self, dialect: Dialect, names: Set[str]) -> None:
        self.count = 0
        self._dialect, self._names = dialect, names
        self._buffer = ""
        self._raw = ""  # what has been read of calls that have not begun yet
        self._read = self._begin if not dialect.trigger else self._outside
        closing = dialect.closing.strip().lstrip("]")
        self._markers = [marker for marker in (dialect.trigger, closing, PYTHON_TAG) if marker]
        if dialect.layout == "tag":
            self._markers.remove(dialect.trigger)
        self._filler = re.compile("(?:" + "|".join([r"[\s,;\[\]]", *map(re.escape, self._markers)]) + ")*")
        self._braces, self._scanned = _Braces(), 0

    @property
    def is_in_call(self) -> bool:
        """Whether a call has begun whose arguments are not whole yet."""
        return self._read == self._arguments

    def finish(self) -> list[Part]:
        """The rest at the end of the answer."""
        parts: list[Part] = []
        if self._dialect.layout == "pythonic" and self._read == self._pythonic:
            self._read_pythonic(parts)
        elif self._raw or not self.count or (self._read == self._outside and self._buffer.strip()):
            self._give_up(parts)
        return parts

    def _outside(self, parts: list[Part]) -> bool:
        """In text, before a trigger."""
        trigger = self._dialect.trigger
        at = self._buffer.find(trigger)
        if at >= 0:
            before = self._buffer[:at].rstrip()
            self._show(before, parts)
            self._buffer = self._buffer[len(before) :]
            self._take(at - len(before) + len(trigger))
            self._read = self._head if self._dialect.layout == "tag" else self._between
            return True
        # White space goes with what follows it: before a call it is not shown.
        sure = self._buffer[: len(self._buffer) - possible_start(self._buffer, (trigger,))].rstrip()
        self._show(sure, parts)
        self._buffer = self._buffer[len(sure) :]
        return False

    def _begin(self, parts: list[Part]) -> bool:
        """At the beginning of an answer whose calls have no trigger."""
        stripped = self._buffer.lstrip()
        if not stripped or (PYTHON_TAG.startswith(stripped) and stripped != PYTHON_TAG):
            return False
        stripped = stripped.removeprefix(PYTHON_TAG).lstrip()
        if not stripped:
            return False
        if self._dialect.layout == "pythonic":
            self._read = self._pythonic if stripped[0] == "[" else self._plain
        else:
            self._read = self._between if stripped[0] == "{" else self._plain
        return True

    def _plain(self, parts: list[Part]) -> bool:
        """In text that has no calls any more."""
        self._show(self._buffer, parts)
        self._buffer = ""
        return False

    def _between(self, parts: list[Part]) -> bool:
        """After a trigger, or after a call."""
        filler = self._filler.match(self._buffer)
        assert filler is not None
        rest = self._buffer[filler.end() :]
        trigger = self._dialect.trigger
        waits_for = [*self._markers, trigger] if self._dialect.layout == "tag" else self._markers
        if not rest or any(marker.startswith(rest) and marker != rest for marker in waits_for):
            return False
        if self._dialect.layout == "tag" and rest.startswith(trigger):
            self._take(filler.end() + len(trigger))
            self._read = self._head
        elif self._dialect.layout == "json" and rest[0] == "{":
            self._take(filler.end())
            self._read, self._braces, self._scanned = self._head, _Braces(), 0
        elif self.count and not self._raw:
            self._buffer = rest
            self._read = self._outside if trigger else self._plain
        else:
            self._give_up(parts)
            return False
        return True

    def _head(self, parts: list[Part]) -> bool:
        """In a call, before its arguments."""
        is_json = self._dialect.layout == "json"
        found = (_JSON_HEAD if is_json else _TAG_HEAD).match(self._buffer)
        if found is not None:
            name = _unescaped(found[1])
            if name not in self._names:
                self._give_up(parts)
                return False
            self._start(name, parts)
            self._buffer = self._buffer[found.end() :]
            self._read, self._braces = self._arguments, _Braces()
            return True
        if is_json:
            first = self._buffer[1:].lstrip()
            could_be = any(key.startswith(first) or first.startswith(key) for key in _KEYS)
        else:
            could_be = _TAG_HEAD_BEGUN.fullmatch(self._buffer) is not None
        if not could_be:
            self._give_up(parts)
        if not is_json or not could_be:
            return False
        end = self._braces.end(self._buffer[self._scanned :])
        if end is not None:
            self._whole_object(self._scanned + end, parts)
        self._scanned = len(self._buffer)
        return end is not None

    def _whole_object(self, end: int, parts: list[Part]) -> None:
        """A call whose fields are in another order."""
        call = _parsed(self._buffer[:end])
        arguments = call.get("arguments", call.get("parameters"))
        try:
            name, written = call.get("name"), json_text(arguments)
        except ValueError:
            name, written = None, ""
        if not isinstance(name, str) or name not in self._names or not isinstance(arguments, dict):
            self._give_up(parts)
            return
        self._start(name, parts)
        parts.append(CallArguments(self.count - 1, written))
        self._buffer = self._buffer[end:]
        self._read = self._between

    def _arguments(self, parts: list[Part]) -> bool:
        end = self._braces.end(self._buffer)
        parts.append(CallArguments(self.count - 1, self._buffer[:end]))
        self._buffer = "" if end is None else self._buffer[end:]
        if end is not None:
            self._read, self._braces = self._tail, _Braces(depth=1)
        return end is not None

    def _tail(self, parts: list[Part]) -> bool:
        """After the arguments: up to the end of the object around them."""
        end = 0 if self._dialect.layout == "tag" else self._braces.end(self._buffer)
        self._buffer = "" if end is None else self._buffer[end:]
        if end is not None:
            self._read = self._between
        return end is not None

    def _pythonic(self, parts: list[Part]) -> bool:
        """In `[name(...), ...]`, which is read once it is whole."""
        if _PYTHONIC_BEGUN.match(self._buffer.lstrip().removeprefix(PYTHON_TAG).lstrip()) is None:
            self._give_up(parts)
        return False

    def _read_pythonic(self, parts: list[Part]) -> None:
        calls = python_calls(self._buffer.strip().removeprefix(PYTHON_TAG).strip(), self._names)
        if not calls:
            self._give_up(parts)
        for name, arguments in calls:
            self._start(name, parts)
            parts.append(CallArguments(self.count - 1, arguments))

    def _start(self, name: str, parts: list[Part]) -> None:
        parts.append(CallStart(self.count, name))
        self.count += 1
        self._raw = ""

    def _take(self, length: int) -> None:
        self._raw += self._buffer[:length]
        self._buffer = self._buffer[length:]

    def _give_up(self, parts: list[Part]) -> None:
        """No call after all: what has been read is text, and so is the rest."""
        self._show(self._raw + self._buffer, parts)
        self._raw = self._buffer = ""
        self._read = self._plain

    def _show(self, text: str, parts: list[Part]) -> None:
        if text:
            parts.append(Content(text))


class _Braces:
    """Finds the end of a JSON object that arrives in pieces. depth: how many objects are open before it."""

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self._in_string = self._escaped = False

    def end(self, text: str) -> int | None:
        """The place after the brace that closes the outermost object; None where it is not in `text`."""
        for at, character in enumerate(text):
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif character == "\\":
                    self._escaped = True
                elif character == '"':
                    self._in_string = False
            elif character == '"':
                self._in_string = True
            elif character == "{":
                self._depth += 1
            elif character == "}":
                self._depth -= 1
                if self._depth == 0:
                    return at + 1
        return None


def _unescaped(text: str) -> str:
    found = _parsed(f'{{"name": "{text}"}}').get("name")
    return found if isinstance(found, str) else text


def _parsed(text: str) -> dict[str, Any]:
    """The JSON object in `text`; empty where there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
