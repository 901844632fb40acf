"""The process of one function: it imports it, says what it is, and scores rows, one line of JSON for each.

It is started by `running.py` with two pipes and nothing else. What a function prints goes nowhere.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import math
import numbers
import os
import sys
from collections.abc import Callable
from typing import IO, Any

_MOST_CHARS, _MOST_WORDS = 1_000_000, 500
"""Characters of what is said of a row, and of an error."""
_KINDS = {"str": "string", "dict": "object"}


def main(reference: str) -> None:
    """Serve standard input to its end. reference: `module:function`."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers, os.fdopen(os.dup(0), "rb") as rows:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        function = _loaded(reference, answers)
        for line in rows if function else ():
            asked = json.loads(line)
            _answer(answers, _scored(function, asked["row"], asked["options"]))


def _loaded(reference: str, answers: IO[bytes]) -> Callable[..., Any] | None:
    module, _, name = reference.partition(":")
    try:
        function = importlib.import_module(module)
        for part in name.split(".") if name else ():
            function = getattr(function, part)
        if not callable(function):
            raise TypeError(f"`{reference}` is no function")
        _answer(answers, {"about": _about(function)})
        return function
    except BaseException as error:
        _answer(answers, {"broken": _words(error)})
        return None


def _about(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function says of itself: its docstring, its options, what it returns, and `columns`, if it has that."""
    signature = inspect.signature(function)
    options = list(signature.parameters.values())[1:]
    named = [one for one in options if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    returned = signature.return_annotation
    return {
        "description": (inspect.getdoc(function) or "").strip().partition("\n")[0],
        "options": [one.name for one in named],
        "required": [one.name for one in named if one.default is one.empty],
        "takes_any": any(one.kind is one.VAR_KEYWORD for one in options),
        "returns": _KINDS.get(returned if isinstance(returned, str) else getattr(returned, "__name__", ""), "number"),
        "columns": [str(column) for column in getattr(function, "columns", ())],
    }


def _scored(function: Callable[..., Any] | None, row: Any, options: Any) -> dict[str, Any]:
    assert function is not None
    try:
        found = function(row, **options)
        if inspect.isawaitable(found):
            found = asyncio.run(_awaited(found))
        said = _as_row(found)
        if len(json.dumps(said, allow_nan=False)) > _MOST_CHARS:
            raise ValueError(f"it says more than {_MOST_CHARS} characters")
        return said
    except BaseException as error:
        return {"score": None, "error": _words(error)}


async def _awaited(found: Any) -> Any:
    return await found


def _as_row(found: Any) -> dict[str, Any]:
    """What a function returns, as what is said of a row: an object with a `score`, or the score alone."""
    if isinstance(found, dict):
        if "score" not in found:
            raise ValueError("it returns an object without a `score`")
        return {**found, "score": _score(found["score"]) if found["score"] is not None else None}
    return {"score": _score(found)}


def _score(value: Any) -> Any:
    if isinstance(value, str | dict):
        return value
    if not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"it returns {value!r}, which is no score")
    return float(value)


def _words(error: BaseException) -> str:
    """An exception on one line, without what a terminal would do something with."""
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(character if character.isprintable() else "?" for character in words)[:_MOST_WORDS]


def _answer(answers: IO[bytes], said: dict[str, Any]) -> None:
    answers.write(json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[2])
    main(sys.argv[1])
