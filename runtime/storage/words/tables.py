"""The tables of word indexes: part of the schema of a store that has some."""

from __future__ import annotations

from runtime.storage.sql import Column, Condition, Index, Table, above, at_most

_BLOCK_BITS = 20
MAX_BLOCKS = 1 << _BLOCK_BITS
SEGMENT_BITS = 63 - _BLOCK_BITS

SEGMENTS = Table(
    name="word_segments",
    columns=(
        Column("id", "integer"),
        Column("collection", "integer"),
        Column("words_version", "integer"),
        Column("version", "integer"),
        Column("age", "integer"),
        Column("size", "integer"),
        Column("texts", "integer"),
        Column("live", "integer"),
        Column("lowest", "integer"),
        Column("highest", "integer"),
        Column("starts", "bytes"),
        Column("numbers", "bytes"),
        Column("lengths", "bytes"),
        Column("removed", "bytes"),
    ),
    key=("id",),
    indexes=(Index(("collection", "words_version", "age", "id", "version")),),
    has_owners=False,
)
"""id: random. version: one more with each removal. age: the greater, the newer. size: what the segment costs, see
`segments.py`. texts, live: how many it has, and how many of them are not removed. lowest, highest: of their numbers.
starts: the first word of each block, between bytes 0xFF. numbers: int64; lengths: in words, int32;
removed: a bit for each text. All numbers are little-endian.
"""
BLOCKS = Table(
    name="word_blocks", columns=(Column("id", "integer"), Column("data", "bytes")), key=("id",), has_owners=False
)
"""id: see `block_id`. data: see `blocks.py`."""
WORD_TABLES = (SEGMENTS, BLOCKS)


def block_id(segment: int, place: int) -> int:
    """The key of a block. segment: its id; place: its position in it, from 0."""
    return segment << _BLOCK_BITS | place


def blocks_of(segment: int) -> Condition:
    """All blocks of a segment, by its id."""
    return above("id", block_id(segment, 0) - 1) & at_most("id", block_id(segment, MAX_BLOCKS - 1))
