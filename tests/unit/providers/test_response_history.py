"""What a response is made from, whichever way it is named: over a real store, without a server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import User
from runtime.apis.conversations.protocol import ReadConversation, WholeConversation
from runtime.errors import NotFound, RequestError, TooLarge
from runtime.ids import new_position, ordered_id, position_in
from runtime.providers.responses.builtin import budget as budget_module
from runtime.providers.responses.builtin import readings as readings_module
from runtime.providers.responses.builtin.budget import MOST_BYTES, Budget
from runtime.providers.responses.builtin.continuing import Continuing
from runtime.providers.responses.builtin.history import History, Recalled, _beside, history_of
from runtime.providers.responses.builtin.keeping import insertion
from runtime.providers.responses.builtin.readings import Readings, known_readings
from runtime.providers.responses.builtin.tables import RESPONSES, SCHEMA
from runtime.sse import Json, encode
from runtime.storage.sql import SIZE, Delete, Insert, Select, SqlStore, Update, eq
from runtime.storage.sql.sqlite import SqliteBackend
from tests.support.response_parts import MODEL, asked, beginning

PART = {"type": "input_file", "file_url": "https://example.org/a.txt"}
TEXT = {"type": "input_text", "text": "a.txt:\n\nA"}


class Conversation:
    """The only one that there is."""

    def __init__(self, *items: Json) -> None:
        self.items = items

    async def read_conversation(self, request: ReadConversation) -> WholeConversation:
        if request.conversation_id != "conv_1":
            raise NotFound("there is none", param="conversation_id")
        items = self.items[: request.until]
        return WholeConversation(items=items, place=len(self.items), size_bytes=len(encode(items)))


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    backend = SqliteBackend(tmp_path / "responses.db")
    opened = SqlStore(lambda: backend, SCHEMA, "responses")
    await opened.open()
    yield opened
    await backend.close()


def said(text: str, **facts: Any) -> Json:
    return {"type": "message", "id": f"msg_{text}", "role": "assistant", "content": [], "status": "completed", **facts}


async def history(rows: SqlStore, *, there: Any = None, recalled: Recalled | None = None, **of: Any) -> History:
    """there: the conversations that are served."""
    return await history_of(asked(**of), rows, new_position(), Continuing(there), Budget(), recalled)


async def kept(rows: SqlStore, text: str, *, there: Any = None, status: str = "completed", **of: Any) -> str:
    """The id of a response that answered with this text."""
    answering = beginning(**of)
    answering.output.append(said(text))
    answering.response["status"] = status
    await rows.write(*insertion(answering, await history(rows, there=there, **of)))
    response_id: str = answering.response["id"]
    return response_id


def texts(items: list[Json]) -> list[str]:
    """Of the user, or the ids of the assistant's."""
    return [item["content"][0]["text"] if item["role"] == "user" else item["id"] for item in items]


async def test_a_text_is_a_whole_item(store: SqlStore) -> None:
    [item] = (await history(store, input="Hi")).items
    assert position_in(item.pop("id")) is not None
    assert item == {
        "type": "message", "role": "user", "status": "completed", "content": [{"type": "input_text", "text": "Hi"}],
    }  # fmt: skip


async def test_nothing_is_nothing(store: SqlStore) -> None:
    assert (await history(store)).items == []


async def test_a_chain_is_read_from_its_beginning(store: SqlStore) -> None:
    first = await kept(store, "A", input="1")
    second = await kept(store, "B", input="2", previous_response_id=first)
    third = await history(store, input="3", previous_response_id=second)
    assert texts(third.items) == ["1", "msg_A", "2", "msg_B", "3"]
    assert (texts(third.own), third.ancestors, third.conversation) == (["3"], [first, second], None)


async def test_a_response_costs_the_same_however_many_it_continues(store: SqlStore) -> None:
    """Each had the ids of all of them: a chain of ten thousand was 1.6 GB."""
    last, sizes = None, list[int]()
    for text in "ABCD":
        last = await kept(store, text, input="1", previous_response_id=last)
        [row] = await store.select(Select(RESPONSES, eq("id", last), sizes=("previous", "input")))
        sizes.append(row[SIZE])
    assert len({*sizes[1:]}) == 1


async def test_a_chain_may_be_longer_than_a_query_has_values(store: SqlStore) -> None:
    """SQLite takes 32,766."""
    items, whole = encode([]), encode({"output": []})
    made = {"created": 1, "status": "completed", "model": MODEL, "input": items, "response": whole}
    ids = [f"resp_{number}" for number in range(33_000)]
    chain = zip(ids, [None, *ids], strict=False)
    rows = [{"id": id, "previous": before, "position": 1, **made} for id, before in chain]
    await store.write(*(Insert(RESPONSES, row) for row in rows))
    assert (await history(store, input="2", previous_response_id=ids[-1])).ancestors == ids


async def test_one_chain_may_be_continued_twice(store: SqlStore) -> None:
    first = await kept(store, "A", input="1")
    branches = [await kept(store, text, input="2", previous_response_id=first) for text in "BC"]
    for branch, text in zip(branches, "BC", strict=True):
        third = await history(store, input="3", previous_response_id=branch)
        assert texts(third.items) == ["1", "msg_A", "2", f"msg_{text}", "3"]


async def test_a_chain_that_is_too_long_is_not_said_to_be_deleted(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = None
    for text in "ABC":
        last = await kept(store, text, input="1", previous_response_id=last)
    row = await store.first(Select(RESPONSES, eq("id", last), ("id",), sizes=("input", "response")))
    assert row is not None
    for rows_that_fit in (1, 2):
        monkeypatch.setattr(budget_module, "MOST_BYTES", row[SIZE] * rows_that_fit + 100)
        with pytest.raises(TooLarge, match="With what went before, the response would be made from at least"):
            await history(store, input="2", previous_response_id=last)


async def test_a_chain_that_began_in_a_conversation_reads_that_as_it_was(store: SqlStore) -> None:
    conversation = Conversation(said("0"))
    first = await kept(store, "A", input="1", conversation="conv_1", there=conversation)
    conversation.items += (said("later"),)
    second = await history(store, input="2", previous_response_id=first, there=conversation)
    assert texts(second.items) == ["msg_0", "1", "msg_A", "2"]
    second_id = await kept(store, "B", input="2", previous_response_id=first, there=conversation)
    third = await history(store, input="3", previous_response_id=second_id, there=conversation)
    assert texts(third.items) == ["msg_0", "1", "msg_A", "2", "msg_B", "3"]
    other = await history(store, input="3", conversation={"id": "conv_1"}, there=conversation)
    assert texts(other.items) == ["msg_0", "msg_later", "3"]
    assert (texts(other.own), other.conversation, other.place, other.ancestors) == (["3"], "conv_1", 2, [])


async def test_an_item_that_is_referred_to_is_that_item(store: SqlStore) -> None:
    first = await kept(store, "A", input="1")
    of_chain = await history(store, input=[{"id": "msg_A"}], previous_response_id=first)
    assert texts(of_chain.items)[:2] == ["1", "msg_A"] and of_chain.own[0]["role"] == "assistant"
    [made] = (await history(store, input="1")).own
    answering = beginning()
    answering.output.append(said("B", id=ordered_id("msg_", answering.position)))
    await store.write(*insertion(answering, History(own=[made])))
    alone = await history(store, input=[{"type": "item_reference", "id": answering.output[0]["id"]}])
    assert alone.own == answering.output


async def test_an_item_is_referred_to_once(store: SqlStore) -> None:
    """A short request would come to a long one, which is kept and sent."""
    first = await kept(store, "A", input="1")
    refers = {"type": "item_reference", "id": "msg_A"}
    with pytest.raises(RequestError, match=r"`input\[2\]` refers to the item `msg_A`, as `input\[0\]` does") as caught:
        await history(store, input=[refers, {"role": "user", "content": "a"}, refers], previous_response_id=first)
    assert (caught.value.status, caught.value.param) == (400, "input[2].id")


async def test_of_a_response_that_is_referred_to_only_those_items_are_kept_in_memory(store: SqlStore) -> None:
    answering = beginning()
    answering.output.extend(said(name, id=ordered_id("msg_", answering.position)) for name in "AB")
    await store.write(*insertion(answering, History(own=[])))
    a, b = (item["id"] for item in answering.output)
    assert await _beside(a, [a], store) == {a: answering.output[0]}
    assert [*await _beside(a, [a, b, "msg_x"], store)] == [a, b]


@pytest.mark.parametrize(
    ("of", "param", "words"),
    [
        ({"previous_response_id": "resp_none"}, "previous_response_id", "`resp_none`"),
        ({"conversation": "conv_2"}, "conversation", "there is none"),
        ({"input": [{"id": "msg_none"}]}, "input[0].id", "`msg_none`"),
        ({"input": [{"role": "user", "content": "a"}, {"id": "msg_66"}]}, "input[1].id", "`msg_66`"),
    ],
)
async def test_what_is_not_there_is_named(store: SqlStore, of: Json, param: str, words: str) -> None:
    with pytest.raises(NotFound) as caught:
        await history(store, there=Conversation(), **of)
    assert words in caught.value.message and caught.value.param == param


async def test_what_another_user_keeps_is_not_there(store: SqlStore) -> None:
    mine, theirs = (store.for_user(User(principal=name)) for name in ("me", "them"))
    first = await kept(theirs, "A", input="1")
    with pytest.raises(NotFound):
        await history(mine, input="2", previous_response_id=first)
    assert texts((await history(theirs, input="2", previous_response_id=first)).items) == ["1", "msg_A", "2"]


async def test_a_chain_with_a_hole_says_which_response_is_gone(store: SqlStore) -> None:
    first = await kept(store, "A", input="1")
    second = await kept(store, "B", input="2", previous_response_id=first)
    await store.write(Delete(RESPONSES, eq("id", first)))
    with pytest.raises(NotFound, match="which was deleted") as caught:
        await history(store, input="3", previous_response_id=second)
    assert first in caught.value.message


@pytest.mark.parametrize("status", ["queued", "in_progress"])
async def test_one_that_is_being_made_cannot_be_continued(store: SqlStore, status: str) -> None:
    first = await kept(store, "A", input="1", status=status)
    with pytest.raises(RequestError, match=status) as caught:
        await history(store, input="2", previous_response_id=first)
    assert caught.value.param == "previous_response_id"


async def test_one_that_nobody_makes_any_more_can(store: SqlStore) -> None:
    first = await kept(store, "A", input="1", status="in_progress")
    await store.write(Update(RESPONSES, {"held_until": time.time() - 1}, eq("id", first)))
    assert texts((await history(store, input="2", previous_response_id=first)).items) == ["1", "msg_A", "2"]


async def test_a_chain_with_a_hole_before_its_last_says_which_response_is_gone(store: SqlStore) -> None:
    first = await kept(store, "A", input="1")
    second = await kept(store, "B", input="2", previous_response_id=first)
    third = await kept(store, "C", input="3", previous_response_id=second)
    await store.write(Delete(RESPONSES, eq("id", first)))
    with pytest.raises(NotFound, match=f"`{third}` continues `{first}`, which was deleted"):
        await history(store, input="4", previous_response_id=third)


async def test_one_that_is_remembered_is_not_looked_for(store: SqlStore) -> None:
    items = [said("A")]
    nowhere = Recalled(id="resp_1", items=items, size_bytes=9, ancestors=None, readings={})
    found = await history(store, input="2", previous_response_id="resp_1", recalled=nowhere)
    assert (texts(found.own), found.before, found.ancestors) == (["msg_A", "2"], [], [])
    somewhere = Recalled(id="resp_1", items=items, size_bytes=9, ancestors=["resp_0", "resp_1"], readings={})
    found = await history(store, input="2", previous_response_id="resp_1", recalled=somewhere)
    assert (texts(found.own), found.before, found.ancestors) == (["2"], items, ["resp_0", "resp_1"])
    with pytest.raises(NotFound):
        await history(store, input="2", previous_response_id="resp_2", recalled=nowhere)
    large = Recalled(id="resp_1", items=items, size_bytes=MOST_BYTES + 1, ancestors=None, readings={})
    with pytest.raises(TooLarge):
        await history(store, input="2", previous_response_id="resp_1", recalled=large)


# What its files were read as


async def read_by(rows: SqlStore, item: Json, *, conversation: str | None = None) -> str:
    """The id of a response that read an item's file."""
    readings, answering = Readings(), beginning()
    readings.add(item, PART, TEXT)
    await rows.write(*insertion(answering, History(own=[item], conversation=conversation, readings=readings)))
    response_id: str = answering.response["id"]
    return response_id


async def found_for(
    rows: SqlStore, item: Json, *responses: str, conversation: str | None = None, part: Json = PART
) -> Json | None:
    known = await known_readings([item["id"]], rows, Budget(), responses=responses, conversation=conversation)
    return Readings(known).find(item, part)


async def test_an_id_of_ours_is_one_item_wherever_it_is_continued(store: SqlStore) -> None:
    item = said("x", id=ordered_id("msg_", new_position()))
    await read_by(store, item)
    assert await found_for(store, item) == TEXT
    assert await found_for(store, item, part={**PART, "filename": "b.txt"}) is None
    assert await found_for(store, {**item, "id": ordered_id("msg_", new_position())}) is None


async def test_an_id_of_the_client_s_counts_in_its_history(store: SqlStore) -> None:
    item = said("1")
    first = await read_by(store, item, conversation="conv_1")
    assert await found_for(store, item) is None
    assert await found_for(store, item, "resp_other", conversation="conv_2") is None
    assert await found_for(store, item, first) == TEXT
    assert await found_for(store, item, conversation="conv_1") == TEXT


async def test_more_than_is_left_is_not_loaded(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    item = said("1")
    first, budget = await read_by(store, item), Budget()
    await read_by(store, item)  # which is no part of this history, and does not count
    monkeypatch.setattr(budget_module, "MOST_BYTES", len(encode(TEXT)))
    assert await known_readings([item["id"]], store, budget, responses=[first], conversation=None)
    budget.take(1, "what went before", param="previous_response_id")
    with pytest.raises(TooLarge, match="what the files of earlier items were read as"):
        await known_readings([item["id"]], store, budget, responses=[first], conversation=None)


async def test_many_items_are_asked_for_in_parts(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query has so many values and no more."""
    monkeypatch.setattr(readings_module, "_AT_ONCE", 2)
    items = [said(str(number)) for number in range(5)]
    readers = [await read_by(store, item) for item in items]
    ids = [item["id"] for item in items]
    known = await known_readings(ids, store, Budget(), responses=readers, conversation=None)
    assert [Readings(known).find(item, PART) for item in items] == [TEXT] * 5


async def test_what_another_user_has_read_is_not_known(store: SqlStore) -> None:
    item = said("x", id=ordered_id("msg_", new_position()))
    await read_by(store.for_user(User(principal="them")), item)
    assert await found_for(store.for_user(User(principal="me")), item) is None
    assert await found_for(store.for_user(User(principal="them")), item) == TEXT


def test_what_is_remembered_is_kept_with_the_next_that_is() -> None:
    item = said("1")
    first = Readings()
    first.add(item, PART, TEXT)
    second = Readings(recalled=first.remembered())
    assert second.find(item, PART) == TEXT and second.new == first.new
    third = Readings(known=second.remembered())
    assert third.find(item, PART) == TEXT and third.new == {}
    third.add({"type": "message", "content": []}, PART, TEXT)
    assert third.new == {}, "what has no id is found by nobody"
