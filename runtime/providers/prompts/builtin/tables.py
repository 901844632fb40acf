"""What is kept of prompts. A version never changes, so that a prompt's own row can have a copy of its default one."""

from __future__ import annotations

from runtime.storage.sql import Column, Index, PartOf, Schema, Table
from runtime.storage.sql.paging import paging_indexes

_TEXT = (Column("prompt", "bytes"), Column("variables", "json"))
PROMPTS = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("latest", "integer"),
        Column("version", "integer"),
        *_TEXT,
    ),
    key=("id",),
    indexes=paging_indexes(),
    holds="prompts",
)
"""latest: its latest version; version: the default one, whose text and variables these are."""
VERSIONS = Table(
    name="versions",
    columns=(Column("id", "text"), Column("position", "integer"), Column("prompt_id", "text"), *_TEXT),
    key=("id",),
    indexes=(Index(("prompt_id", "position", "id")),),
    has_owners=False,
    part_of=PartOf("", ("prompt_id",)),
)
"""position: which version it is."""
SCHEMA = Schema(name="prompts", tables=(PROMPTS, VERSIONS))


def version_key(prompt_id: str, version: str | int) -> str:
    """The id of a version's row, which is none for a version that cannot be."""
    return f"{prompt_id}-{version}"
