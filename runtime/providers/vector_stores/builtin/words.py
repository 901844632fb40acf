"""The words of all chunks, in an index of `runtime.storage.words`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from runtime.storage.sql import SqlStore

if TYPE_CHECKING:
    from runtime.storage.words.index import WordIndex


class Words:
    """rows: a store whose schema has `WORD_TABLES`."""

    def __init__(self, rows: SqlStore) -> None:
        self._rows = rows

    @cached_property
    def index(self) -> WordIndex:
        """Loaded when it is first asked for: numpy and the stemmer take 0.1 s, which a start goes without."""
        from runtime.documents.words import words_version
        from runtime.storage.words.index import WordIndex

        return WordIndex(self._rows, words_version())
