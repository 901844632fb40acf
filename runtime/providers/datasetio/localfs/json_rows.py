"""Rows as JSON lines, or as one JSON array: https://jsonlines.org. Their values stay the JSON that they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from runtime.errors import RequestError, TooLarge
from runtime.providers.datasetio.localfs.formats import Open, check_columns
from runtime.providers.datasetio.localfs.kinds import AS_JSON, Columns, Kind, kind_of, together
from runtime.sse import BYTE_ORDER_MARK, encode, raw_members

Row = dict[str, msgspec.Raw]
MOST_OF_A_LINE = 64 * 1024**2
MOST_OF_AN_ARRAY = 512 * 1024**2
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NULL = b"null"


class JsonRows:
    """what: what messages call one of them; by default `item` of an array, and else `line`. Every method raises as
    `RowsFile` does.
    """

    def __init__(self, opened: Open, *, is_array: bool = False, what: str = "") -> None:
        self._opened = opened
        self._is_array = is_array
        self._what = what or ("item" if is_array else "line")

    def columns(self) -> Columns:
        """Raises RequestError, TooLarge."""
        found: dict[str, set[Kind]] = {}
        for number, row in self._rows():
            for name, value in row.items():
                kinds = found.get(name)
                if kinds is None:
                    kinds = found[name] = set()
                    check_columns(list(found))
                try:
                    kinds.add(kind_of(bytes(value)))
                except RequestError as error:
                    raise RequestError(f"{self._what} {number}, column `{name}`: {error.message}") from error
        columns: Columns = [(name, together(kinds)) for name, kinds in found.items()]
        if not columns and next(self._rows(), None) is not None:
            check_columns(columns)
        return columns

    def lines(self, columns: Columns) -> Iterator[bytes]:
        places = [(name, b'"c%d":' % place, kind in AS_JSON) for place, (name, kind) in enumerate(columns)]
        for _, row in self._rows():
            cells = []
            for name, key, is_json in places:
                raw = row.get(name)
                if raw is None or (value := bytes(raw)) == _NULL:
                    continue
                cells.append(key + (encode(value.decode()) if is_json else value))
            yield b"{%b}\n" % b",".join(cells)

    def _rows(self) -> Iterator[tuple[int, Row]]:
        with self._opened() as file:
            for number, text in enumerate(_array(file), 1) if self._is_array else _lines(file):
                yield number, self._row(number, text)

    def _row(self, number: int, text: bytes) -> Row:
        try:
            text.decode()
            return raw_members(text)
        except UnicodeDecodeError as error:
            raise RequestError(f"{self._what} {number} is not UTF-8: {error.reason}") from error
        except msgspec.ValidationError as error:
            raise RequestError(f"{self._what} {number} is no JSON object but {_begun(text)}") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise RequestError(f"{self._what} {number} is no JSON: {error}", hint=_hint(text)) from error


def rows_as_lines(rows: list[Any]) -> bytes:
    """Rows that somebody gave, as JSON lines. Raises RequestError for what JSON does not have."""
    lines = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(_strict(row))
        except (TypeError, ValueError, RecursionError) as error:
            raise RequestError(f"row {number} holds what JSON does not have: {error}", param="rows") from error
    return b"\n".join(lines)


def _strict(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line that is not blank, with its number. Raises TooLarge."""
    number = 0
    while line := file.readline(MOST_OF_A_LINE + 1):
        number += 1
        if len(line) > MOST_OF_A_LINE:
            raise TooLarge(f"line {number} has more than {MOST_OF_A_LINE} bytes")
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if line := line.strip():
            yield number, line


def _array(file: BinaryIO) -> Iterator[bytes]:
    """Each item. Raises RequestError, TooLarge."""
    content = file.read(MOST_OF_AN_ARRAY + 1).removeprefix(BYTE_ORDER_MARK)
    if len(content) > MOST_OF_AN_ARRAY:
        raise TooLarge(
            f"a JSON array may have {MOST_OF_AN_ARRAY} bytes", hint="give the rows as JSON lines, one in each line"
        )
    try:
        items = _items(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestError(f"it is no JSON array: {error}") from error
    for item in items:
        yield bytes(item).strip()


def _begun(text: bytes) -> str:
    return f"`{text[:40].decode(errors='replace')}`"


def _hint(text: bytes) -> str | None:
    return "JSON has no NaN and no infinity: give null" if b"NaN" in text or b"Infinity" in text else None
