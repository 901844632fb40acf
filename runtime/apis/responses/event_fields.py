"""What the events of a response have in common."""

from __future__ import annotations

from pydantic import Field

from runtime.apis._request import Response


class Event(Response):
    sequence_number: int = Field(description="The place of the event in its stream, from 0.")


class OfItem(Event):
    item_id: str = Field(description="The id of the item that this is about.")
    output_index: int = Field(description="The item's place in the output, from 0.")
