"""JSON of what spans say, which may be anything: also half a surrogate pair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from runtime.sse import encode


def text_of(value: Any) -> str:
    try:
        return encode(value).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as in the name of a file: it would cost all that are handed on
        return encode(_whole(msgspec.to_builtins(value))).decode()


def masked(text: str, without_secrets: Callable[[str], str]) -> str:
    """JSON without secrets, and still JSON: a number that is one becomes a text."""
    hidden = without_secrets(text)
    if hidden == text or _is_json(hidden):
        return hidden
    return encode(_without_numbers(msgspec.json.decode(text.encode()), without_secrets)).decode()


def masked_lines(text: str, without_secrets: Callable[[str], str]) -> str:
    """The same of JSON on each line."""
    hidden = without_secrets(text)
    if hidden == text or all(map(_is_json, hidden.split("\n"))):
        return hidden
    return "\n".join(masked(line, without_secrets) for line in text.split("\n"))


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return False
    return True


def _without_numbers(value: Any, without_secrets: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {without_secrets(name): _without_numbers(inner, without_secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_numbers(inner, without_secrets) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    said = str(value)
    hidden = without_secrets(said)
    return value if hidden == said else hidden


def _whole(value: Any) -> Any:
    """The same with `?` for half a surrogate pair."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value
