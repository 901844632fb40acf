"""A response that a user does not see is not there for them, by whichever way it is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.responses.compaction import CompactRequest
from runtime.apis.responses.input_tokens import CountInputTokensRequest
from runtime.apis.responses.kept import InputItemsRequest
from runtime.apis.responses.protocol import (
    CreateResponseRequest,
    GetResponseRequest,
    ListResponsesRequest,
    ResponseRequest,
    Responses,
)
from runtime.apis.responses.socket import SocketRequest
from runtime.conformance.stacks import Served
from runtime.conformance.upstream.scripted import says
from runtime.context import RequestContext, serving
from runtime.errors import NotFound
from runtime.sse import Json
from tests.conformance.responses.asking import MODEL, Asking
from tests.conformance.responses.test_background import LIMIT_S

pytestmark = pytest.mark.asyncio(loop_scope="module")
ADA, EVE = User(principal="ada", attributes={"teams": ("red",)}), User(principal="eve")
CARL = User(principal="carl", attributes={"teams": ("red", "blue")})


@pytest.fixture
def responses(served: Served) -> Any:
    api: Responses = served.stack.api("responses")
    return api


async def made_by_ada(responses: Any, **fields: Any) -> Json:
    """A response that has ended."""
    with serving(RequestContext(user=ADA)):
        response: Json = (
            await responses.create_response(CreateResponseRequest(model=MODEL, input="Hi", **fields))
        ).value()
        async with asyncio.timeout(LIMIT_S):
            while response["status"] in ("queued", "in_progress"):
                response = (await responses.get_response(GetResponseRequest(response_id=response["id"]))).value()
    return response


@pytest.mark.parametrize("background", [False, True])
async def test_another_user_finds_it_nowhere(asking: Asking, responses: Any, background: bool) -> None:
    asking.says(says("mine"))
    response = await made_by_ada(responses, background=background)
    named: dict[str, Any] = {"response_id": response["id"]}
    continued: dict[str, Any] = {"model": MODEL, "input": "And?", "previous_response_id": response["id"]}
    referred = {"model": MODEL, "input": [{"type": "item_reference", "id": response["output"][0]["id"]}]}
    asked = [
        (responses.get_response, GetResponseRequest(**named)),
        (responses.get_response, GetResponseRequest(stream=True, **named)),
        (responses.cancel_response, ResponseRequest(**named)),
        (responses.delete_response, ResponseRequest(**named)),
        (responses.list_input_items, InputItemsRequest(**named)),
        (responses.create_response, CreateResponseRequest(**continued)),
        (responses.create_response, CreateResponseRequest(background=True, **continued)),
        (responses.create_response, CreateResponseRequest(**referred)),
        (responses.count_input_tokens, CountInputTokensRequest(**continued)),
        (responses.compact_response, CompactRequest(**continued)),
    ]
    with serving(RequestContext(user=EVE)):
        for ask, request in asked:
            with pytest.raises(NotFound):
                await ask(request)
        listed = (await responses.list_responses(ListResponsesRequest())).value()["data"]
        assert response["id"] not in [one["id"] for one in listed]

        async def messages() -> AsyncIterator[SocketRequest]:
            yield SocketRequest(type="response.create", **continued)

        told = [event async for frames in responses.converse(messages()) for event in frames.events()]
        assert [event["error"]["code"] for event in told] == ["previous_response_not_found"]
    with serving(RequestContext(user=CARL)):
        continuation = (await responses.create_response(CreateResponseRequest(**continued))).value()
        assert continuation["status"] == "completed", "who shares a group with its owner sees it"
        await responses.delete_response(ResponseRequest(**named))
    with serving(RequestContext(user=ADA)), pytest.raises(NotFound):
        await responses.get_response(GetResponseRequest(**named))
