"""Takes secrets out of what is recorded, by the lists of `hidden.yaml`, by their values where those are known, and by
the patterns of whoever records. A request in a replay goes through the same, and so is equal to what was recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import yaml

from runtime.errors import ConfigInvalid, Problem
from runtime.recording.bodies import Held
from runtime.recording.needed import Sought, small_letters
from runtime.recording.pieces import Span, hide_across
from runtime.redaction import redact_text, secrets_of_queries
from runtime.sse import Json

HIDDEN = "<hidden>"
_SHORTEST = 8
"""A secret that is shorter is not looked for in texts: it would be found in words."""
_KINDS = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
_JOINS = frozenset(("$ref", "anyOf", "oneOf", "allOf"))
"""What a JSON schema has: its types, or one of these members."""


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
        return any(one in self.whole or one.endswith(self.ends) for one in (plain, plain.removesuffix("s")))


class _Lists(NamedTuple):
    """`hidden.yaml`. in_texts: a member of an object that a text quotes, whatever it escapes quotes with."""

    request_headers: tuple[str, ...]
    answer_headers: tuple[str, ...]
    members: _Names
    in_addresses: _Names
    in_texts: Sought
    patterns: tuple[Sought, ...]


@cache
def _lists() -> _Lists:
    given: Mapping[str, Any] = yaml.safe_load(Path(__file__).with_name("hidden.yaml").read_text(encoding="utf-8"))
    secrets, accounts, only_there = given["members"], given["accounts"], given["only_in_addresses"]
    return _Lists(
        tuple(given["request_headers"]),
        tuple(given["answer_headers"]),
        _Names.of([*secrets, *accounts]),
        _Names.of([*secrets, *accounts, *only_there]),
        _quoting(secrets),
        tuple(map(Sought.of, given["patterns"])),
    )


class _Name(NamedTuple):
    """The name of a member without secrets. is_secret: whether what stands under it is one."""

    shown: str
    is_secret: bool


class _Sought(NamedTuple):
    """What is looked for in one message, and what its members' names were found to be."""

    values: list[str]
    names: dict[str, _Name]


class Hiding:
    """known: the secrets that this process knows by their values, asked each time. patterns: more of them, as regular
    expressions. Raises ConfigInvalid for one that is none, or that finds nothing everywhere.
    """

    def __init__(self, known: Callable[[], Iterable[str]] = tuple, patterns: Iterable[str] = ()) -> None:
        self._known = known
        self._patterns = (*_lists().patterns, *_compiled(patterns))

    def request(self, request: Json, *, also: Iterable[str] = ()) -> Json:
        """A request of a recording without secrets. also: more of them, such as the caller's own."""
        return self._message(request, _lists().request_headers, self._sought(also))

    def answer(self, answer: Json, *, also: Iterable[str] = ()) -> Json:
        """An answer of a recording without secrets."""
        return self._message(answer, _lists().answer_headers, self._sought(also))

    def text(self, text: str) -> str:
        """A text without secrets, such as the name of a test."""
        return self._text(text, self._values(()))

    def _sought(self, also: Iterable[str]) -> _Sought:
        return _Sought(self._values(also), {})

    def _values(self, also: Iterable[str]) -> list[str]:
        """Those that are known, and as they are spelt in an address and in JSON."""
        known = {value for value in (*self._known(), *also) if len(value) >= _SHORTEST}
        spelt = {way(value) for value in known for way in _SPELT}
        return sorted(spelt, key=len, reverse=True)

    def _message(self, message: Json, headers: Iterable[str], sought: _Sought) -> Json:
        clean: Json = {}
        for name, part in message.items():
            if name == "headers":
                part = {key.lower(): value for key, value in sorted(part.items()) if _is_one_of(key.lower(), headers)}
            if name in ("query", "fields"):
                clean[name] = [self._pair(key, value, sought.values) for key, value in part]
            elif name == "parts":
                clean[name] = [self._part(one, sought) for one in part]
            elif name == "events":
                clean[name] = self._of(part, sought)
                hide_across(clean[name], partial(self._spans, values=sought.values), HIDDEN)
            else:
                clean[name] = self._of(part, sought)
        return clean

    def _pair(self, name: str, value: str, values: list[str]) -> list[str]:
        is_secret = value and _lists().in_addresses.has(name)
        return [self._text(name, values), HIDDEN if is_secret else self._text(value, values)]

    def _part(self, part: Json, sought: _Sought) -> Json:
        """A part of a form."""
        clean: Json = self._of(part, sought)
        is_secret = "filename" not in part and _lists().in_addresses.has(str(part.get("name", "")))
        return clean | {"text": HIDDEN} if is_secret and part.get("text") else clean

    def _of(self, value: Any, sought: _Sought) -> Any:
        if isinstance(value, str):
            return self._text(value, sought.values)
        if isinstance(value, dict):
            named = value.get("name")  # as a list of headers or variables has them
            is_named = isinstance(named, str) and "value" in value and _lists().members.has(named)
            clean = {}
            for key, inner in value.items():
                name = self._name(str(key), sought)
                is_secret = name.is_secret or (is_named and key == "value")
                clean[name.shown] = _hidden(inner) if is_secret else self._of(inner, sought)
            return clean
        if isinstance(value, list):
            return [self._of(inner, sought) for inner in value]
        if isinstance(value, Held):
            return Held(self._data(value.data, sought.values), value.suffix)
        return value

    def _name(self, name: str, sought: _Sought) -> _Name:
        """A member's name, which is looked through once in a message: a document has a hundred thousand blocks."""
        known = sought.names.get(name)
        if known is None:
            known = sought.names[name] = _Name(self._text(name, sought.values), _lists().members.has(name))
        return known

    def _text(self, text: str, values: Iterable[str]) -> str:
        text = self._found(text, values)
        if ('"' in text or "'" in text) and _lists().in_texts.may_be_in(small_letters(text)):
            text = _lists().in_texts.pattern.sub(_hide, text)
        for secret in secrets_of_queries(text):
            text = text.replace(secret, HIDDEN)
        return redact_text(text) if "://" in text else text

    def _data(self, data: bytes, values: Iterable[str]) -> bytes:
        return self._found(data.decode(errors="surrogateescape"), values).encode(errors="surrogateescape")

    def _found(self, text: str, values: Iterable[str]) -> str:
        for value in values:
            text = text.replace(value, HIDDEN)
        small = small_letters(text)
        for sought in self._patterns:
            if sought.may_be_in(small):
                text = sought.pattern.sub(_hide, text)
        return text

    def _spans(self, text: str, values: Iterable[str]) -> Iterator[Span]:
        """Where secrets stand in a text."""
        for pattern in (
            *map(re.compile, map(re.escape, values)),
            *(sought.pattern for sought in self._patterns),
            _lists().in_texts.pattern,
        ):
            for found in pattern.finditer(text):
                yield found.span(_group(found))


def _hidden(value: Any) -> Any:
    """What stands under the name of a secret. What only describes it, a JSON schema, stays, and so does what kind of
    secret it is; a number becomes another one.
    """
    if isinstance(value, str):
        return HIDDEN if value else value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return 0
    if isinstance(value, list):
        return [_hidden(inner) for inner in value]
    if isinstance(value, dict) and not _is_schema(value):
        return {key: inner if key == "type" else _hidden(inner) for key, inner in value.items()}
    return value


def _is_schema(value: Mapping[str, Any]) -> bool:
    given = value.get("type")
    kinds = given if isinstance(given, list) else [given]
    return all(isinstance(kind, str) and kind in _KINDS for kind in kinds) or not _JOINS.isdisjoint(value)


def _hide(found: re.Match[str]) -> str:
    (begin, _), (start, end) = found.span(), found.span(_group(found))
    return found[0][: start - begin] + HIDDEN + found[0][end - begin :]


def _group(found: re.Match[str]) -> str | int:
    """Which group of a match is the secret; 0 for all of it."""
    if "value" in found.re.groupindex:
        return "value"
    return 1 if found.re.groups and found[1] is not None else 0


def _compiled(patterns: Iterable[str]) -> list[Sought]:
    compiled: list[Sought] = []
    problems = []
    for pattern in patterns:
        try:
            compiled.append(Sought.of(pattern))
        except re.error as error:
            problems.append(Problem(message=f"`{pattern}` is no regular expression: {error}", path="--redact"))
            continue
        if compiled[-1].pattern.search("") is not None:
            problems.append(Problem(message=f"`{pattern}` finds also what is empty", path="--redact"))
    if problems:
        raise ConfigInvalid(problems, what="choice")
    return compiled


def _quoting(names: Iterable[str]) -> Sought:
    """Finds members with such names where a text quotes an object, or a piece of one. The group `value` is a value."""
    words = "|".join(rf"[\w-]*{name}" if "_" in name else name for name in names).replace("_", "[_-]?")
    name = rf"""(?P<quote>(?<!\\)\\*["'])(?i:{words})s?(?P=quote)"""
    return Sought.of(rf"{name}\s*:\s*(?P=quote)(?P<value>(?s:.+?))(?:(?<!\\)(?P=quote)|\Z)")


def _in_json(value: str, *, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)[1:-1]


_SPELT: tuple[Callable[[str], str], ...] = (
    str,
    partial(quote, safe=""),
    partial(_in_json, ascii_only=True),
    partial(_in_json, ascii_only=False),
)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_one_of(name: str, wanted: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in wanted)
