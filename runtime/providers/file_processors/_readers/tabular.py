"""CSV and its relatives: one table, whatever stands between the fields. RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from runtime.documents.document import Document, table
from runtime.providers.file_processors._readers.plain import text_of
from runtime.providers.file_processors._readers.reading import Reading, whole
from runtime.providers.file_processors._readers.refusals import parsing

_DELIMITERS = ",;\t|"
_LOOKED_AT_LINES = 50
_LOOKED_AT_CHARACTERS = 64 * 1024
_MAX_FIELD_CHARACTERS = 1024 * 1024


def read(file: BinaryIO, reading: Reading) -> Document:
    text = text_of(whole(file, reading.max_decompressed_bytes))
    csv.field_size_limit(_MAX_FIELD_CHARACTERS)
    with parsing("The CSV"):
        rows = list(csv.reader(_lines(text), delimiter=delimiter_of(text) or ","))
        found = table(row for row in rows if row)
    return Document(
        blocks=(found,) if found is not None else (),
        metadata={"extraction_method": "csv", "row_count": max(0, sum(map(bool, rows)) - 1)},
    )


def delimiter_of(text: str) -> str | None:
    """What stands between the fields: the delimiter that gives the first lines the same number of fields, at least two.
    None for a text that is no table.
    """
    lines = list(islice(_lines(text[:_LOOKED_AT_CHARACTERS]), _LOOKED_AT_LINES))
    if len(text) > _LOOKED_AT_CHARACTERS:
        lines = lines[:-1]
    best: tuple[int, str] | None = None
    for delimiter in _DELIMITERS:
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=delimiter) if row}
        except csv.Error:
            continue
        if len(widths) == 1 and len(lines) > 1 and (width := widths.pop()) > 1 and (best is None or width > best[0]):
            best = width, delimiter
    return best[1] if best else None


def _lines(text: str) -> Iterator[str]:
    """With their ends, which are those of RFC 4180: a field may have U+2028 or a form feed in it."""
    return io.StringIO(text, newline="")
