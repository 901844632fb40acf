"""`bfcl`: whether an answer calls the functions that it should, with the arguments that it should.

Rows as the leaderboard's data has them, and llama-stack's `basic::bfcl`: `function` is the schemas, `ground_truth` the
right values of each argument, both JSON or text of it; `id` begins with the category. Of the categories, those of one
turn in Python and JSON: simple, multiple, parallel, parallel_multiple, irrelevance, relevance, also live. Rows of
the others are refused by name: their scores would not be those of the leaderboard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import GENERATED, ListedFunction, RowsApart
from runtime.apis.scoring.params import BasicParams
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.bfcl.calls import NoCalls, calls_in
from runtime.providers.scoring.basic.bfcl.matching import why_wrong
from runtime.providers.scoring.basic.row_function import RowFunction, ScoreRow, Told, kind_of

_FUNCTION, _TRUTH, _ID, _LANGUAGE = "function", "ground_truth", "id", "language"
_COLUMNS = (GENERATED, _FUNCTION, _TRUTH)
_MOST_CALLS = 50
_NONE, _ANY = ("irrelevance_", "live_irrelevance_"), ("relevance_", "live_relevance_")
"""What the `id` of a row begins with that wants no call, or any: there is nothing to compare it with."""
_IN_TURNS = ("multi_turn_", "memory_", "web_search_", "format_sensitivity_")
_APART = (
    RowsApart(ids=_NONE + _ANY, columns=(GENERATED,)),
    RowsApart(
        ids=("simple_java_", "simple_javascript_", "java_", "javascript_"),
        refused="`bfcl` reads calls in Python and JSON, and this row wants them in Java or JavaScript",
    ),
    RowsApart(ids=_IN_TURNS, refused="`bfcl` scores the calls of one turn, and this row has several, or other tasks"),
    RowsApart(ids=("exec_", "rest_", "sql_", "chatable_"), refused="`bfcl` executes nothing, as this row wants it"),
)


def _score(row: Row) -> Row:
    answer = row[GENERATED]
    if not isinstance(answer, str | list | dict):
        raise NotScored(f"`{GENERATED}` is {kind_of(answer)}, and should be text or tool calls")
    language = str(row.get(_LANGUAGE) or "python")
    if language.lower() not in ("python", "json"):
        raise NotScored(f"`{_LANGUAGE}` is `{language[:50]}`: only calls in Python and JSON are read")
    name = row.get(_ID)
    name = name if isinstance(name, str) else ""
    try:
        calls, reason = calls_in(answer), ""
    except NoCalls as error:
        calls, reason = [], f"there is no call: {error}"
    if name.startswith(_NONE + _ANY):
        return {"score": float(bool(calls) is not name.startswith(_NONE))}
    functions = _listed(row, _FUNCTION)
    wanted = _listed(row, _TRUTH)
    for one in wanted:
        if len(one) != 1 or not all(_is_right_values(values) for values in one.values()):
            raise NotScored(f"`{_TRUTH}` is no `{{name: {{argument: [right values]}}}}`")
    if len(calls) > _MOST_CALLS or len(wanted) > _MOST_CALLS:
        reason = f"there are more than {_MOST_CALLS} calls"
    reason = reason or why_wrong(calls, wanted, functions)
    return {"score": 0.0, "reason": reason} if reason else {"score": 1.0}


def _is_right_values(values: Any) -> bool:
    return isinstance(values, Mapping) and all(isinstance(one, list) for one in values.values())


def _listed(row: Row, column: str) -> list[Mapping[str, Any]]:
    """A column's objects; it may have one, and may have them as text. Raises NotScored."""
    value = row[column]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise NotScored(f"`{column}` is text that is not JSON") from None
    value = value if isinstance(value, list) else [value]
    if not all(isinstance(one, Mapping) for one in value):
        raise NotScored(f"`{column}` has something else than objects")
    return value


def _prepare(told: Told) -> ScoreRow:
    return _score


BFCL = RowFunction(
    listed=ListedFunction(
        name="bfcl",
        description="1.0 where the answer calls the right functions with the right arguments, as the Berkeley"
        " Function-Calling Leaderboard compares them; nothing is executed",
        params=BasicParams(aggregation_functions=["accuracy"]),
        columns=_COLUMNS,
        apart=_APART,
    ),
    prepare=_prepare,
)
