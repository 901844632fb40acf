"""What `storage import` takes of an archive: rows that are what they are here, a piece at a time."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from runtime.admin.storage import archive
from runtime.admin.storage.archive import Reader
from runtime.admin.storage.export import part_of
from runtime.admin.storage.importing import _check_fits
from runtime.admin.storage.kept import StorePlace
from runtime.admin.storage.targets import AnalyticsTarget
from runtime.errors import Conflict, RequestError
from runtime.storage.sql import AddColumn, AddEntries, Column, Index, Run, Schema, SqlStore, Table, add_indexes
from runtime.storage.sql.tables import Step

PLACE = StorePlace(name="notes", family="sql", backend="sql_default", part="notes", ref="notes")
NOTES = Table(name="", columns=(Column("id", "text"),), key=("id",), has_owners=False)
FOUND: tuple[Step, ...] = (*add_indexes(Index(("id",))), AddEntries(""))
CHANGED: tuple[Step, ...] = (Run("UPDATE {} SET id = lower(id)"),)


def archived(*migrations: tuple[Step, ...], more: Column | None = None) -> dict[str, Any]:
    """What an archive says of a table that has come so far."""
    table = Table(name="", columns=(*NOTES.columns, *([more] if more else [])), key=("id",), has_owners=False)
    store = SqlStore(Mock(), Schema(name="notes", tables=(table,), migrations=migrations), "notes")
    return part_of(PLACE, store, store.schema.tables[0])


OLD = {name: value for name, value in archived().items() if name != "rows_version"}  # as versions without it wrote


@pytest.mark.parametrize(
    ("archive", "here"),
    [
        (archived(), archived()),
        (OLD, archived(FOUND, FOUND)),
        (archived(FOUND), archived()),
        (archived(CHANGED), archived(CHANGED, FOUND)),
    ],
)
def test_what_only_changes_how_rows_are_found_changes_no_archive(archive: dict[str, Any], here: dict[str, Any]) -> None:
    _check_fits(archive, here)


MORE = Column("more", "text", nullable=True)
AGAIN, ELSEWHERE = "and export it again", "with the version that exported it"


@pytest.mark.parametrize(
    ("archive", "here", "hint"),
    [
        (OLD, archived(FOUND, CHANGED), AGAIN),
        (archived(), archived((AddColumn("", MORE),), more=MORE), AGAIN),
        (archived(FOUND, CHANGED, FOUND), archived(FOUND), ELSEWHERE),
        (archived(more=MORE), archived(), ELSEWHERE),
        ({**archived(), "version": "1"}, archived(), ELSEWHERE),
        ({**archived(), "rows_version": None}, archived(), ELSEWHERE),
    ],
)
def test_rows_of_another_version_are_refused(archive: dict[str, Any], here: dict[str, Any], hint: str) -> None:
    with pytest.raises(Conflict) as raised:
        _check_fits(archive, here)
    assert hint in (raised.value.hint or "")


async def test_analytics_that_came_are_read_again_piece_by_piece() -> None:
    target = AnalyticsTarget({}, Mock(), Mock(), is_empty=True)
    read_before: list[int] = []

    def lines() -> Iterator[list[bytes]]:
        for _ in range(3):
            read_before.append(target.found.rows)
            yield [b"{}"] * 2

    target._load = Mock(lines=lines)
    await target.finish()
    assert (read_before, target.found.rows) == ([0, 2, 4], 6)


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return written.getvalue()


HEAD = (tarfile.TarInfo("stack.json"), b'{"format": 1, "parts": {"notes-rows": {}}}')


def read_whole(archive: bytes) -> None:
    for member in Reader(io.BytesIO(archive)).members():
        for _ in member.lines():
            pass


def sparse() -> bytes:
    """A member that says of itself that its one byte stands for a gigabyte."""
    info = tarfile.TarInfo("notes-rows/000001.jsonl")
    info.pax_headers = {"GNU.sparse.map": "1073741823,1", "GNU.sparse.size": str(2**30), "GNU.sparse.name": info.name}
    return tar(HEAD, (info, b"x"))


@pytest.mark.parametrize(
    "archive",
    [
        tar((tarfile.TarInfo("stack.json"), b'{"format": 1}')),
        tar((tarfile.TarInfo("stack.json"), b'{"format": 1, "parts": [1]}')),
        tar((tarfile.TarInfo("stack.json"), b'{"format": 1, "parts": {"a": 1}}')),
        tar((tarfile.TarInfo("stack.json"), b"[" * 100_000)),
        gzip.compress(tar(HEAD) + bytes(10_000), 0)[:-4_000] + b"\xff" * 4_000,
        gzip.compress(random.Random(1).randbytes(500))[:10] + b"\xff" * 600,
        sparse(),
    ],
    ids=["no-parts", "a-list", "no-part", "deep", "broken-data", "broken-begin", "sparse"],
)
def test_an_archive_that_is_not_whole_is_refused_in_words(archive: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        read_whole(archive)
    assert caught.value.code == "archive_invalid"


def test_a_line_without_an_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LONGEST_LINE", 1000)
    with pytest.raises(RequestError, match=r"a line of `000001\.jsonl` has more than 1000 bytes"):
        read_whole(tar(HEAD, (tarfile.TarInfo("notes-rows/000001.jsonl"), b"x" * 2000)))
