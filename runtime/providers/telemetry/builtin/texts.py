"""JSON of what spans say, which may be anything: also half a surrogate pair."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.sse import encode


def text_of(value: Any) -> str:
    try:
        return encode(value).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as in the name of a file: it would cost all that are handed on
        return encode(_whole(msgspec.to_builtins(value))).decode()


def _whole(value: Any) -> Any:
    """The same with `?` for half a surrogate pair."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value
