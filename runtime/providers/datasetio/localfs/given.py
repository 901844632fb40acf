"""What a source gives: files of ours, each a copy of one that it has, and no larger than it may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runtime.errors import TooLarge
from runtime.ids import new_id

LONGEST_PLACE = 300
"""Of an address or a path in a message: what names the file stands at its end."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """A source, or one file of it, in a file of ours. name: what it is called where it is from, for its ending.
    beside: a file that has more columns of the same rows. on: the column that says which rows are the same.
    """

    path: Path
    name: str
    content_type: str = ""
    beside: Given | None = None
    on: str = ""

    def open(self) -> BinaryIO:
        return self.path.open("rb")


def new_path(folder: Path) -> Path:
    """Where a file of ours can be made."""
    return folder / new_id("")


def check_size(size: int, most: int) -> None:
    """Raises TooLarge for more bytes than a source may have."""
    if size > most:
        raise TooLarge(
            f"it has more than {most} bytes",
            hint="raise `max_source_bytes` in the provider's config",
            code="document_over_limit",
        )
