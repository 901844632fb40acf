"""The calls in an answer: Python, JSON, or the tool calls of a chat. Nothing is executed."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 100_000
_FENCE = re.compile(r"```[a-zA-Z_]*")


class NoCalls(Exception):
    """What cannot be read as calls; its message says why."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, its arguments by name."""

    name: str
    arguments: Mapping[str, Any]


def calls_in(answer: Any) -> list[Call]:
    """Every call, in order. answer: text, or JSON as it is. Raises NoCalls where it is something else; an empty list is
    no call, and can be read.
    """
    if not isinstance(answer, str):
        return _of_json(answer)
    text = _within_fence(answer)
    if len(text) > _LONGEST:
        raise NoCalls(f"it has more than {_LONGEST} characters")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return _of_python(text)
    return _of_json(said)


def _within_fence(answer: str) -> str:
    text = answer.strip()
    opened = _FENCE.match(text)
    return text[opened.end() if opened else 0 :].strip("` \r\n\t")


def _of_json(said: Any) -> list[Call]:
    return [_json_call(one) for one in (said if isinstance(said, list) else [said])]


def _json_call(said: Any) -> Call:
    """Of `{"name": ..., "arguments": ...}`, also in a tool call of a chat, or `{name: arguments}`."""
    if not isinstance(said, dict):
        raise NoCalls("it is no call of a function")
    inner = said.get("function", said)
    if isinstance(inner, dict) and isinstance(inner.get("name"), str):
        return Call(name=inner["name"], arguments=_arguments(inner.get("arguments", inner.get("parameters", {}))))
    if len(said) == 1:
        [(name, arguments)] = said.items()
        return Call(name=name, arguments=_arguments(arguments))
    raise NoCalls("it is an object that is no call of a function")


def _arguments(said: Any) -> Mapping[str, Any]:
    if isinstance(said, str):
        try:
            said = json.loads(said or "{}")
        except (ValueError, RecursionError):
            raise NoCalls("its arguments are not JSON") from None
    if not isinstance(said, dict):
        raise NoCalls("its arguments are no object")
    return said


def _of_python(text: str) -> list[Call]:
    source = text if text.startswith("[") and text.endswith("]") else f"[{text}]"
    try:
        tree = ast.parse(source, mode="eval").body
        return [_python_call(one) for one in tree.elts] if isinstance(tree, ast.List) else [_python_call(tree)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise NoCalls("it is neither Python nor JSON") from None


def _python_call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call):
        raise NoCalls("it is Python, but no call of a function")
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        raise NoCalls("it has an argument without a name")
    arguments = {keyword.arg or "": _value(keyword.value) for keyword in node.keywords}
    return Call(name=ast.unparse(node.func), arguments=arguments)


def _value(node: ast.expr) -> Any:
    """The value of an argument; of what is no literal, such as a variable, its source."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | bool | int | float | None) else ast.unparse(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        number = node.operand.value
        return -number if isinstance(number, int | float) else ast.unparse(node)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(one) for one in node.elts]
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.expr) for key in node.keys):
        return {str(_value(key)): _value(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    return ast.unparse(node)
