"""Rows of files of JSON lines, or of one JSON array each, which are what NeMo trains and evaluates with. Reads no more
of a file than a page needs, and keeps no more of it than one chunk, but for an array, which is decoded whole.

Where a page has ended, the next one begins: what is before it is not fetched again, but for an array.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.errors import NotSupported, RequestError
from runtime.http.transport import Exchange
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.nvidia.data_store import PARTIAL, DataStore, Files, file_unreadable
from runtime.sse import BYTE_ORDER_MARK

_ENDINGS = (".jsonl", ".ndjson", ".json")
_MOST_OF_A_LINE = 64 * 1024**2
_SHOWN = 20
_SPACE = b" \t\r\n"
_MOST_KNOWN = 10_000
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_row = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_Key = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """start: how many rows are left out. limit: the most rows, columns: only these; None for all. most_bytes: of the
    rows, but for the first one.
    """

    start: int
    limit: int | None
    columns: Sequence[str] | None
    most_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Before a row. file: which of the files. offset: of the row in it, in bytes; 0 where the file is an array. number:
    how many rows of the file are before it.
    """

    file: int = 0
    offset: int = 0
    number: int = 0


class Reading:
    """Of all datasets of a data store. A commit never changes, so what is known of it stays so."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self._ends: OrderedDict[tuple[_Key, int], _Place] = OrderedDict()
        self._columns: OrderedDict[tuple[_Key, str], bool] = OrderedDict()

    async def page(self, files: Files, wanted: Wanted) -> tuple[list[Any], bool]:
        """The rows of a page, and whether others follow. Raises as `DataStore` does, NotSupported for files of other
        formats, RequestError for columns that the dataset does not have, Unavailable for what is no row.
        """
        paths = _paths_of(files)
        key = files.name, files.commit, tuple(paths)
        begin = self._ends.get((key, wanted.start))
        passed, begin = (wanted.start, begin) if begin else (0, _Place())
        found: list[dict[str, msgspec.Raw]] = []
        size = 0
        async with aclosing(self._rows(files, paths, begin)) as rows:
            async for place, line in rows:
                if passed < wanted.start:
                    passed += 1
                    continue
                if len(found) == wanted.limit or (found and size + len(line) > wanted.most_bytes):
                    _note(self._ends, (key, wanted.start + len(found)), place)
                    return await self._chosen(files, key, found, wanted.columns), True
                found.append(_parsed(files, paths[place.file], place.number, line))
                size += len(line)
        return await self._chosen(files, key, found, wanted.columns), False

    async def _chosen(
        self, files: Files, key: _Key, rows: list[dict[str, msgspec.Raw]], columns: Sequence[str] | None
    ) -> list[Any]:
        names = dict.fromkeys(name for row in rows for name in row)
        if rows and columns:
            await self._check(files, key, [name for name in columns if name not in names], [*names])
        wanted = [*names] if columns is None else list(dict.fromkeys(columns))
        return [{name: row.get(name) for name in wanted} for row in rows]

    async def _check(self, files: Files, key: _Key, missing: Sequence[str], there: Sequence[str]) -> None:
        """Raises RequestError for the first column that no row of the dataset has, whichever these here have."""
        sought = {name for name in missing if (key, name) not in self._columns}
        if sought:
            async with aclosing(self._rows(files, key[2], _Place())) as rows:
                async for place, line in rows:
                    found = sought.intersection(_parsed(files, key[2][place.file], place.number, line))
                    for name in found:
                        _note(self._columns, (key, name), True)
                    sought -= found
                    if not sought:
                        break
            for name in sought:
                _note(self._columns, (key, name), False)
        for name in missing:
            if name in sought or not self._columns.get((key, name), True):
                known = ", ".join(f"`{shortened(one)}`" for one in there[:_SHOWN]) or "no columns"
                raise RequestError(
                    f"The dataset has no column `{shortened(name)}`",
                    hint=f"the rows of this page have {known}",
                    param="columns",
                    code="unknown_column",
                )

    async def _rows(
        self, files: Files, paths: Sequence[str], begin: _Place
    ) -> AsyncGenerator[tuple[_Place, bytes | msgspec.Raw], None]:
        """Each row from a place on: its place, and its JSON."""
        for file in range(begin.file, len(paths)):
            path, offset = paths[file], begin.offset if file == begin.file else 0
            number = begin.number if offset else 0
            async with (
                self._store.opened(files, path, offset=offset) as exchange,
                aclosing(_pieces(exchange, files, path, offset)) as pieces,
            ):
                async for at, line in pieces:
                    if file > begin.file or number >= begin.number:
                        yield _Place(file=file, offset=at, number=number), line
                    number += 1


def _paths_of(files: Files) -> list[str]:
    """The files that have rows. Raises NotSupported where none has."""
    paths = [path for path in files.paths if path.lower().endswith(_ENDINGS)]
    if not paths:
        there = ", ".join(f"`{shortened(path)}`" for path in files.paths[:_SHOWN]) or "no files"
        raise NotSupported(
            f"`{files.name}` has no JSON lines to read rows from; there are {there}",
            hint="name a file or a folder that has: `hf://datasets/NAMESPACE/NAME/PATH`",
        )
    return paths


def _note(known: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > _MOST_KNOWN:
        known.popitem(last=False)


def _parsed(files: Files, path: str, before: int, line: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _row(line)
    except (ValueError, RecursionError) as error:
        raise file_unreadable(files, path, f"row {before + 1} is no JSON object: {error}") from error


async def _pieces(
    exchange: Exchange, files: Files, path: str, offset: int
) -> AsyncGenerator[tuple[int, bytes | msgspec.Raw], None]:
    """The rows of a file as JSON, each with where it begins; 0 in an array. Whether it is one is told by its first
    character. offset: of a line, from which on they are read, whatever the server has sent before it.
    """
    held: list[bytes] = []  # of the line, or the array, that has begun
    at, size, is_begun, is_array = offset, 0, offset > 0, False
    skipped = 0 if exchange.status == PARTIAL else offset
    async for chunk in exchange.chunks():
        if skipped:
            skipped, chunk = max(0, skipped - len(chunk)), chunk[skipped:]
        if not is_begun:
            given = b"".join([*held, chunk])
            chunk = given.removeprefix(BYTE_ORDER_MARK).lstrip(_SPACE)
            if not chunk:
                held = [given]
                continue
            at, held = len(given) - len(chunk), []
            is_begun, is_array = True, chunk.startswith(b"[")
        held.append(chunk)
        size += len(chunk)
        if is_array or b"\n" not in chunk:
            if size > _MOST_OF_A_LINE:
                raise file_unreadable(files, path, f"a row or an array has more than {_MOST_OF_A_LINE} bytes")
            continue
        *lines, rest = b"".join(held).split(b"\n")
        held, size = [rest], len(rest)
        for line in lines:
            begins, at = at, at + len(line) + 1
            if line := line.strip(_SPACE):
                yield begins, line
    if not is_begun:
        return
    whole = b"".join(held)
    if is_array:
        for item in _array(whole, files, path):
            yield 0, item
    elif line := whole.strip(_SPACE):
        yield at, line


def _array(content: bytes, files: Files, path: str) -> list[msgspec.Raw]:
    try:
        return _items(content)
    except (ValueError, RecursionError) as error:
        raise file_unreadable(files, path, f"it begins as a JSON array and is none: {error}") from error
