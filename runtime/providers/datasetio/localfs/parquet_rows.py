"""Parquet of anybody's as columns of ours: what JSON has no type for is text, and nested values are JSON. Makes SQL."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.providers.datasetio.localfs.kinds import Columns, Kind

_KINDS: dict[str, tuple[Kind, str]] = {
    "BOOLEAN": ("boolean", "{}"),
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), ("integer", "{}::BIGINT")
    ),
    **dict.fromkeys(("FLOAT", "DOUBLE"), ("real", "CASE WHEN isnan({0}) THEN NULL ELSE {0}::DOUBLE END")),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), ("number", "{}::VARCHAR")),
    **dict.fromkeys(("VARCHAR", "UUID", "DATE", "INTERVAL"), ("text", "{}::VARCHAR")),
    "BLOB": ("text", "base64({})"),
    "JSON": ("json", "nullif({}::VARCHAR, 'null')"),
    '"NULL"': ("null", "NULL::VARCHAR"),
}
_BEGINNINGS: dict[str, tuple[Kind, str]] = {
    "DECIMAL": ("number", "{}::VARCHAR"),
    "TIME": ("text", "{}::VARCHAR"),
    "ENUM": ("text", "{}::VARCHAR"),
}
_NESTED: tuple[Kind, str] = ("json", "to_json({})::VARCHAR")


def columns_of(described: Sequence[tuple[str, str]]) -> Columns:
    """Its columns. described: their names and DuckDB's types."""
    return [(name, _kept(type_)[0]) for name, type_ in described]


def selection(described: Sequence[tuple[str, str]]) -> str:
    """What is selected of a file as the columns of a part."""
    return ", ".join(
        f"{_kept(type_)[1].format(_identifier(name))} AS c{place}" for place, (name, type_) in enumerate(described)
    )


def _kept(type_: str) -> tuple[Kind, str]:
    if (found := _KINDS.get(type_)) is not None:
        return found
    if type_.endswith("]"):
        return _NESTED
    return next((how for begin, how in _BEGINNINGS.items() if type_.startswith(begin)), _NESTED)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
