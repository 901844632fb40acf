"""What a model is told to make up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runtime.apis.datasets.protocol import Row
from runtime.apis.inference.sense import text_of
from runtime.sse import Json, encode

_TASK = "Make up one row of data. It is a JSON object that fits this JSON Schema:"
_LIKE, _UNLIKE = "Rows that it is to be like:", "Rows that are there, from which it has to differ:"
_LAST = "Answer with the one new row as JSON, and with nothing else."
_MOST_CHARACTERS = 4000
"""Of all rows that are shown for one purpose; one is shown, however long it is."""


def task_of(schema: Json) -> str:
    """What is wanted, in words."""
    return f"{_TASK}\n{encode(schema).decode()}"


def messages_for(dialog: Sequence[Json], schema: Json | None, like: Sequence[Row], unlike: Sequence[Row]) -> list[Json]:
    """The messages of one question. dialog: what the caller says; without a schema, that is all. like: seed rows;
    unlike: rows that were made up before.
    """
    if schema is None:
        return list(dialog)
    parts = [task_of(schema), *_shown(_LIKE, like), *_shown(_UNLIKE, unlike), _LAST]
    asked = "\n\n".join(parts)
    if dialog and dialog[-1]["role"] == "user":  # many models take no two messages of a user in a row
        return [*dialog[:-1], {**dialog[-1], "content": _joined(dialog[-1]["content"], asked)}]
    return [*dialog, {"role": "user", "content": asked}]


def asked_in(dialog: Sequence[Json]) -> str:
    """The text of the last message of a user; empty where there is none."""
    return next((text_of(message["content"]) for message in reversed(dialog) if message["role"] == "user"), "")


def _shown(title: str, rows: Sequence[Row]) -> Iterable[str]:
    lines: list[str] = []
    room = _MOST_CHARACTERS
    for row in rows:
        line = encode(row).decode()
        room -= len(line)
        if room < 0 and lines:
            break
        lines.append(line)
    return ["\n".join([title, *lines])] if lines else []


def _joined(first: str | list[Json], more: str) -> str | list[Json]:
    return f"{first}\n\n{more}" if isinstance(first, str) else [*first, {"type": "text", "text": more}]
