"""Finds `${env.X}` in a string: where each reference begins and ends, and what only looks like a reference.

Knows strings; not the values of variables. The forms, the same in every version of llama-stack:

    ${env.X}        the value
    ${env.X:=d}     the value, else d
    ${env.X:+v}     v when X is set, else empty
    ${env.X:d} and ${env.X+v}, the spelling until 0.2.12

Braces inside `d` and `v` must be in pairs: `${env.X:=p{w}d}` has the default `p{w}d`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Form = Literal["", "=", "+"]

_START = "${env."
# `:-` and `:?` are shell syntax, never ours: they must not be read as a default that begins with a dash.
_HEAD = re.compile(r"\$\{env\.([A-Za-z0-9_]+)(:[=+]|:(?![-?])|\+|(?=\}))")
_SHOWN = re.compile(r"\$\{env\.[A-Za-z0-9_]*[^A-Za-z0-9_]{0,2}")
_BRACE = re.compile(r"[{}]")
_FORMS: dict[str, Form] = {"": "", ":=": "=", ":": "=", ":+": "+", "+": "+"}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One `${env.X}`, from `start` to `end` in its string. argument: the `d` or `v` of the form. is_older: in the
    spelling until 0.2.12.
    """

    start: int
    end: int
    variable: str
    form: Form
    argument: str = ""
    is_older: bool = False


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """Looks like a reference but is not one. shown: its beginning, without any secret. is_unbalanced: its braces are
    not in pairs.
    """

    shown: str
    is_unbalanced: bool = False


def find(text: str) -> tuple[list[Reference], list[Malformed]]:
    """The references in `text`, in order, and what looks like one but cannot be read."""
    references: list[Reference] = []
    malformed: list[Malformed] = []
    start = text.find(_START)
    while start >= 0:
        found = _read(text, start)
        if isinstance(found, Reference):
            references.append(found)
        else:
            malformed.append(found)
        start = text.find(_START, found.end if isinstance(found, Reference) else start + 1)
    if not malformed and (cut := _cut_short(text, references)) is not None:
        malformed.append(Malformed(shown=_beginning(text, cut.start), is_unbalanced=True))
    return references, malformed


def _read(text: str, start: int) -> Reference | Malformed:
    head = _HEAD.match(text, start)
    if head is None:
        return Malformed(shown=_beginning(text, start))
    end = _closing(text, head.end())
    if end is None:
        return Malformed(shown=_beginning(text, start), is_unbalanced=True)
    argument = text[head.end() : end]
    if _START in argument:
        return Malformed(shown=_beginning(text, start))
    return Reference(
        start=start,
        end=end + 1,
        variable=head[1],
        form=_FORMS[head[2]],
        argument=argument,
        is_older=head[2] in (":", "+"),
    )


def _closing(text: str, start: int) -> int | None:
    """The position of the brace that closes the one open at `start`."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth < 0:
            return brace.start()
    return None


def _cut_short(text: str, references: list[Reference]) -> Reference | None:
    """The reference that is followed by a `}` without a `{`: its argument was probably meant to end there."""
    depth, place, last = 0, 0, None
    for reference in [*references, None]:
        for brace in _BRACE.finditer(text, place, reference.start if reference else len(text)):
            depth += 1 if brace[0] == "{" else -1
            if depth < 0 and last is not None:
                return last
            depth = max(depth, 0)
        if reference is not None:
            place, last = reference.end, reference if reference.form else last
    return None


def _beginning(text: str, start: int) -> str:
    match = _SHOWN.match(text, start)
    return f"{match[0] if match else ''}..."
