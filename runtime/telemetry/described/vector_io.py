"""Calls of vector databases: which collection, how many vectors were given, asked for and found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described, Fields
from runtime.telemetry.spans import Attribute


class Call(Fields):
    """operation: its name, as the database's own is no one's to know."""

    def __init__(self, operation: str, **fields: Mapping[str, str]) -> None:
        asked = {"collection": names.DB_COLLECTION, **fields.pop("asked", {})}
        super().__init__(asked=asked, **fields)
        self._operation = operation

    def facts(self, provider_type: str) -> dict[str, Attribute]:
        return {names.DB_SYSTEM: names.database_name(provider_type), names.DB_OPERATION: self._operation}

    def request(self, request: Any) -> tuple[str, dict[str, Attribute]]:
        _, attributes = super().request(request)
        return f"{self._operation} {attributes[names.DB_COLLECTION]}", attributes


_ROWS = {"numbers": names.DB_ROWS}

DESCRIBED: Mapping[str, Described] = {
    "create_collection": Call("create_collection"),
    "drop_collection": Call("drop_collection"),
    "put_vectors": Call("put_vectors", counted={"numbers": names.VECTORS}),
    "remove_groups": Call("remove_groups"),
    "search_vectors": Call("search_vectors", asked={"limit": names.TOP_K}, found=_ROWS),
    "read_vectors": Call("read_vectors", counted={"numbers": names.VECTORS}, found=_ROWS),
}
