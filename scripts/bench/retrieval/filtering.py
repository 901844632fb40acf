"""Filters over the attributes of documents, each with the same as a Python function: what it has to leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Attributes = Mapping[str, Any]


def attributes_of(name: str, chunks: int) -> Attributes:
    """What is known of a document of the corpus."""
    kind, _, rest = name.rpartition(": ")
    attributes = {"kind": kind or "module", "name": rest.lower(), "chunks": chunks, "is_long": chunks > 3}
    return attributes | ({"package": rest.partition(".")[0]} if "." in rest else {})


def _is(kind: str, key: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "key": key, "value": value}


def _of(kind: str, *filters: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "filters": list(filters)}


FILTERS: tuple[tuple[dict[str, Any], Callable[[Attributes], bool]], ...] = (
    (_is("eq", "kind", "topic"), lambda a: a["kind"] == "topic"),
    (_is("ne", "kind", "topic"), lambda a: a["kind"] != "topic"),
    (_is("eq", "is_long", True), lambda a: a["is_long"]),
    (_is("gt", "chunks", 10), lambda a: a["chunks"] > 10),
    (_is("gte", "chunks", 10), lambda a: a["chunks"] >= 10),
    (_is("lt", "chunks", 2), lambda a: a["chunks"] < 2),
    (_is("lte", "name", "http"), lambda a: a["name"] <= "http"),
    (
        _is("in", "package", ["asyncio", "email", "http", "xml"]),
        lambda a: a.get("package") in ("asyncio", "email", "http", "xml"),
    ),
    (_is("nin", "package", ["asyncio", "email"]), lambda a: a.get("package") not in ("asyncio", "email")),
    (
        _of("and", _is("eq", "kind", "module"), _is("lt", "name", "m")),
        lambda a: a["kind"] == "module" and a["name"] < "m",
    ),
    (_of("or", _is("eq", "name", "shutil"), _is("eq", "name", "os")), lambda a: a["name"] in ("shutil", "os")),
    (
        _of("and", _is("ne", "kind", "topic"), _of("or", _is("gt", "chunks", 20), _is("eq", "package", "logging"))),
        lambda a: a["kind"] != "topic" and (a["chunks"] > 20 or a.get("package") == "logging"),
    ),
    (_of("and", _is("eq", "name", "shutil"), _is("eq", "kind", "topic")), lambda a: False),
)
"""The last one leaves nothing."""
