"""Rows as lines of an archive, the same whatever database they come from, and back."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from runtime.errors import RequestError
from runtime.storage.sql.store import Row
from runtime.storage.sql.tables import Table

_encode = msgspec.json.Encoder().encode
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


def line_of_key(key: str, value: bytes) -> bytes:
    """A key with its value."""
    return _encode({"key": key, "value": value})


def key_of(line: bytes) -> tuple[str, bytes]:
    """The key and the value in a line. Raises RequestError for a line that has none."""
    row = _object(line)
    key = row.get("key")
    if not isinstance(key, str) or row.keys() != {"key", "value"}:
        raise RequestError("a line of the archive has no key", code="archive_invalid")
    return key, _bytes(row["value"])


def _object(line: bytes) -> dict[str, Any]:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"a line of the archive is no row: {error}", code="archive_invalid") from error


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except binascii.Error as error:
        raise RequestError(f"bytes in the archive cannot be read: {error}", code="archive_invalid") from error
