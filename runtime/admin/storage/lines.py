"""Rows as lines of an archive, the same whatever database they come from, and back."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from runtime.errors import RequestError
from runtime.storage.kv import KeyValue
from runtime.storage.sql.store import Row
from runtime.storage.sql.tables import Table

_encode = msgspec.json.Encoder().encode
_END = "expires_at_ms"
_NO_DATE_MS = 253_402_300_800_000
"""The begin of the year 10000, which is no date for every backend."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def line_of(table: Table, row: Row) -> bytes:
    """Columns in the table's order, bytes as base64."""
    return _encode({column: row[column] for column in table.kinds})


def row_of(table: Table, line: bytes) -> Row:
    """The row in a line. Raises RequestError for what can be none of this table."""
    row = _object(line)
    if row.keys() != table.kinds.keys():
        raise RequestError(f"a row of the archive has the columns {', '.join(row)[:200]}", code="archive_invalid")
    return {
        column: _bytes(value) if table.kinds[column] == "bytes" and value is not None else value
        for column, value in row.items()
    }


def line_of_entry(entry: KeyValue) -> bytes:
    """A key with its value, and where that expires when it does: in milliseconds since 1970, as precise as every
    backend keeps it.
    """
    end = {} if entry.expires_at is None else {_END: round(entry.expires_at * 1000)}
    return _encode({"key": entry.key, "value": entry.value, **end})


def entry_of(line: bytes) -> KeyValue:
    """The key in a line with all that belongs to it. Raises RequestError for a line that has none."""
    row = _object(line)
    key, end_ms = row.get("key"), row.get(_END)
    if not isinstance(key, str) or row.keys() - {_END} != {"key", "value"}:
        raise RequestError("a line of the archive has no key", code="archive_invalid")
    if _END in row and not (isinstance(end_ms, int) and 0 <= end_ms < _NO_DATE_MS):
        raise RequestError(f"a key of the archive expires at `{end_ms}`", code="archive_invalid")
    return KeyValue(key, _bytes(row["value"]), None if end_ms is None else end_ms / 1000)


def _object(line: bytes) -> dict[str, Any]:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"a line of the archive is no row: {error}", code="archive_invalid") from error


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except binascii.Error as error:
        raise RequestError(f"bytes in the archive cannot be read: {error}", code="archive_invalid") from error
