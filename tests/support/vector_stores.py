"""A server with vector stores as a process, and how they are filled and searched over HTTP."""

from __future__ import annotations

import asyncio
import io
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp

from runtime.conformance.upstream import EMBEDDING_MODEL
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at
from tests.support.word_models import Models, entries

STORES = "/v1/vector_stores"
MANY_TOKENS = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
"""How a file is cut into several chunks."""
LIMIT_S = 150.0
"""A job of a server that was killed is taken when its lease has run out, after 30 s."""


def run_config(models: Models) -> dict[str, Any]:
    providers = {
        "inference": [openai_at(models.url)],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
        "vector_io": [{"provider_id": "chromadb", "provider_type": "inline::chromadb"}],
    }
    chosen = {"default_embedding_model": EMBEDDING_MODEL}
    registered = {"models": [one for one in entries() if one["model_type"] == "embedding"]}
    head = {"version": 2, "distro_name": "stores", "vector_stores": chosen}
    return head | {"providers": providers, "registered_resources": registered}


def running(models: Models, folder: Path) -> AbstractAsyncContextManager[ServerProcess]:
    return running_server(run_config(models), folder, said="serving")


async def done(server: ServerProcess, method: str, path: str, **facts: Any) -> Any:
    status, answer = await server.ask(method, path, **facts)
    assert status == 200, answer
    return answer


async def uploaded(server: ServerProcess, number: int) -> str:
    text = "\n\n".join(f"Part {part} of text{number} is about llamas. " * 12 for part in range(4))
    data = aiohttp.FormData()
    data.add_field("purpose", "assistants")
    data.add_field("file", io.BytesIO(text.encode()), filename=f"{number}.txt")
    found: str = (await done(server, "POST", "/v1/files", data=data))["id"]
    return found


async def batch_of(server: ServerProcess, path: str, least: int) -> Any:
    """The batch, once so many of its files are done."""
    async with asyncio.timeout(LIMIT_S):
        while (found := await done(server, "GET", path))["file_counts"]["completed"] < least:
            await asyncio.sleep(0.05)
    return found


async def found(server: ServerProcess, store: str, params: dict[str, Any], query: str = "llamas") -> list[str]:
    """The ids of all chunks that a query finds."""
    body = {"vector_store_id": store, "query": query, "params": {"max_chunks": 1000, **params}}
    return [one["chunk_id"] for one in (await done(server, "POST", "/v1/vector-io/query", json=body))["chunks"]]
