"""Takes secrets out of what is recorded, by the lists of `hidden.yaml`, by their values where those are known, and by
the patterns of whoever records. A request in a replay goes through the same, and so is equal to what was recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from runtime.errors import ConfigInvalid, Problem
from runtime.recording.bodies import Held
from runtime.redaction import redact_text
from runtime.sse import Json

HIDDEN = "<hidden>"
_SHORTEST = 8
"""A secret that is shorter is not looked for in texts: it would be found in words."""


class _Names(NamedTuple):
    """Names of secrets, in lower case and without what parts their words."""

    whole: frozenset[str]
    ends: tuple[str, ...]

    @classmethod
    def of(cls, given: Iterable[str]) -> _Names:
        names = list(given)
        return cls(frozenset(map(_plain, names)), tuple(_plain(name) for name in names if "_" in name))

    def has(self, name: str) -> bool:
        plain = _plain(name)
        return plain in self.whole or plain.endswith(self.ends)


class _Lists(NamedTuple):
    request_headers: tuple[str, ...]
    answer_headers: tuple[str, ...]
    members: _Names
    in_addresses: _Names
    patterns: tuple[re.Pattern[str], ...]


@cache
def _lists() -> _Lists:
    given: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("hidden.yaml").read_text(encoding="utf-8"))
    only_there = set(given["only_in_addresses"])
    return _Lists(
        tuple(given["request_headers"]),
        tuple(given["answer_headers"]),
        _Names.of(name for name in given["members"] if name not in only_there),
        _Names.of(given["members"]),
        tuple(map(re.compile, given["patterns"])),
    )


class Hiding:
    """known: the secrets that this process knows by their values, asked each time. patterns: more of them, as regular
    expressions. Raises ConfigInvalid for one that is none.
    """

    def __init__(self, known: Callable[[], Iterable[str]] = tuple, patterns: Iterable[str] = ()) -> None:
        self._known = known
        self._patterns = (*_lists().patterns, *_compiled(patterns))

    def request(self, request: Json, *, also: Iterable[str] = ()) -> Json:
        """A request of a recording without secrets. also: more of them, such as the caller's own."""
        return self._message(request, _lists().request_headers, self._values(also))

    def answer(self, answer: Json, *, also: Iterable[str] = ()) -> Json:
        """An answer of a recording without secrets."""
        return self._message(answer, _lists().answer_headers, self._values(also))

    def _values(self, also: Iterable[str]) -> list[str]:
        found = {value for value in (*self._known(), *also) if len(value) >= _SHORTEST}
        return sorted(found, key=len, reverse=True)

    def _message(self, message: Json, headers: Iterable[str], values: list[str]) -> Json:
        clean: Json = {}
        for name, part in message.items():
            if name == "headers":
                part = {key.lower(): value for key, value in part.items() if _is_one_of(key.lower(), headers)}
            if name in ("query", "fields"):
                clean[name] = [[key, self._of(value, key, values, _lists().in_addresses)] for key, value in part]
            else:
                clean[name] = self._of(part, "", values, _lists().members)
        return clean

    def _of(self, value: Any, name: str, values: list[str], members: _Names) -> Any:
        if name and isinstance(value, str) and value and members.has(name):
            return HIDDEN
        if isinstance(value, str):
            return self._text(value, values)
        if isinstance(value, dict):
            if "name" in value and "filename" not in value and isinstance(value.get("text"), str):  # a part of a form
                is_secret = _lists().in_addresses.has(str(value["name"]))
                return value | {"text": HIDDEN if is_secret else self._text(value["text"], values)}
            return {key: self._of(inner, str(key), values, members) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._of(inner, "", values, members) for inner in value]
        if isinstance(value, Held):
            return Held(_without(value.data, values), value.suffix)
        return value

    def _text(self, text: str, values: list[str]) -> str:
        for value in values:
            text = text.replace(value, HIDDEN)
        for pattern in self._patterns:
            text = pattern.sub(_hide, text)
        return redact_text(text) if "://" in text else text


def _hide(found: re.Match[str]) -> str:
    if not found.re.groups or found[1] is None:
        return HIDDEN
    start, end = found.start(1) - found.start(), found.end(1) - found.start()
    return found[0][:start] + HIDDEN + found[0][end:]


def _without(data: bytes, values: Iterable[str]) -> bytes:
    for value in values:
        data = data.replace(value.encode(errors="surrogateescape"), HIDDEN.encode())
    return data


def _compiled(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    compiled, problems = [], []
    for pattern in patterns:
        try:
            compiled.append(re.compile(pattern))
        except re.error as error:
            problems.append(Problem(message=f"`{pattern}` is no regular expression: {error}", path="--redact"))
    if problems:
        raise ConfigInvalid(problems, what="choice")
    return compiled


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_one_of(name: str, wanted: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in wanted)
