"""Conversations and their items over each database: made, read page by page, changed, deleted, and refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.conversations.protocol import (
    AppendItems,
    ConversationRequest,
    CreateConversationRequest,
    ReadConversation,
)
from runtime.conformance.stacks import adapter_of
from runtime.context import RequestContext, serving
from runtime.errors import NotFound
from runtime.providers.conversations.builtin.tables import CONVERSATIONS
from runtime.stack.retention import Retention
from runtime.storage.sql import Update, eq
from tests.conformance.conversations.talking import Talking, said, texts_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Rome"}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}


async def test_a_conversation_is_made_read_changed_and_deleted(talking: Talking) -> None:
    made = await talking.done("POST", "", {"metadata": {"team": "a"}, "items": [said("Hi")]})
    assert re.fullmatch("conv_[0-9a-f]{48}", made["id"]) and made["object"] == "conversation"
    one = f"/{made['id']}"
    assert await talking.done("GET", one) == made
    changed = await talking.done("POST", one, {"metadata": {"team": "b"}})
    assert changed == {**made, "metadata": {"team": "b"}} == await talking.done("GET", one)
    assert (await talking.done("POST", one, {"metadata": None}))["metadata"] == {}
    deleted = await talking.done("DELETE", one)
    assert deleted == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
    for method, path, body in (
        ("GET", one, None), ("POST", one, {"metadata": {}}), ("DELETE", one, None), ("GET", f"{one}/items", None),
        ("POST", f"{one}/items", {"items": [said("Hi")]}), ("POST", f"{one}/items", {"items": []}),
        ("GET", f"{one}/items/x", None), ("DELETE", f"{one}/items/x", None),
    ):  # fmt: skip
        error = await talking.refused_with(404, method, path, body)
        assert made["id"] in error["message"] and error["code"] == "conversation_not_found", (method, path)
    assert (await talking.done("POST", "", {}))["metadata"] == {}


async def test_nothing_of_a_deleted_conversation_is_in_the_database(talking: Talking) -> None:
    before = await talking.rows()
    conversation = await talking.begun(said("a secret"))
    [item, *_] = await talking.added(conversation, said("another"), CALL, OUTPUT)
    await talking.whole("Third", conversation=conversation, store=False)
    await talking.done("DELETE", f"/{conversation}/items/{item['id']}")
    assert len(await talking.rows()) == len(before) + 7
    await talking.done("DELETE", f"/{conversation}")
    assert await talking.rows() == before


async def test_a_conversation_is_too_old_when_nothing_was_added_for_so_long(talking: Talking) -> None:
    old, used = await talking.begun(said("old")), await talking.begun(said("older"))
    store = adapter_of(talking.stack, "conversations")._store
    for conversation in (old, used):
        await store.write(Update(CONVERSATIONS, {"used": 10}, eq("id", conversation)))
    await talking.added(used, said("again"))
    before = await talking.rows()
    gone = await Retention(talking.stack._stores, {"conversations": 3600.0}).turn()
    assert gone == {"conversations": 1}
    await talking.refused_with(404, "GET", f"/{old}")
    assert texts_of(await talking.walked(used)) == ["older", "again"]
    assert len(await talking.rows()) == len(before) - 2


async def test_items_keep_what_they_are_and_get_an_id_and_a_status(talking: Talking) -> None:
    conversation = await talking.begun()
    added = await talking.added(
        conversation, {"role": "user", "content": "Hi"}, said("Ho", id="msg_mine"), CALL, OUTPUT
    )
    assert added[0] == {**said("Hi"), "id": added[0]["id"], "status": "completed"}
    assert added[1] == {**said("Ho"), "id": "msg_mine", "status": "completed"}
    assert added[2] == {**CALL, "id": added[2]["id"], "status": "completed"}
    assert [item["id"].split("_")[0] for item in added] == ["msg", "msg", "fc", "fco"]
    assert await talking.walked(conversation) == added
    for item in added:
        assert await talking.done("GET", f"/{conversation}/items/{item['id']}") == item


async def test_pages_go_either_way_from_any_item(talking: Talking) -> None:
    conversation = await talking.begun(*(said(f"{number}") for number in range(7)))
    await talking.added(conversation, *(said(f"{number}") for number in range(7, 25)))
    texts = [f"{number}" for number in range(25)]
    assert texts_of((await talking.page(conversation))["data"]) == texts[:4:-1], "by default the newest twenty"
    for limit in (1, 4, 25, 100):
        assert texts_of(await talking.walked(conversation, limit=limit)) == texts
        assert texts_of(await talking.walked(conversation, limit=limit, order="desc")) == texts[::-1]
    items = await talking.walked(conversation)
    page = await talking.page(conversation, order="asc", limit=3, before=items[10]["id"])
    assert texts_of(page["data"]) == ["7", "8", "9"] and page["has_more"]
    assert (page["first_id"], page["last_id"]) == (items[7]["id"], items[9]["id"])
    other = await talking.begun(said("x", id="msg_other"))
    for cursor in ("msg_other", "nothing"):
        error = await talking.refused_with(400, "GET", f"/{conversation}/items?after={cursor}")
        assert (error["code"], error["param"]) == ("invalid_cursor", "after") and cursor in error["message"]
    assert texts_of((await talking.page(other))["data"]) == ["x"]


async def test_a_walk_that_deletes_what_it_has_seen_sees_the_rest(talking: Talking) -> None:
    conversation = await talking.begun(*(said(f"{number}") for number in range(9)))
    seen: list[Any] = []
    asked: dict[str, Any] = {"limit": 2}
    while True:
        page = await talking.page(conversation, **asked)
        for item in page["data"]:
            seen.append(item)
            kept = await talking.done("DELETE", f"/{conversation}/items/{item['id']}")
            assert kept["id"] == conversation
        if not page["has_more"]:
            break
        asked["after"] = page["last_id"]
    assert texts_of(seen) == [f"{number}" for number in range(8, -1, -1)]
    assert await talking.walked(conversation) == []
    for method in ("GET", "DELETE"):
        error = await talking.refused_with(404, method, f"/{conversation}/items/{seen[0]['id']}")
        assert error["code"] == "item_not_found"
        assert seen[0]["id"] in error["message"] and conversation in error["message"]
    await talking.added(conversation, said("again", id=seen[0]["id"]))
    assert texts_of(await talking.walked(conversation)) == ["again"]


async def test_an_id_may_be_in_several_conversations_and_once_in_each(talking: Talking) -> None:
    first, second = await talking.begun(said("a", id="msg_a")), await talking.begun(said("b"))
    await talking.added(second, said("in the second", id="msg_a"), said("c"))
    assert texts_of([await talking.done("GET", f"/{first}/items/msg_a")]) == ["a"]
    page = await talking.page(second, order="asc", after="msg_a")
    assert texts_of(page["data"]) == ["c"]
    error = await talking.refused_with(400, "POST", f"/{second}/items", {"items": [said("d"), said("e", id="msg_a")]})
    assert error["param"] == "items[1].id" and "`msg_a`" in error["message"]
    assert texts_of(await talking.walked(second)) == ["b", "in the second", "c"], "all of them or none"
    twice = {"items": [said("d", id="x"), said("e", id="x")]}
    for path in (f"/{second}/items", ""):
        error = await talking.refused_with(400, "POST", path, twice)
        assert error["param"] == "items[1].id" and "`items[0]`" in error["message"]


@pytest.mark.parametrize("path", ["", "/{}/items"])
async def test_wrong_items_are_told_by_their_place(talking: Talking, path: str) -> None:
    path = path.format(await talking.begun())
    many = [said("x")] * 21
    assert (await talking.refused_with(400, "POST", path, {"items": many}))["param"] == "items"
    unknown = [said("x"), {"type": "song", "text": "la"}]
    error = await talking.refused_with(400, "POST", path, {"items": unknown})
    assert error["param"] == "items[1].type" and "got `song`" in error["message"]
    error = await talking.refused_with(400, "POST", path, {"items": [{"type": "message", "role": "user"}]})
    assert "content" in error["param"]
    error = await talking.refused_with(400, "POST", path, {"items": [{"type": "item_reference", "id": "msg_1"}]})
    assert error["param"] == "items[0]" and "msg_1" in error["message"]
    error = await talking.refused_with(400, "POST", path, {"items": [said("x", id="x" * 513)]})
    assert error["param"] == "items[0].id"


async def test_large_items_come_in_pages_of_so_many_bytes(talking: Talking) -> None:
    conversation = await talking.begun()
    large = "x" * 6_000_000
    for number in range(4):
        await talking.added(conversation, said(f"{number}{large}"))
    page = await talking.page(conversation, order="asc")
    assert [text[0] for text in texts_of(page["data"])] == ["0", "1"] and page["has_more"]
    assert [text[0] for text in texts_of(await talking.walked(conversation))] == ["0", "1", "2", "3"]
    await talking.done("DELETE", f"/{conversation}")


async def test_a_conversation_that_a_user_does_not_see_is_not_there(talking: Talking) -> None:
    ada, eve = User(principal="ada", attributes={"teams": ("red",)}), User(principal="eve")
    carl = User(principal="carl", attributes={"teams": ("red", "blue")})
    api: Any = talking.stack.api("conversations")
    with serving(RequestContext(user=ada)):
        made = await api.create_conversation(CreateConversationRequest(items=[said("mine", id="msg_1")]))
    with serving(RequestContext(user=carl)):
        added = AppendItems(conversation_id=made.id, items=[said("ours", id="msg_2", status="completed")])
        await api.append_items(added)
        read = await api.read_conversation(ReadConversation(conversation_id=made.id, most_bytes=1000))
        assert texts_of(read.items) == ["mine", "ours"]
    with serving(RequestContext(user=eve)):
        for ask in (api.get_conversation, api.delete_conversation):
            with pytest.raises(NotFound, match=made.id):
                await ask(ConversationRequest(conversation_id=made.id))
        with pytest.raises(NotFound, match=made.id):
            await api.read_conversation(ReadConversation(conversation_id=made.id, most_bytes=1000))
        with pytest.raises(NotFound, match=made.id):
            await api.append_items(added)
    assert texts_of(await talking.walked(made.id)) == ["mine", "ours"]


@pytest.mark.parametrize("id", ["", "a/b", "a\nb", "a\x00b", "a\x7f"])
async def test_an_id_that_no_path_can_hold_is_refused(talking: Talking, id: str) -> None:
    """Nobody could get or delete the item by it."""
    conversation = await talking.begun()
    given = {"items": [said("x"), said("y", id=id)]}
    for path in ("", f"/{conversation}/items"):
        error = await talking.refused_with(400, "POST", path, given)
        assert error["param"] == "items[1].id" and "path" in error["message"]
    await talking.whole([said("y", id=id)], conversation=conversation)
    [item, _] = await talking.walked(conversation)
    assert item["id"].startswith("msg_"), "of a response's input it is a new one"
    assert await talking.done("GET", f"/{conversation}/items/{item['id']}") == item
