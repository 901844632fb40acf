"""A row of a part as JSON, made by DuckDB itself: what is kept as JSON stays exactly that. Makes SQL, and runs none.

The columns of a part are `c0`, `c1` and so on, since DuckDB takes `A` and `a` for one name.
"""

from __future__ import annotations

from collections.abc import Sequence

from runtime.providers.datasetio.localfs.kinds import AS_JSON, SQL_TYPES, Columns, Kind
from runtime.sse import encode


def row_as_json(part: Columns, names: Sequence[str]) -> str:
    """The SQL expression of a row of a part with these columns in this order; those that it lacks are null."""
    places = {name: (place, kind) for place, (name, kind) in enumerate(part)}
    pieces: list[str] = []
    constant = "{"
    for number, name in enumerate(names):
        constant += ("," if number else "") + _key(name)
        place, kind = places.get(name, (0, "null"))
        if kind == "null":
            constant += "null"
        else:
            pieces += [quoted(constant), f"coalesce({value_as_json(place, kind)}, 'null')"]
            constant = ""
    return f"concat({', '.join([*pieces, quoted(constant + '}')])})"


def row_as_such(part: Columns) -> str:
    """The SQL expression of what the digest of a row is of: its members by name, without those that are null."""
    members = [
        f"CASE WHEN c{place} IS NULL THEN '' ELSE concat({quoted(',' + _key(name))}, {value_as_json(place, kind)}) END"
        for name, place, kind in sorted((name, place, kind) for place, (name, kind) in enumerate(part))
        if kind != "null"
    ]
    return f"concat({', '.join(members)})" if members else "''"


def columns_as(part: Columns, wanted: Columns) -> str:
    """What is selected of a part as the columns of another one, whose kinds have room for its values."""
    places = {name: (place, kind) for place, (name, kind) in enumerate(part)}
    return ", ".join(
        f"{_as_kind(*places.get(name, (0, 'null')), kind)} AS c{number}" for number, (name, kind) in enumerate(wanted)
    )


def _as_kind(place: int, kind: Kind, wanted: Kind) -> str:
    if kind == "null":
        return f"NULL::{SQL_TYPES[wanted]}"
    return f"c{place}" if kind == wanted else value_as_json(place, kind)


def value_as_json(place: int, kind: Kind) -> str:
    """The SQL expression of a value's JSON; NULL for null."""
    if kind in AS_JSON:
        return f"c{place}"
    return f"to_json(c{place})::VARCHAR" if kind in ("text", "real") else f"c{place}::VARCHAR"


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _key(name: str) -> str:
    return encode(name).decode() + ":"
