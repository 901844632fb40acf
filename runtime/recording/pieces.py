"""Secrets that an event stream says in pieces: a model that repeats a key does so token by token, and no event has all
of it. The texts of one member, such as `choices[0].delta.content`, are looked through as the one text that they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from runtime.sse import Json

Span = tuple[int, int]
"""Where something begins and ends in a text."""


class _Piece(NamedTuple):
    """A text, and where it stands."""

    holder: Any
    key: Any
    text: str


def hide_across(events: Iterable[Json], spans: Callable[[str], Iterable[Span]], instead: str) -> None:
    """Put `instead` in the place of what is found in the texts of several events, in these events. spans: finds it."""
    members: defaultdict[tuple[Any, ...], list[_Piece]] = defaultdict(list)
    for event in events:
        for path, piece in _pieces(event, ()):
            members[path].append(piece)
    for pieces in members.values():
        if len({piece.text for piece in pieces}) > 1:  # else it says the same each time, such as an id
            for span in _apart(spans("".join(piece.text for piece in pieces))):
                _hide(pieces, span, instead)


def _pieces(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], _Piece]]:
    """The texts in a value, each with the path of its member: by its `index` where an item of a list has one."""
    is_list = isinstance(value, list)
    for key, inner in list(enumerate(value)) if is_list else list(value.items()):
        here = (*path, inner.get("index", key) if is_list and isinstance(inner, dict) else key)
        if isinstance(inner, str):
            yield here, _Piece(value, key, inner)
        elif isinstance(inner, dict | list):
            yield from _pieces(inner, here)


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Spans that do not meet, the last one first, so that those before stay where they are."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found[::-1]


def _hide(pieces: list[_Piece], span: Span, instead: str) -> None:
    place = 0
    for piece in pieces:
        start, end = max(span[0] - place, 0), min(span[1] - place, len(piece.text))
        if start < end:
            now: str = piece.holder[piece.key]
            is_first = span[0] >= place
            piece.holder[piece.key] = now[:start] + (instead if is_first else "") + now[end:]
        place += len(piece.text)
