"""Which format a file of rows has, told from its first bytes, its name and its media type; what each format gives."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, Protocol

from runtime.apis.datasetio.protocol import MOST_COLUMNS
from runtime.errors import RequestError, TooLarge
from runtime.invalid.vocabulary import shortened
from runtime.providers.datasetio.localfs.kinds import Columns

Format = Literal["parquet", "json", "jsonl", "csv", "tsv"]
Open = Callable[[], BinaryIO]
_HEAD_BYTES = 4096
_PARQUET, _GZIP, _BYTE_ORDER_MARK = b"PAR1", b"\x1f\x8b", b"\xef\xbb\xbf"
_ENDINGS: dict[str, Format] = {"csv": "csv", "tsv": "tsv", "tab": "tsv"}
_MEDIA_TYPES: dict[str, Format] = {"text/csv": "csv", "application/csv": "csv", "text/tab-separated-values": "tsv"}
_LONGEST_NAME = 1024


class RowsFile(Protocol):
    """A file of rows, read from its beginning by each call. Raises RequestError that names the line with a fault."""

    def columns(self) -> Columns:
        """Its columns, in the order in which they first come."""
        ...

    def lines(self, columns: Columns) -> Iterator[bytes]:
        """Each row as a line of JSON with the members `c0`, `c1` and so on: what `SQL_TYPES` takes for each one."""
        ...


def format_of(opened: Open, *, name: str, content_type: str) -> Format:
    """The format of a file. name: the last part of its address or path. content_type: of whoever sent it; may be empty.

    JSON is told by how it begins; what is neither that nor Parquet has lines of values. Raises RequestError for a file
    that is empty, or no text.
    """
    with opened() as file:
        head = file.read(_HEAD_BYTES).removeprefix(_BYTE_ORDER_MARK)
    if head.startswith(_PARQUET):
        return "parquet"
    text = head.lstrip()
    if not text:
        raise RequestError("it is empty", hint="give Parquet, CSV, JSON lines or a JSON array")
    if b"\0" in head:
        raise RequestError(
            "it is neither Parquet nor text", hint="give Parquet, CSV, JSON lines or a JSON array, in UTF-8"
        )
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    if told := _ENDINGS.get(ending) or _MEDIA_TYPES.get(content_type):
        return told
    return "jsonl" if text.startswith(b"{") else "json" if text.startswith(b"[") else "csv"


def is_compressed(opened: Open) -> bool:
    with opened() as file:
        return file.read(len(_GZIP)) == _GZIP


def decompressed(opened: Open, into: BinaryIO, *, limit_bytes: int) -> None:
    """Write what a gzip file has in it. Raises RequestError for a broken one, TooLarge."""
    left = limit_bytes
    try:
        with opened() as file, gzip.open(file) as content:
            while piece := content.read(io.DEFAULT_BUFFER_SIZE * 8):
                left -= len(piece)
                if left < 0:
                    raise TooLarge(f"it has more than {limit_bytes} bytes once it is decompressed")
                into.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError(f"it is broken gzip: {error}") from error


def check_columns(names: Columns | list[str]) -> None:
    """Raises RequestError for no columns, for too many, and for a name that is too long."""
    if not names:
        raise RequestError("its rows have no columns")
    if len(names) > MOST_COLUMNS:
        raise RequestError(f"its rows have {len(names)} columns, and {MOST_COLUMNS} are the most")
    for one in names:
        name = one if isinstance(one, str) else one[0]
        if len(name) > _LONGEST_NAME:
            raise RequestError(f"the name of the column `{shortened(name)}` has more than {_LONGEST_NAME} characters")
