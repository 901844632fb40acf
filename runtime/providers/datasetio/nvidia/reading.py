"""Rows of files of JSON lines, or of one JSON array each, which are what NeMo trains and evaluates with. Reads no more
of a file than a page needs, and keeps no more of it than one chunk, but for an array, which is decoded whole.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.errors import NotSupported, RequestError
from runtime.http.transport import Exchange
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.nvidia.data_store import DataStore, Files, file_unreadable
from runtime.sse import BYTE_ORDER_MARK

_ENDINGS = (".jsonl", ".ndjson", ".json")
_MOST_OF_A_LINE = 64 * 1024**2
_SHOWN = 20
_SPACE = b" \t\r\n"
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_row = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """start: how many rows are left out. limit: the most rows, columns: only these; None for all. most_bytes: of the
    rows, but for the first one.
    """

    start: int
    limit: int | None
    columns: Sequence[str] | None
    most_bytes: int


async def rows_of(store: DataStore, files: Files, wanted: Wanted) -> tuple[list[Any], bool]:
    """The rows of a page, and whether others follow. Raises as `DataStore` does, NotSupported for files of other
    formats, RequestError for columns that none of the rows has, Unavailable for what is no row.
    """
    paths = [path for path in files.paths if path.lower().endswith(_ENDINGS)]
    if not paths:
        there = ", ".join(f"`{shortened(path)}`" for path in files.paths[:_SHOWN]) or "no files"
        raise NotSupported(
            f"`{files.name}` has no JSON lines to read rows from; there are {there}",
            hint="name a file or a folder that has: `hf://datasets/NAMESPACE/NAME/PATH`",
        )
    found: list[dict[str, msgspec.Raw]] = []
    passed = size = 0
    async with aclosing(_lines_of(store, files, paths)) as lines:
        async for path, number, line in lines:
            if passed < wanted.start:
                passed += 1
                continue
            if len(found) == wanted.limit or (found and size + len(line) > wanted.most_bytes):
                return _chosen(found, wanted.columns), True
            found.append(_parsed(files, path, number, line))
            size += len(line)
    return _chosen(found, wanted.columns), False


def _chosen(rows: list[dict[str, msgspec.Raw]], columns: Sequence[str] | None) -> list[Any]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in columns or () if rows else ():
        if name not in names:
            there = ", ".join(f"`{shortened(one)}`" for one in names[:_SHOWN]) or "no columns"
            raise RequestError(
                f"None of these rows has a column `{shortened(name)}`",
                hint=f"they have {there}",
                param="columns",
                code="unknown_column",
            )
    wanted = names if columns is None else list(dict.fromkeys(columns))
    return [{name: row.get(name) for name in wanted} for row in rows]


def _parsed(files: Files, path: str, number: int, line: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _row(line)
    except (ValueError, RecursionError) as error:
        raise file_unreadable(files, path, f"row {number} is no JSON object: {error}") from error


async def _lines_of(
    store: DataStore, files: Files, paths: Sequence[str]
) -> AsyncGenerator[tuple[str, int, bytes | msgspec.Raw], None]:
    """Of each row its file, its place there from 1, and its JSON."""
    for path in paths:
        number = 0
        async with store.opened(files, path) as exchange, aclosing(_pieces(exchange, files, path)) as pieces:
            async for line in pieces:
                number += 1
                yield path, number, line


async def _pieces(exchange: Exchange, files: Files, path: str) -> AsyncGenerator[bytes | msgspec.Raw, None]:
    """The rows of a file as JSON. Whether it is an array is told by its first character."""
    rest, is_begun, is_array = b"", False, False
    async for chunk in exchange.chunks():
        rest += chunk
        if not is_begun:
            rest = rest.removeprefix(BYTE_ORDER_MARK).lstrip(_SPACE)
            if not rest:
                continue
            is_begun, is_array = True, rest.startswith(b"[")
        if is_array or b"\n" not in chunk:
            if len(rest) > _MOST_OF_A_LINE:
                raise file_unreadable(files, path, f"a row or an array has more than {_MOST_OF_A_LINE} bytes")
            continue
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if line := line.strip(_SPACE):
                yield line
    if is_array:
        for item in _array(rest, files, path):
            yield item
    elif line := rest.strip(_SPACE):
        yield line


def _array(content: bytes, files: Files, path: str) -> list[msgspec.Raw]:
    try:
        return _items(content)
    except (ValueError, RecursionError) as error:
        raise file_unreadable(files, path, f"it begins as a JSON array and is none: {error}") from error
