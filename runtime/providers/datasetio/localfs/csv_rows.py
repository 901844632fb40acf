"""Rows as lines of values: RFC 4180, also with tabs, semicolons or bars between them. The first line has the names.

A column is of booleans, integers or other numbers where each of its values is one; else it is text: nothing is taken
for a date, and `007` stays what it is. A value that is empty is null.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TextIO

from runtime.errors import RequestError
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.localfs.formats import Open, check_columns
from runtime.providers.datasetio.localfs.kinds import AS_JSON, Columns, Kind, kind_of_number, together
from runtime.sse import encode

_MOST_OF_A_VALUE = 64 * 1024**2
_MOST_OF_A_LINE = 64 * 1024**2
_SEPARATORS = ",\t;|"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": b"true", "True": b"true", "TRUE": b"true", "false": b"false", "False": b"false", "FALSE": b"false"}


class CsvRows:
    """separator: between values; None for the one that the first line has the most of."""

    def __init__(self, opened: Open, *, separator: str | None = None) -> None:
        self._opened = opened
        self._separator = separator

    def columns(self) -> Columns:
        rows = self._rows()
        names = next(rows, [])
        _check_names(names)
        found: list[set[Kind]] = [set() for _ in names]
        for row in rows:
            for kinds, value in zip(found, row, strict=True):
                if value and "text" not in kinds:
                    kinds.add(_kind(value))
        return [(name, _column(kinds)) for name, kinds in zip(names, found, strict=True)]

    def lines(self, columns: Columns) -> Iterator[bytes]:
        keys = [(b'"c%d":' % place, kind) for place, (_, kind) in enumerate(columns)]
        rows = self._rows()
        next(rows, None)
        for row in rows:
            cells = [key + _cell(value, kind) for (key, kind), value in zip(keys, row, strict=True) if value]
            yield b"{%b}\n" % b",".join(cells)

    def _rows(self) -> Iterator[list[str]]:
        """The names, and each row: as many values. Raises RequestError."""
        csv.field_size_limit(_MOST_OF_A_VALUE)
        with self._opened() as file, io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
            number, names = 1, 0
            try:
                first = text.readline(_MOST_OF_A_VALUE)
                text.seek(0)
                reader = csv.reader(_bounded(text), delimiter=self._separator or _most(first), strict=True)
                for row in reader:
                    if not row and names != 1:
                        number = reader.line_num + 1
                        continue
                    row = row or [""]
                    names = names or len(row)
                    if len(row) != names:
                        raise RequestError(f"line {number} has {_values(len(row))}, and the first line has {names}")
                    yield row
                    number = reader.line_num + 1
            except csv.Error as error:
                raise RequestError(f"line {number} is no CSV: {error}") from error
            except UnicodeDecodeError as error:
                raise RequestError(
                    f"it is not UTF-8 at or after line {number}: {error.reason}", hint="save it as UTF-8"
                ) from error


def _bounded(text: TextIO) -> Iterator[str]:
    """Each line. Raises RequestError for one that is too long: without this, a file without an end of line would be in
    the memory as a whole.
    """
    number = 0
    while line := text.readline(_MOST_OF_A_LINE + 1):
        number += 1
        if len(line) > _MOST_OF_A_LINE:
            raise RequestError(f"line {number} has more than {_MOST_OF_A_LINE} characters")
        yield line


def _most(first: str) -> str:
    return max(_SEPARATORS, key=first.count)


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _check_names(names: list[str]) -> None:
    """Raises RequestError."""
    check_columns(names)
    if "" in names:
        raise RequestError(f"the first line names no column {names.index('') + 1}", hint="name each column there")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(f"the first line has the column `{shortened(twice)}` twice")


def _kind(value: str) -> Kind:
    if value in _BOOLEANS:
        return "boolean"
    if not _NUMBER.fullmatch(value):
        return "text"
    try:
        return kind_of_number(value.encode())
    except RequestError:
        return "text"


def _column(kinds: set[Kind]) -> Kind:
    """Numbers that are not all integers are floats, as they have no other form here; several kinds are texts."""
    if kinds == {"integer", "real"}:
        return "real"
    found = together(kinds)
    return "text" if found == "json" else found


def _cell(value: str, kind: Kind) -> bytes:
    if kind == "boolean":
        return _BOOLEANS[value]
    return encode(value) if kind == "text" or kind in AS_JSON else value.encode()
