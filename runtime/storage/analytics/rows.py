"""Rows of analytics as lines of JSON, the same for the same rows, and back: what an archive has of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.errors import RequestError
from runtime.storage.analytics.tables import AnalyticsTable, Kind

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def lines_of(table: AnalyticsTable, rows: Sequence[Sequence[Any]]) -> list[bytes]:
    """A line for each row of `AnalyticsTable.selection`, which `append` would take again."""
    columns = [(one.name, one.kind) for one in table.columns]
    return [
        _encode({name: _given(kind, value) for (name, kind), value in zip(columns, row, strict=True)}) for row in rows
    ]


def check_line(table: AnalyticsTable, line: bytes) -> None:
    """Raises RequestError for what is no row of the table; whether its columns can hold its values is seen later."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"a line is no row of `{table.name}`: {error}", code="invalid_rows") from error
    if list(found) != [one.name for one in table.columns]:
        raise RequestError(f"a row of `{table.name}` has the columns {', '.join(found)[:200]}", code="invalid_rows")


def _given(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind == "time":
        return value / 1_000_000
    if kind == "json":
        text = value.encode()
        return msgspec.Raw(text if b"\n" not in text else _encode(msgspec.json.decode(text)))
    return value
