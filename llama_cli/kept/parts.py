"""The parts of an archive, as `export` and `import` tell of them: how many rows and files of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_cli.terminal import words


def as_part(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `export` would say of a row of `show`; null for what is known when it is done."""
    files = row["count"] if row["outside_bytes"] else 0
    facts = {"kind": row["kind"], "store": row["store"], "rows": row["count"], "files": files}
    return {**facts, "file_bytes": row["outside_bytes"], "rows_sha256": None, "files_sha256": None}


def summary(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each part that has something in it."""
    return [f"  {part['kind']}: {_told(part)}" for part in parts if part["rows"]]


def _told(part: Mapping[str, Any]) -> str:
    told = words.counted(part["rows"], "row")
    if part["files"]:
        told += f" with {words.counted(part['files'], 'file')}, {words.size(part['file_bytes'])}"
    left_out = part.get("left_out") or 0
    if part.get("added") is not None and part["added"] < part["rows"] - left_out:
        told += f"; {part['rows'] - part['added'] - left_out} were here already"
    if part.get("different"):
        told += f", of which {part['different']} are others than in the archive"
    if left_out:
        told += f"; {left_out} were left out: expired meanwhile, or part of what is not there"
    return told
