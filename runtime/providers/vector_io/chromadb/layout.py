"""How vectors lie in Chroma, in this process and in a server: an id is a vector's number, its metadata the group.

The space is the inner product, which is the cosine for vectors of length 1, and keeps them as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.apis.vector_io.protocol import group_of

MOST_VALUES = 10_000
"""Groups or ids of one call: each is a variable of an SQL statement, and SQLite takes 32,766."""
MOST_HITS = 2**31 - 1
CONFIGURATION = {"hnsw": {"space": "ip"}}


def stored_name(name: str) -> str:
    """The name of a collection. Chroma's must end with a letter or a digit, and ours may end with `_`."""
    return f"{name}-vectors"


def metadata_of(number: int) -> dict[str, int]:
    return {"group": group_of(number)}


def within(groups: Sequence[int]) -> dict[str, Any]:
    """The condition that vectors are of these groups."""
    return {"group": {"$in": list(groups)}}
