"""Calls in the form of Python, `[name(argument=value)]`, as some models write them. Knows Python's syntax; no dialects.

https://www.llama.com/docs/model-cards-and-prompt-formats
"""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Mapping, Set
from typing import Any


def python_calls(text: str, names: Set[str]) -> list[tuple[str, str]]:
    """Names and JSON arguments of a Python list of calls with literal keyword arguments; empty where it is none."""
    known = sorted(names, key=len, reverse=True)
    # Functions and parameters may have names that Python does not allow: `get-time`, `from`. For Python they are
    # renamed, with a prefix that the text does not have.
    prefix = "q"
    while prefix in text:
        prefix += "q"
    functions = {f"{prefix}{at}": name for at, name in enumerate(known)}
    renamed_functions = {name: renamed for renamed, name in functions.items()}
    pattern = re.compile(
        rf"{_STRING}|(?<![\w.-])(?P<name>{'|'.join(map(re.escape, known))})(?=\s*\()"
        rf"|(?<![\w.-])(?P<word>{'|'.join(keyword.kwlist)})(?=\s*=)"
    )

    def replaced(match: re.Match[str]) -> str:
        if match["name"]:
            return renamed_functions[match["name"]]
        return prefix + match["word"] if match["word"] else match[0]

    try:
        tree = ast.parse(pattern.sub(replaced, text), mode="eval").body
        return [_python_call(call, functions, prefix) for call in tree.elts] if isinstance(tree, ast.List) else []
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return []


_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""


def _python_call(node: ast.expr, functions: Mapping[str, str], prefix: str) -> tuple[str, str]:
    """The name and the JSON arguments of one call. functions: names as they are, by those for Python. prefix: of
    renamed parameters.

    Raises ValueError or TypeError for anything else.
    """
    match node:
        case ast.Call(func=ast.Name(id=function), args=[], keywords=arguments) if function in functions:
            values = {argument.arg: _literal(argument.value) for argument in arguments}
            if None not in values:
                written = json_text({str(name).removeprefix(prefix): value for name, value in values.items()})
                return functions[function], written
    raise ValueError("no call of a function with keyword arguments")


def json_text(value: Any) -> str:
    """A value as JSON. Raises ValueError or TypeError for one that JSON does not have."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON has as an escape only
        return json.dumps(value)
    return text


# Models also write literals of JSON, which are names in Python.
_JSON_WORDS = {"true": True, "false": False, "null": None}


def _literal(node: ast.expr) -> Any:
    """The value of a literal. Raises ValueError or TypeError for anything else."""
    match node:
        case ast.Name(id=word) if word in _JSON_WORDS:
            return _JSON_WORDS[word]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {ast.literal_eval(key): _literal(value) for key, value in zip(keys, values, strict=True) if key}
    return ast.literal_eval(node)
