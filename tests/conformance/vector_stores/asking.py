"""Vector stores as the suite uses them: over HTTP, each request that must succeed checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.conformance.asgi import Answered
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.conformance.upstream import EMBEDDING_MODEL
from runtime.providers.vector_stores.builtin.adapter import BuiltinVectorStores
from runtime.providers.vector_stores.builtin.tables import GROUPS, INDEXES, REMOVALS
from runtime.storage.sql import Row, Select, SqlStore, eq
from tests.support.shields import WORDS, shields
from tests.support.stacks import openai_at
from tests.support.vector_stores import STORES
from tests.support.word_models import Models, entries

LIMIT_S = 60.0


@dataclass(frozen=True)
class Asking:
    """A stack with vector stores. models: what its models are asked."""

    served: Served
    models: Models

    @property
    def adapter(self) -> BuiltinVectorStores:
        found: BuiltinVectorStores = adapter_of(self.served.stack, "vector_stores")
        return found

    async def ask(self, method: str, path: str, body: Any = None, **facts: Any) -> Answered:
        return await self.served.client.request(method, path, json=body, **facts)

    async def done(self, method: str, path: str, body: Any = None, **facts: Any) -> Any:
        """The JSON of an answer, which must be a success; None for one without a body."""
        answered = await self.ask(method, path, body, **facts)
        assert answered.status in (200, 204), (answered.status, answered.body[:2000])
        return answered.json() if answered.body else None

    async def refused(self, status: int, method: str, path: str, body: Any = None, **facts: Any) -> dict[str, Any]:
        """The error of an answer, which must have this status."""
        answered = await self.ask(method, path, body, **facts)
        assert answered.status == status, (answered.status, answered.body[:2000])
        return answered.error

    async def upload(self, text: str | bytes, filename: str = "a.txt") -> str:
        """A stored file; its id."""
        content = text if isinstance(text, bytes) else text.encode()
        body = form(field("purpose", "assistants"), file(content, filename=filename))
        answered = await self.served.client.post("/v1/files", body=body, headers=HEADERS)
        assert answered.status == 200, answered.body
        found: str = answered.json()["id"]
        return found

    async def store(self, **facts: Any) -> str:
        """A new store; its id."""
        found: str = (await self.done("POST", STORES, facts))["id"]
        return found

    async def attach(self, store: str, text: str | bytes, filename: str = "a.txt", **facts: Any) -> str:
        """A file of a store, once it can be found; its id."""
        file_id = await self.upload(text, filename)
        await self.done("POST", f"{STORES}/{store}/files", {"file_id": file_id, **facts})
        assert (await self.ended(store, file_id))["status"] == "completed"
        return file_id

    async def ended(self, store: str, file_id: str) -> Any:
        """A file of a store, once it is no longer in progress."""
        async with asyncio.timeout(LIMIT_S):
            while (found := await self.done("GET", f"{STORES}/{store}/files/{file_id}"))["status"] == "in_progress":
                await self.turn()
        return found

    async def batch_ended(self, store: str, batch_id: str) -> Any:
        async with asyncio.timeout(LIMIT_S):
            path = f"{STORES}/{store}/file_batches/{batch_id}"
            while (found := await self.done("GET", path))["status"] == "in_progress":
                await self.turn()
        return found

    async def reindex(self, store: str, **facts: Any) -> Any:
        """The store, once it has been indexed anew or could not be."""
        await self.done("POST", f"{STORES}/{store}/reindex", facts)
        return await self.reindexed(store)

    async def reindexed(self, store: str) -> Any:
        async with asyncio.timeout(LIMIT_S):
            while (found := await self.shown(store))["reindexing"]["status"] == "in_progress":
                await self.turn()
        return found

    async def shown(self, store: str) -> Any:
        return await self.done("GET", f"{STORES}/{store}")

    async def indexes(self, store: str) -> list[Row]:
        """The rows of a store's indexes, also of those that serve no more."""
        return await self.rows.select(Select(INDEXES, eq("store_id", store)))

    async def rows_of(self, store: str) -> list[Row]:
        """The groups of a store that are seen."""
        found: list[Row] = []
        for index in await self.indexes(store):
            found += await self.rows.select(Select(GROUPS, eq("index_number", index["number"]) & eq("state", "live")))
        return found

    async def removed(self) -> None:
        """Wait until what is no longer needed has been removed."""
        await self.adapter._removing.now()
        assert await self.rows.select(Select(REMOVALS)) == []

    @property
    def rows(self) -> SqlStore:
        return self.adapter._stores._rows

    async def turn(self) -> None:
        """Let others work; what is asked again and again does not take their time."""
        await asyncio.sleep(0.01)

    async def search(self, store: str, query: str | list[str], **facts: Any) -> list[Any]:
        """The hits."""
        found: list[Any] = (await self.done("POST", f"{STORES}/{store}/search", {"query": query, **facts}))["data"]
        return found

    async def files_found(self, store: str, query: str | list[str], **facts: Any) -> list[str]:
        return [hit["file_id"] for hit in await self.search(store, query, **facts)]

    async def insert(self, store: str, *chunks: Mapping[str, Any], **facts: Any) -> None:
        await self.done("POST", "/v1/vector-io/insert", {"vector_store_id": store, "chunks": chunks, **facts})

    async def query(self, store: str, query: str, **params: Any) -> list[Any]:
        """Chunks as they are kept."""
        body = {"vector_store_id": store, "query": query, "params": params}
        found: list[Any] = (await self.done("POST", "/v1/vector-io/query", body))["chunks"]
        return found


@asynccontextmanager
async def asking(
    vector_io: Mapping[str, Any],
    models: Models,
    state_dir: Path,
    *,
    persistent: bool = False,
    declared: Sequence[Mapping[str, Any]] = (),
    shielded: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Asking]:
    """A stack over one vector database. persistent: with its state in the folder. declared: the vector stores of the
    run config; settings: its section `vector_stores`. shielded: shields, each with its word, after `with_words`.
    """
    providers = {
        "tool_runtime": [{"provider_id": "rag-runtime", "provider_type": "inline::rag-runtime"}],
        "inference": [openai_at(models.url) | {"provider_type": "remote::vllm"}],  # OpenAI has no reranking
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto", "config": {"workers": 1}}],
        "vector_io": [vector_io],
    }
    chosen = {"default_embedding_model": EMBEDDING_MODEL, **settings}
    registered = {"models": entries(), "vector_stores": list(declared)}
    if shielded is not None:
        providers["safety"] = [WORDS]
        registered |= shields(**shielded)
    sections = {"providers": providers, "registered_resources": registered, "vector_stores": chosen}
    run = run_config(persistent=persistent, **sections)
    async with serving(run, state_dir) as served:
        yield Asking(served, models)


def text_of(hit: Any) -> str:
    found: str = hit["content"][0]["text"]
    return found


def as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
