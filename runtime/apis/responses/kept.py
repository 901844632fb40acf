"""Responses that are kept: how they are read, listed and deleted."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import AT_ONCE, Request, Response
from runtime.apis.responses.request import Include
from runtime.apis.responses.response import ResponseObject


class ResponseRequest(Request):
    """Names a response."""

    response_id: str = Field(min_length=1, max_length=512, description="The response's id.")


class GetResponseRequest(ResponseRequest):
    """Names a response, and what of it is to be shown."""

    include: Annotated[list[Include], AT_ONCE] | None = Field(
        None, description="What the output has beyond the usual; kept is what was asked for at first. Default: nothing."
    )
    stream: bool | None = Field(
        None,
        description="Send the events of a response that is made in the background with `stream: true`, those that were"
        " and those that come. The default is false.",
    )
    starting_after: int | None = Field(
        None, ge=0, description="With `stream`: only events with a greater sequence number. Default: all events."
    )
    include_obfuscation: bool | None = Field(None, description="Accepted, and without effect. The default is true.")


class ListResponsesRequest(PageRequest):
    """Which responses to list."""

    limit: int = Field(50, ge=1, le=100, description="The most items of a page. The default is 50.")
    model: str | None = Field(None, description="Only those that this model made. Default: of every model.")


class InputItemsRequest(PageRequest):
    """Which of a response's input items to list."""

    response_id: str = Field(min_length=1, max_length=512, description="The response's id.")
    include: Annotated[list[Include], AT_ONCE] | None = Field(
        None, description="What the items have beyond the usual. Default: nothing."
    )


class KeptResponse(ResponseObject):
    """A response with what it was asked."""

    input: list[dict[str, Any]] = Field(description="The items of its request.")


class ResponseList(Page):
    """One page of responses."""

    data: list[KeptResponse] = Field(description="The responses.")


class ItemList(Page):
    """One page of items."""

    data: list[dict[str, Any]] = Field(description="The items.")


class DeletedResponse(Response):
    """A response that is gone."""

    id: str = Field(description="Its id.")
    object: Literal["response"] = "response"
    deleted: Literal[True] = Field(True, description="Always true.")
