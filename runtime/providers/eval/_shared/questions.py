"""What a row asks, by the columns that it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT
from runtime.errors import RequestError
from runtime.sse import Json

ASKING = ("messages", "chat_completion_input", "completion_input", "question", INPUT)
"""The columns that say what is asked; the first that a row has counts."""
ANSWERS = (EXPECTED, "answer")
"""The columns that say what should be answered; the first that a row has counts."""
_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Question:
    """messages: of a chat, in OpenAI's form; None for a text to go on with. text: that, or what the user says last."""

    messages: list[Json] | None
    text: str


def question_of(row: Row) -> Question:
    """Raises RequestError for a row that asks nothing, which names the columns that it has, or in a wrong form."""
    for column in ASKING:
        if row.get(column) is not None:
            return _question(column, row[column])
    raise no_question(row)


def no_question(row: Row) -> RequestError:
    """The error for a row that asks nothing."""
    return RequestError(
        f"The row has none of the columns {named(ASKING)}, one of which says what is asked; it has {named(row)}",
        code="missing_columns",
    )


def expected_of(row: Row) -> Any:
    """What should be answered; None where the row does not say."""
    return next((row[column] for column in ANSWERS if row.get(column) is not None), None)


def row_to_score(row: Row, question: Question, generation: Json) -> Row:
    """The row as functions see it: its own columns, what was asked, answered and expected."""
    expected = expected_of(row)
    seen = {**row, INPUT: row.get(INPUT) or question.text, GENERATED: generation[GENERATED]}
    others = {name: value for name, value in generation.items() if name not in seen}
    return seen | others | ({} if expected is None else {EXPECTED: expected})


def named(columns: Iterable[str]) -> str:
    """Columns by name; the first of them, where there are very many."""
    names = [*columns]
    few = ", ".join(f"`{name[:100]}`" for name in names[:_SHOWN])
    return (few + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")) or "no columns"


def _question(column: str, given: Any) -> Question:
    if column in ("messages", "chat_completion_input"):
        messages = _read(given) if isinstance(given, str) else given
        if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
            raise _wrong(column, "it needs a list of messages, or that as JSON")
        return Question(messages=messages, text=_last_said(messages))
    if not isinstance(given, str):
        raise _wrong(column, "it needs a text")
    if column == "completion_input":
        whole = _read(given) if given.startswith('"') else given  # llama-stack has JSON there
        return Question(messages=None, text=whole if isinstance(whole, str) else given)
    return Question(messages=[{"role": "user", "content": given}], text=given)


def _last_said(messages: list[Json]) -> str:
    """The text of the last message of the user, else of the last one."""
    said = [one for one in messages if one.get("role") == "user"] or messages
    content = said[-1].get("content")
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "\n".join(text for text in texts if isinstance(text, str))


def _read(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _wrong(column: str, needed: str) -> RequestError:
    return RequestError(f"The column `{column}` of the row is of a wrong form: {needed}", code="invalid_row")
