"""A server with batches as a process, and how they are asked for over HTTP."""

from __future__ import annotations

import asyncio
import io
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp

from runtime.conformance.upstream import Upstream
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at

LIMIT_S = 60.0
Json = dict[str, Any]


def running(
    vendor: Upstream, folder: Path, *, provider: str = "inline::builtin", **config: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server. provider, config: of its batches."""
    providers = {
        "inference": [openai_at(vendor.url)],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "batches": [{"provider_id": "batches", "provider_type": provider, "config": config}],
    }
    return running_server({"version": 2, "distro_name": "batches", "providers": providers}, folder, said="serving")


async def created(server: ServerProcess, text: str, endpoint: str) -> str:
    """The id of a batch of this input."""
    data = aiohttp.FormData()
    data.add_field("purpose", "batch")
    data.add_field("file", io.BytesIO(text.encode()), filename="in.jsonl")
    status, file = await server.ask("POST", "/v1/files", data=data)
    assert status == 200, file
    asked = {"input_file_id": file["id"], "endpoint": endpoint, "completion_window": "24h"}
    status, batch = await server.ask("POST", "/v1/batches", json=asked)
    assert status == 200, batch
    found: str = batch["id"]
    return found


async def once(server: ServerProcess, batch_id: str, **wanted: Any) -> Json:
    """The batch, once it has these values; of `request_counts` too, at least so many."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            _, batch = await server.ask("GET", f"/v1/batches/{batch_id}")
            counts = batch["request_counts"]
            if all(counts[name] >= value if name in counts else batch[name] == value for name, value in wanted.items()):
                found: Json = batch
                return found
            await asyncio.sleep(0.02)


async def content(server: ServerProcess, file_id: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/v1/files/{file_id}/content") as answer:
        assert answer.status == 200
        return await answer.text()
