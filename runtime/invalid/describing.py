"""From pydantic's errors to what a person reads: one description for each place that is wrong."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from runtime.invalid import expectations
from runtime.invalid.members import Located, of_the_best
from runtime.invalid.places import Key, Place, Places
from runtime.invalid.vocabulary import Vocabulary, quoted
from runtime.redaction import hides
from runtime.similar import nearest, suggestion

_MANY_CHOICES, _MANY_NAMES = 8, 24
"""More choices than this are listed only where none is surely meant, and more names of fields not at all."""
_SURE = 0.8
"""How like a choice is that is surely meant, as difflib counts."""
_MANY_GIVEN = 100
_LENGTHS = ("too_long", "too_short")
"""Of anything that has a length, also of text where it may be a list too."""
_CHOICE = re.compile(r"'((?:\\.|[^'\\])*)'|\"([^\"]*)\"|([^\s,]+)")
_BEFORE_OUR_OWN = re.compile(r"^(Value error|Assertion failed), ")
_PLURAL = re.compile(r"(\S+) (\w+(?: place)?)\(s\)")
"""A number and what it counts, as the table has them."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What is wrong at one place. steps: the place, as the caller wrote it. hint: the nearest valid names. is_absent:
    whether it is not there.
    """

    steps: tuple[Key, ...]
    message: str
    hint: str | None = None
    is_absent: bool = False

    @property
    def place(self) -> str:
        """As OpenAI names it, such as `messages[0].role`; empty for the whole value."""
        return written(self.steps)

    @property
    def words(self) -> str:
        """The message with its hint."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


def described(errors: Sequence[ErrorDetails], model: type[BaseModel], given: Any, words: Vocabulary) -> list[Wrong]:
    """What is wrong with a value, in pydantic's order.

    errors: pydantic's, of this model. given: the value. words: of the format that it was written in.
    """
    places = Places(model)
    at: dict[tuple[Key, ...], list[Located]] = {}
    for error, place in of_the_best([(error, places.of(error["loc"], given)) for error in errors]):
        at.setdefault(_steps(error, place), []).append((error, place))
    return [_wrong(steps, found, words, at) for steps, found in at.items()]


def _steps(error: ErrorDetails, place: Place) -> tuple[Key, ...]:
    """Of several shapes the place is the field that tells them apart; of a value that is itself a document, the place
    inside it, which the error knows.
    """
    context = error.get("ctx", {})
    if error["type"].startswith("union_tag_"):
        return *place.steps, context["discriminator"].strip("'")
    return (*place.steps, context["inside"]) if context.get("inside") else place.steps


def _wrong(
    steps: tuple[Key, ...], found: Sequence[Located], words: Vocabulary, all_steps: Container[tuple[Key, ...]]
) -> Wrong:
    """One description of the errors at one place, which are about alternatives for it. all_steps: where all are."""
    parts = [_part(error, place, steps, words) for error, place in found]
    choices = [f"`{choice}`" for part in parts for choice in part.choices]
    expected = list(dict.fromkeys([*choices, *(part.expected for part in parts if part.expected)]))
    said = list(dict.fromkeys(part.message for part in parts if part.message))
    if expected:
        got = next(part.got for part in parts if part.expected or part.choices)
        said.insert(0, f"expected {_either(expected)}{got}")
    hints = dict.fromkeys(part.hint for part in parts if part.hint)
    is_absent = all(_is_absent(error) for error, _ in found)
    misspelt = _misspelt(*found[0], steps) if is_absent else None
    if misspelt is not None and (*steps[:-1], misspelt) not in all_steps:
        hints = {f"`{quoted(misspelt)}` is given: did you mean `{steps[-1]}`?": None}
    return Wrong(steps=steps, message=", or ".join(said), hint=next(iter(hints), None), is_absent=is_absent)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What one error says: either what was expected, and what was there instead, or another message."""

    expected: str = ""
    choices: tuple[str, ...] = ()
    got: str = ""
    message: str = ""
    hint: str | None = None


def _part(error: ErrorDetails, place: Place, steps: tuple[Key, ...], words: Vocabulary) -> _Part:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    is_hidden = any(hides(str(step)) for step in steps)
    if kind in expectations.OF_CHOICES:
        choices = [
            _unquoted(found) for found in _CHOICE.finditer(context[expectations.OF_CHOICES[kind]]) if found[0] != "or"
        ]
        return _none_of(choices, context.get("tag", value), words, is_hidden=is_hidden)
    if kind in expectations.OF_ANOTHER_TYPE:
        expected = _filled(expectations.OF_ANOTHER_TYPE[kind], context, words)
        return _Part(expected=expected, got="" if is_hidden else f", got {words.shown(value, has_type=True)}")
    if kind in expectations.OF_A_BOUND:
        expected = _filled(expectations.OF_A_BOUND[kind], context, words)
        return _Part(expected=expected, got="" if is_hidden else f", got {words.shown(value)}")
    if kind in expectations.OF_A_LENGTH:
        template = expectations.OF_A_LENGTH[f"string_{kind}" if isinstance(value, str) and kind in _LENGTHS else kind]
        expected = _filled(template, context, words)
        return _Part(expected=expected, got=_length_of(value, words, is_hidden=is_hidden))
    if kind in expectations.FACTS:
        message = _filled(expectations.FACTS[kind], {**context, "name": quoted(str(steps[-1] if steps else ""))}, words)
        return _Part(message=message, hint=_names_instead(error, place, words))
    message = error["msg"]
    if kind in expectations.OF_OUR_OWN:
        message = _BEFORE_OUR_OWN.sub("", message)
    is_shown = message.startswith("must be ") and isinstance(value, str | int | float) and not is_hidden
    return _Part(message=f"{message}, got {words.shown(value)}" if is_shown else message)


def _none_of(choices: Sequence[str], value: Any, words: Vocabulary, *, is_hidden: bool) -> _Part:
    """For a value that is none of the choices."""
    close = nearest(value, choices) if isinstance(value, str) and not is_hidden else []
    near = suggestion(close)
    shown = "" if is_hidden else words.shown(value)
    if get_close_matches(str(value), close, n=1, cutoff=_SURE) and len(choices) > _MANY_CHOICES:
        return _Part(message=f"unknown value {shown}", hint=near)
    return _Part(choices=tuple(choices), got=shown and f", got {shown}", hint=near)


def _names_instead(error: ErrorDetails, place: Place, words: Vocabulary) -> str | None:
    """The names that are known where one is not, or the values of a field that is missing."""
    if error["type"] == "union_tag_not_found":
        listed = error.get("ctx", {}).get("expected_tags")
        tags = [_unquoted(found) for found in _CHOICE.finditer(listed)] if listed else place.tags
        return f"expected {_either([f'`{tag}`' for tag in tags])}" if tags else None
    if error["type"] != "extra_forbidden" or not place.names:
        return None
    known = sorted(place.names)
    near = suggestion(nearest(str(place.steps[-1]), known))
    return near or (f"the {words.field}s here are {', '.join(known)}" if len(known) <= _MANY_NAMES else None)


def _misspelt(error: ErrorDetails, place: Place, steps: tuple[Key, ...]) -> str | None:
    """What stands beside a missing field and has a name like it, which no field has."""
    beside, missing = error["input"], steps[-1]
    if not isinstance(beside, dict) or not isinstance(missing, str):
        return None
    known = {missing, *place.names}
    unknown = [name for name in islice(beside, _MANY_GIVEN) if isinstance(name, str) and name not in known]
    return next(iter(nearest(missing, unknown, limit=1)), None)


def _filled(template: str, context: Mapping[str, Any], words: Vocabulary) -> str:
    facts = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    text = template.format_map({**vars(words), **facts})
    return _PLURAL.sub(lambda found: f"{found[1]} {found[2]}{'' if found[1] == '1' else 's'}", text)


def _length_of(value: Any, words: Vocabulary, *, is_hidden: bool) -> str:
    try:
        length = len(value)
    except TypeError:
        return ""
    beginning = f", beginning with {words.shown(value)}" if isinstance(value, str) and value and not is_hidden else ""
    return f", got {length or 'none'}{beginning}"


def _is_absent(error: ErrorDetails) -> bool:
    return error["type"] in ("missing", "union_tag_not_found")


def _unquoted(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None)


def _either(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def written(steps: Sequence[Key]) -> str:
    """`messages[0].role` for ("messages", 0, "role"), as OpenAI names a place."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{quoted(step)}" if text else quoted(step)
    return text
