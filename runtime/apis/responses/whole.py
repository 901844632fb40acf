"""Items as they are kept: each with a type, an id and, where it can be more or less complete, a status."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from runtime.apis.responses.items import ITEMS, kind_of
from runtime.sse import Json


def whole_items(given: str | Iterable[Any] | None, new_id: Callable[[str], str]) -> list[Json]:
    """given: a text of the user, or items that were checked as `Items`. new_id: makes the id of an item that has none,
    of its prefix.
    """
    if given is None:
        return []
    items: list[Json] = []
    item: Any
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = kind_of(item)
        assert kind is not None, "it was checked with the request"
        whole = {**item, "type": kind}
        if whole.get("id") is None:
            whole["id"] = new_id(prefix_of(kind))
        if ITEMS[kind].has_status and whole.get("status") is None:
            whole["status"] = "completed"
        if kind == "message" and isinstance(text := whole["content"], str):
            whole["content"] = [_part(whole["role"], text)]
        items.append(whole)
    return items


def with_new_ids(items: Iterable[Json], taken: Collection[str], new_id: Callable[[str], str]) -> list[Json]:
    """The items, those with ids that are taken, or that an earlier one of them has, under new ones: by an id one item
    is found. new_id: as for `whole_items`.
    """
    found: list[Json] = []
    seen = {*taken}
    for item in items:
        if item["id"] in seen:
            item = {**item, "id": new_id(prefix_of(item["type"]))}
        seen.add(item["id"])
        found.append(item)
    return found


def prefix_of(kind: str) -> str:
    """What the id of an item of this type begins with."""
    return ITEMS[kind].prefix if kind in ITEMS else "item_"


def _part(role: str, text: str) -> Json:
    """A text as OpenAI shows it: clients take the content of a message for a list."""
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
