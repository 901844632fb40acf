"""What is kept of responses."""

from __future__ import annotations

from runtime.storage.sql import AddColumn, AddTable, Column, DropColumn, Index, PartOf, Run, Schema, Table
from runtime.storage.sql.paging import paging_indexes

STORE = "responses"
_PREVIOUS = Column("previous", "text", nullable=True)
RESPONSES = Table(
    name="",
    columns=(
        Column("id", "text"),
        Column("position", "integer"),
        Column("created", "integer"),
        Column("status", "text"),
        Column("model", "text"),
        _PREVIOUS,
        Column("conversation", "text", nullable=True),
        Column("place", "integer", nullable=True),
        Column("held_until", "real", nullable=True),
        Column("input", "bytes"),
        Column("response", "bytes"),
    ),
    key=("id",),
    indexes=paging_indexes("model"),
    holds="responses",
    aged_by="created",
)
"""created: in seconds since 1970. model: as it was asked for. previous: the id of the response that it continues.
conversation: the id of the one that it continues; place: that of its last item then. input: the items of its own
request, each with an id; response: the object; both JSON. held_until: see `holding.py`, in seconds since 1970.
"""
EVENTS = Table(
    name="events",
    columns=(Column("response_id", "text"), Column("number", "integer"), Column("data", "bytes")),
    key=("response_id", "number"),
    has_owners=False,
    part_of=PartOf("", ("response_id",)),
)
"""The events of responses that are made in the background, for whoever follows them: several in a row. number: the
first one's.
"""
KEYS = Table(
    name="keys",
    columns=(Column("name", "text"), Column("key", "bytes")),
    key=("name",),
    has_owners=False,
)
"""What encrypted contents are sealed with."""
READINGS = Table(
    name="readings",
    columns=(
        Column("response_id", "text"),
        Column("item_id", "text"),
        Column("digest", "text"),
        Column("conversation", "text", nullable=True),
        Column("part", "bytes"),
    ),
    key=("response_id", "item_id", "digest"),
    indexes=(Index(("item_id",)),),
    part_of=PartOf("", ("response_id",)),
)
"""What files came to that a response was the first to read. item_id, digest: see `readings.py`. conversation: the id of
the one that the response continues. part: JSON, the part of the item that a model read instead.
"""
_HAVE_PREVIOUS = (
    AddColumn("", _PREVIOUS),
    Run(
        "UPDATE {} SET previous = substr(CAST(ancestors AS TEXT), length(CAST(ancestors AS TEXT)) - 30, 29)"
        " WHERE length(CAST(ancestors AS TEXT)) > 2"
    ),
    DropColumn("", "ancestors"),
)
"""A row had the ids of all that it continues, the oldest first, as JSON: `["resp_...","resp_..."]`. An id has 29
characters.
"""
SCHEMA = Schema(
    name=STORE, tables=(RESPONSES, EVENTS, KEYS, READINGS), migrations=((AddTable(READINGS),), _HAVE_PREVIOUS)
)
