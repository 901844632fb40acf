"""What several vendors do with requests, for their local servers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.conformance.upstream import Refused

NEWER = frozenset({"functions", "function_call", "modalities", "audio", "verbosity", "web_search_options"})
"""OpenAI's fields that no server of open-weight models has; most pass over what they do not know."""


def has(body: Any, path: str) -> bool:
    """Whether a body has a field such as `messages[].name` that is not null."""
    name, _, rest = path.partition(".")
    inner = body.get(name.removesuffix("[]")) if isinstance(body, dict) else None
    if not rest:
        return inner is not None
    if name.endswith("[]"):
        return isinstance(inner, list) and any(has(one, rest) for one in inner)
    return has(inner, rest)


def refuse(body: dict[str, Any], fields: Iterable[str], *, status: int = 400, words: str = "is not supported") -> None:
    """Raises Refused for a body with one of these fields."""
    for path in fields:
        if has(body, path):
            raise Refused(status, f"property '{path}' {words}", param=path)


def one_answer(body: dict[str, Any]) -> None:
    """Raises Refused for more than one."""
    if body.get("n") not in (None, 1):
        raise Refused(400, "n must be 1", param="n")


def metadata_if_kept(path: str, body: dict[str, Any]) -> None:
    """Raises Refused for metadata of an answer that is not kept, as OpenAI does."""
    if has(body, "metadata") and not body.get("store"):
        raise Refused(400, "The 'metadata' parameter is only allowed when 'store' is enabled.", param="metadata")
