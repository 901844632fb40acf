"""A batch is its creator's: others do not see it, and its requests and files are its creator's too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import Caller, User
from runtime.apis._carriers import Upload
from runtime.apis.batches.batch import Batch, BatchRequest, CreateBatchRequest, ListBatchesRequest
from runtime.apis.files.file import FileRequest, UploadFileRequest
from runtime.conformance.upstream import Upstream, upstream_server
from runtime.context import RequestContext, serving
from runtime.errors import NotFound
from tests.conformance.batches.asking import CHAT, ENDED, LIMIT_S, Asking, asking_at, jsonl, lines
from tests.conformance.batches.held import Held

ADA, EVE = User(principal="ada", attributes={"teams": ("red",)}), User(principal="eve")
CARL = User(principal="carl", attributes={"teams": ("red",)})


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture
async def asking(vendor: Upstream, tmp_path: Path) -> AsyncIterator[Asking]:
    async with asking_at(vendor, tmp_path) as found:
        yield found


async def _content(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


class Acting:
    """Calls the APIs in a user's name. provider_data: sent with each call."""

    def __init__(self, asking: Asking, user: Caller, **provider_data: str) -> None:
        self._stack = asking.served.stack
        self._context = {"user": user, "provider_data": provider_data}

    async def call(self, api: str, method: str, request: Any) -> Any:
        with serving(RequestContext(**self._context)):
            return await getattr(self._stack.api(api), method)(request)

    async def upload(self, count: int = 2) -> str:
        content = Upload(_content(jsonl(*lines(count))), filename="in.jsonl")
        file_id: str = (await self.call("files", "upload_file", UploadFileRequest(file=content, purpose="batch"))).id
        return file_id

    async def create(self, file_id: str, key: str | None = None) -> Batch:
        asked = CreateBatchRequest(input_file_id=file_id, endpoint=CHAT, completion_window="24h", idempotency_key=key)
        found: Batch = await self.call("batches", "create_batch", asked)
        return found

    async def get(self, batch_id: str) -> Batch:
        found: Batch = await self.call("batches", "get_batch", BatchRequest(batch_id=batch_id))
        return found

    async def ended(self, batch_id: str) -> Batch:
        async with asyncio.timeout(LIMIT_S):
            while (found := await self.get(batch_id)).status not in ENDED:
                await asyncio.sleep(0.005)
        return found

    async def listed(self) -> list[str]:
        found = await self.call("batches", "list_batches", ListBatchesRequest())
        return [one.id for one in found.data]


async def test_others_see_neither_it_nor_its_files(asking: Asking) -> None:
    ada, eve, carl = (Acting(asking, user) for user in (ADA, EVE, CARL))
    batch = await ada.ended((await ada.create(await ada.upload())).id)
    assert batch.status == "completed" and batch.output_file_id
    output = FileRequest(file_id=batch.output_file_id)
    assert (await ada.call("files", "get_file", output)).purpose == "batch_output"
    for method, request in (
        ("get_batch", BatchRequest(batch_id=batch.id)),
        ("cancel_batch", BatchRequest(batch_id=batch.id)),
    ):
        with pytest.raises(NotFound):
            await eve.call("batches", method, request)
    with pytest.raises(NotFound):
        await eve.call("files", "get_file", output)
    assert (await ada.listed(), await carl.listed(), await eve.listed()) == ([batch.id], [batch.id], [])
    assert (await carl.get(batch.id)).id == batch.id, "who shares a group sees it"


async def test_a_file_of_another_user_is_not_found(asking: Asking) -> None:
    file_id = await Acting(asking, ADA).upload()
    with pytest.raises(NotFound):
        await Acting(asking, EVE).create(file_id)


async def test_the_same_key_of_another_user_is_another_one(asking: Asking) -> None:
    ada, eve = Acting(asking, ADA), Acting(asking, EVE)
    first, second = await ada.create(await ada.upload(), "k"), await eve.create(await eve.upload(), "k")
    assert first.id != second.id
    assert (await ada.ended(first.id)).status == (await eve.ended(second.id)).status == "completed"


async def test_who_shares_a_group_can_cancel_it(asking: Asking, vendor: Upstream) -> None:
    vendor.misbehaves = held = Held()
    ada, carl = Acting(asking, ADA), Acting(asking, CARL)
    batch = await ada.create(await ada.upload())
    await held.until(2)
    await carl.call("batches", "cancel_batch", BatchRequest(batch_id=batch.id))
    ended = await ada.ended(batch.id)
    assert ended.status == "cancelled" and ended.error_file_id
    assert await ada.call("files", "get_file", FileRequest(file_id=ended.error_file_id))


async def test_the_keys_of_its_creator_are_sent_with_each_line_and_are_on_no_disk(
    asking: Asking, vendor: Upstream, tmp_path: Path
) -> None:
    ada = Acting(asking, ADA, openai_api_key="sk-of-ada")
    await ada.ended((await ada.create(await ada.upload(3))).id)
    sent = [one.headers["authorization"] for one in vendor.calls("/chat/completions")]
    assert sent == ["Bearer sk-of-ada"] * 3
    assert not any(b"sk-of-ada" in one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert asking.adapter._callers == {}
