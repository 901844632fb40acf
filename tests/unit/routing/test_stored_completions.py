"""Reading, changing and deleting chat completions that were kept, over the HTTP door."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.inference.protocol import ChatCompletionRequest
from runtime.apis.inference.stored import (
    CompletionMessagesRequest,
    StoredCompletionRequest,
    StoredCompletionsRequest,
    UpdateCompletionRequest,
)
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, run_config
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.context import RequestContext
from runtime.context import serving as in_context
from runtime.errors import NotFound
from tests.support import at_vendor
from tests.support.stacks import openai_at, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
upstream, client, new_client = at_vendor.upstream, at_vendor.client, at_vendor.new_client
CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "Name colours"}


async def asked(client: Client, **fields: Any) -> str:
    """Ask for a chat completion; its id."""
    given = {"model": f"vendor/{CHAT_MODEL}", "messages": [USER], **fields}
    answered = await client.post(CHAT, given)
    assert answered.status == 200, answered.body
    id: str = answered.json()["id"]
    return id


async def listed(client: Client, query: str = "", path: str = CHAT) -> tuple[list[str], bool]:
    page = (await client.get(f"{path}?{query}")).json()
    found = [one["id"] for one in page["data"]]
    assert page["object"] == "list"
    assert (page["first_id"], page["last_id"]) == ((found[0], found[-1]) if found else (None, None))
    return found, page["has_more"]


async def test_pages(new_client: Client) -> None:
    made = [await asked(new_client) for _ in range(5)]
    assert await listed(new_client) == (made, False)
    assert await listed(new_client, "limit=2") == (made[:2], True)
    assert await listed(new_client, f"limit=2&after={made[1]}") == (made[2:4], True)
    assert await listed(new_client, "limit=2&order=desc") == ([made[4], made[3]], True)
    assert await listed(new_client, f"limit=2&order=desc&after={made[2]}") == ([made[1], made[0]], False)
    assert await listed(new_client, f"limit=2&before={made[2]}") == (made[:2], False)
    assert (await new_client.request("DELETE", f"{CHAT}/{made[1]}")).status == 200
    assert await listed(new_client, f"limit=2&after={made[1]}") == (made[2:4], True)  # its place is still known


async def test_filters(new_client: Client) -> None:
    bare = await asked(new_client, model=CHAT_MODEL)
    plain = await asked(new_client)
    odd = {"team": "a b", 'k"[1]': "é=&\\"}
    noted = await asked(new_client, metadata=odd)
    more = await asked(new_client, metadata={"team": "a b"})
    assert await listed(new_client, f"model={CHAT_MODEL}") == ([bare], False)
    assert await listed(new_client, f"model=vendor/{CHAT_MODEL}") == ([plain, noted, more], False)
    assert await listed(new_client, "metadata[team]=a+b") == ([noted, more], False)
    assert await listed(new_client, "metadata[team]=a") == ([], False)
    assert await listed(new_client, f"metadata%5Bteam%5D=a%20b&model=vendor/{CHAT_MODEL}&limit=1") == ([noted], True)
    assert await listed(new_client, "model=nobody") == ([], False)


async def test_metadata_is_replaced(client: Client) -> None:
    id = await asked(client, metadata={"a": "1", "b": "2"})
    for metadata, kept in ({"b": "3"}, {"b": "3"}), (None, {}), ({}, {}):
        changed = await client.post(f"{CHAT}/{id}", {"metadata": metadata})
        assert changed.json()["metadata"] == kept
        assert (await client.get(f"{CHAT}/{id}")).json() == changed.json()
    assert (await client.post(f"{CHAT}/{id}", {})).error["param"] == "metadata"
    assert (await client.post(f"{CHAT}/{id}", {"metadata": {"a": 1}})).status == 400


MOST = {str(place) + "k" * 62: "ü" * 512 for place in range(10, 26)}
TOO_MANY = {str(place): 1 for place in range(50_000)}


@pytest.mark.parametrize(
    ("metadata", "param", "words"),
    [
        (MOST | {"more": "1"}, "metadata", "has 17 entries, 16 are allowed"),
        (TOO_MANY, "metadata", "has 50000 entries"),
        ({"a": "1", "k" * 65: "2"}, "metadata." + "k" * 65, "key has more than 64 characters"),
        ({"a": "1", "b": "x" * 513}, "metadata.b", "at most 512 characters"),
        ({"a": {"b": "1"}}, "metadata.a", "a string"),
        (["a"], "metadata", "expected an object"),
    ],
    ids=["17 entries", "many wrong ones", "long key", "long value", "no text", "no object"],
)
async def test_metadata_beyond_openais_limits_is_refused_by_name(
    client: Client, metadata: Any, param: str, words: str
) -> None:
    id = await asked(client, metadata=MOST)
    assert (await client.post(f"{CHAT}/{id}", {"metadata": MOST})).json()["metadata"] == MOST
    for path, body in (
        (CHAT, {"model": CHAT_MODEL, "messages": [USER], "metadata": metadata}),
        (f"{CHAT}/{id}", {"metadata": metadata}),
    ):
        answer = await client.post(path, body)
        assert (answer.status, answer.error["param"]) == (400, param), answer.error
        assert words in answer.error["message"] and len(answer.body) < 2000


async def test_what_is_deleted_is_gone(new_client: Client) -> None:
    first, second = await asked(new_client), await asked(new_client)
    gone = await new_client.request("DELETE", f"{CHAT}/{first}")
    assert gone.json() == {"object": "chat.completion.deleted", "id": first, "deleted": True}
    assert (await new_client.get(f"{CHAT}/{first}")).status == 404
    assert await listed(new_client) == ([second], False)


async def test_the_messages_are_as_they_came(client: Client) -> None:
    parts = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png,x"}}]
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief.", "name": "boss"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
    ]
    id = await asked(client, messages=messages)
    found = (await client.get(f"{CHAT}/{id}/messages")).json()["data"]
    assert found == [
        {**message, "id": f"{id}-{place}", "name": message.get("name"), "content_parts": None}
        | ({"content": None, "content_parts": parts} if place == 1 else {})
        for place, message in enumerate(messages)
    ]
    assert (await client.get(f"{CHAT}/{id}")).json()["input_messages"] == messages


async def test_pages_of_messages(client: Client) -> None:
    id = await asked(client, messages=[{"role": "user", "content": str(place)} for place in range(5)])
    path, made = f"{CHAT}/{id}/messages", [f"{id}-{place}" for place in range(5)]
    assert await listed(client, path=path) == (made, False)
    assert await listed(client, "limit=2", path) == (made[:2], True)
    assert await listed(client, f"limit=2&after={made[1]}", path) == (made[2:4], True)
    assert await listed(client, f"limit=3&after={made[1]}", path) == (made[2:], False)
    assert await listed(client, f"limit=2&order=desc&after={made[4]}", path) == ([made[3], made[2]], True)
    assert await listed(client, f"limit=2&before={made[3]}", path) == (made[1:3], True)
    assert await listed(client, f"order=desc&before={made[3]}", path) == ([made[4]], False)
    assert await listed(client, f"after={made[0]}&before={made[3]}", path) == (made[1:3], False)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/{}"), ("GET", "/{}/messages"), ("POST", "/{}"), ("DELETE", "/{}")],
)
async def test_an_unknown_id_is_a_404_that_names_it(client: Client, method: str, path: str) -> None:
    body = {"metadata": {}} if method == "POST" else None
    answered = await client.request(method, CHAT + path.format("chatcmpl-nope"), json=body)
    assert answered.status == 404 and answered.error["param"] == "completion_id"
    assert "`chatcmpl-nope`" in answered.error["message"]


@pytest.mark.parametrize("field", ["after", "before"])
@pytest.mark.parametrize("cursor", ["nobody", "", "chatcmpl-1", "x" * 1000])
async def test_a_bad_cursor_is_a_400_that_names_it(client: Client, field: str, cursor: str) -> None:
    id = await asked(client)
    for path in (CHAT, f"{CHAT}/{id}/messages"):
        answered = await client.get(f"{path}?{field}={cursor}")
        assert (answered.status, answered.error["param"]) == (400, field)
        assert f"`{cursor[:100]}`" in answered.error["message"]


@pytest.mark.parametrize("number", ["1e999", "-0.10", "123456789012345678901234567890"])
async def test_messages_have_the_numbers_that_came(client: Client, number: str) -> None:
    asked_for = json.dumps({"model": f"vendor/{CHAT_MODEL}", "messages": [{**USER, "x": "?"}]}).replace('"?"', number)
    id = (await client.request("POST", CHAT, body=asked_for.encode())).json()["id"]
    for path in (f"{CHAT}/{id}", f"{CHAT}/{id}/messages", CHAT):
        answered = await client.get(path)
        assert answered.status == 200
        assert f'"x":{number}'.encode() in answered.body.replace(b" ", b"")


MANY = "&".join(f"metadata[k{place}]=v" for place in range(17))


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "order=up", "metadata=a", "nobody=1", MANY])
async def test_a_bad_query_is_a_400_that_names_its_field(client: Client, query: str) -> None:
    answered = await client.get(f"{CHAT}?{query}")
    assert (answered.status, answered.error["param"]) == (400, re.split(r"[=\[]", query)[0])


async def test_everything_is_at_the_older_paths_too(new_client: Client) -> None:
    older, id = "/v1/openai/v1/chat/completions", await asked(new_client)
    assert await listed(new_client, path=older) == ([id], False)
    assert (await new_client.get(f"{older}/{id}")).json()["id"] == id
    assert (await listed(new_client, path=f"{older}/{id}/messages")) == ([f"{id}-0"], False)
    assert (await new_client.post(f"{older}/{id}", {"metadata": {"a": "b"}})).json()["metadata"] == {"a": "b"}
    assert (await new_client.request("DELETE", f"{older}/{id}")).json()["deleted"] is True


async def test_each_caller_sees_their_own(new_stack: Served) -> None:
    inference = new_stack.stack.api("inference")
    ann, bob = User(principal="ann", attributes={"teams": ("a",)}), User(principal="bob")
    team = User(principal="eve", attributes={"teams": ("a",)})
    given = {"model": CHAT_MODEL, "messages": [USER], "store": True}
    with in_context(RequestContext(user=ann)):
        id = (await inference.chat_completion(ChatCompletionRequest.model_validate(given))).value()["id"]
        stream = await inference.chat_completion(ChatCompletionRequest.model_validate(given | {"stream": True}))
    async for _ in stream:  # outside the request, as streams run
        pass

    async def count(user: User) -> int:
        with in_context(RequestContext(user=user)):
            return len((await inference.list_chat_completions(StoredCompletionsRequest())).value()["data"])

    assert (await count(ann), await count(team), await count(bob)) == (2, 2, 0)
    with in_context(RequestContext(user=bob)):
        for refused in (
            inference.get_chat_completion(StoredCompletionRequest(completion_id=id)),
            inference.list_completion_messages(CompletionMessagesRequest(completion_id=id)),
            inference.update_chat_completion(UpdateCompletionRequest(completion_id=id, metadata={"a": "b"})),
            inference.delete_chat_completion(StoredCompletionRequest(completion_id=id)),
        ):
            with pytest.raises(NotFound, match=id):
                await refused
    assert await count(ann) == 2


async def test_all_of_it_outlives_the_server(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        id = await asked(served.client)
        before = (await served.client.get(f"{CHAT}/{id}")).json()
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        assert (await served.client.get(f"{CHAT}/{id}")).json() == before
