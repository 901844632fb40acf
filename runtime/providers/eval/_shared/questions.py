"""What a row asks, by the columns that it has: as in llama-stack's own sets, and in the Berkeley leaderboard's data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from runtime.apis._earlier.content import ImageItem
from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import EXPECTED, GENERATED, INPUT
from runtime.errors import RequestError
from runtime.parsing.requests import validated
from runtime.providers._earlier.images import image_part
from runtime.providers.eval._shared.functions import FUNCTION, tools_of
from runtime.sse import Json

ASKING = ("messages", "chat_completion_input", "completion_input", "question", INPUT)
"""The columns that say what is asked; the first that a row has counts."""
ANSWERS = (EXPECTED, "answer")
"""The columns that say what should be answered; the first that a row has counts."""
_TURNS = "question"
"""The column that has turns, of messages each, in the leaderboard's data."""
_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Question:
    """messages: of a chat, in OpenAI's form; None for a text to go on with. text: that, or what the user says last.
    tools: what a model may call for it.
    """

    messages: list[Json] | None
    text: str
    tools: Sequence[Json] = ()


def question_of(row: Row) -> Question:
    """Raises RequestError for a row that asks nothing, which names the columns that it has, or in a wrong form."""
    for column in ASKING:
        if row.get(column) is not None:
            return _with_functions(row) if column == _TURNS and row.get(FUNCTION) else _question(column, row[column])
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
        return _chat(column, _read(given) if isinstance(given, str) else given)
    if isinstance(given, list) and column == _TURNS:
        return _chat(column, _one_turn(given))
    if not isinstance(given, str):
        raise _wrong(column, "it needs a text")
    if column == "completion_input":
        whole = _read(given) if given.startswith('"') else given  # llama-stack has JSON there
        return Question(messages=None, text=whole if isinstance(whole, str) else given)
    return Question(messages=[{"role": "user", "content": given}], text=given)


def _chat(column: str, messages: Any) -> Question:
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise _wrong(column, "it needs a list of messages, or that as JSON")
    asked = [{**one, "content": _content(one["content"], column)} if "content" in one else one for one in messages]
    return Question(messages=asked, text=_last_said(asked))


def _content(given: Any, column: str) -> Any:
    """What a message says, with images as OpenAI has them; llama-stack's sets have them in its older form."""
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list):
        return given
    return [
        image_part(validated(ImageItem, part).image, column)
        if isinstance(part, dict) and part.get("type") == "image"
        else part
        for part in given
    ]


def _with_functions(row: Row) -> Question:
    """Both columns may be JSON. Beside a text, `function` may also be something else, which is not asked. In other
    columns than this one, llama-stack's set of calls has them in what is asked.
    """
    given, functions = (_read(value) if isinstance(value, str) else value for value in (row[_TURNS], row[FUNCTION]))
    question = _question(_TURNS, given if isinstance(given, list) else row[_TURNS])
    if isinstance(given, list) or isinstance(functions, list | dict):
        return replace(question, tools=tools_of(functions))
    return question


def _one_turn(turns: list[Any]) -> Any:
    """The messages of the only turn; as they are where they are not put into turns. Raises RequestError."""
    if not turns or not all(isinstance(one, list) for one in turns):
        return turns
    if len(turns) != 1:
        raise _wrong(_TURNS, f"it has {len(turns)} turns, and rows of one turn can be asked")
    return turns[0]


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
