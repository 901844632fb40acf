"""The operations of the API `responses`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from runtime.apis._api import route
from runtime.apis.responses.compaction import CompactedResponse, CompactRequest
from runtime.apis.responses.events import ResponseEvent, error_event
from runtime.apis.responses.input_tokens import CountInputTokensRequest, InputTokens
from runtime.apis.responses.kept import (
    DeletedResponse,
    GetResponseRequest,
    InputItemsRequest,
    ItemList,
    KeptResponse,
    ListResponsesRequest,
    ResponseList,
    ResponseRequest,
)
from runtime.apis.responses.request import CreateResponseRequest
from runtime.apis.responses.response import ResponseObject
from runtime.apis.responses.socket import SocketRequest
from runtime.errors import NotSupported, Unavailable
from runtime.sse import EventStream, Frames, Reply

__all__ = ["CreateResponseRequest", "GetResponseRequest", "ListResponsesRequest", "ResponseRequest", "Responses"]


class Responses(Protocol):
    """Every method raises Unavailable where what is kept cannot be reached."""

    @route(
        "POST",
        "/v1/responses",
        aliases=("/v1/openai/v1/responses",),
        takes_form=True,
        returns=ResponseObject,
        streams=ResponseEvent,
        tells_error=error_event,
        raises=(NotSupported, Unavailable),
    )
    async def create_response(self, request: CreateResponseRequest) -> Reply | EventStream:
        """Answer, with the help of tools. 404 for an unknown model, response or conversation, named."""
        ...

    @route(
        "WS",
        "/v1/responses",
        aliases=("/v1/openai/v1/responses",),
        streams=ResponseEvent,
        tells_error=error_event,
    )
    def converse(self, requests: AsyncIterator[SocketRequest]) -> AsyncIterator[Frames]:
        """Answer one message after the other. The last response can be continued here even with `store: false`."""
        ...

    @route(
        "POST",
        "/v1/responses/input_tokens",
        aliases=("/v1/openai/v1/responses/input_tokens",),
        takes_form=True,
        raises=(NotSupported, Unavailable),
    )
    async def count_input_tokens(self, request: CountInputTokensRequest) -> InputTokens:
        """Count what a model would read for a response. 404 for an unknown model, response or conversation, named."""
        ...

    @route(
        "POST",
        "/v1/responses/compact",
        aliases=("/v1/openai/v1/responses/compact",),
        takes_form=True,
        returns=CompactedResponse,
        raises=(NotSupported, Unavailable),
    )
    async def compact_response(self, request: CompactRequest) -> Reply:
        """Make a conversation shorter: its model summarises what was answered and done. 404 for an unknown one."""
        ...

    @route("GET", "/v1/responses", aliases=("/v1/openai/v1/responses",), returns=ResponseList)
    async def list_responses(self, request: ListResponsesRequest) -> Reply:
        """List the responses that are kept. 400 for a cursor that is none."""
        ...

    @route(
        "GET",
        "/v1/responses/{response_id}",
        aliases=("/v1/openai/v1/responses/{response_id}",),
        returns=KeptResponse,
        streams=ResponseEvent,
        tells_error=error_event,
    )
    async def get_response(self, request: GetResponseRequest) -> Reply | EventStream:
        """Get a response that is kept, or follow one that is made in the background. 404 for an unknown id."""
        ...

    @route(
        "POST",
        "/v1/responses/{response_id}/cancel",
        aliases=("/v1/openai/v1/responses/{response_id}/cancel",),
        returns=ResponseObject,
    )
    async def cancel_response(self, request: ResponseRequest) -> Reply:
        """Cancel a response that is made in the background. 400 for any other, 404 for an unknown id."""
        ...

    @route("DELETE", "/v1/responses/{response_id}", aliases=("/v1/openai/v1/responses/{response_id}",))
    async def delete_response(self, request: ResponseRequest) -> DeletedResponse:
        """Delete a response. What continues it can then not be continued. 404 for an unknown id."""
        ...

    @route(
        "GET",
        "/v1/responses/{response_id}/input_items",
        aliases=("/v1/openai/v1/responses/{response_id}/input_items",),
        returns=ItemList,
    )
    async def list_input_items(self, request: InputItemsRequest) -> Reply:
        """List what a response was made from, earlier responses included. 404 for an unknown id."""
        ...
