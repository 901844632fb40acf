"""A stored file is processed by its id, as its owner; what cannot be had is told by `file_id`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import run_config, serving
from tests.conformance.file_processors.processor import PATH, processing


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    config = {"max_file_size_bytes": 1000}
    providers: dict[str, Any] = {
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto", "config": config}],
    }
    async with serving(run_config(providers=providers), tmp_path) as running:
        yield running.client


async def stored(client: Client, content: bytes) -> str:
    body = form(field("purpose", "assistants"), file(content, filename="notes.md"))
    found: str = (await client.post("/v1/files", headers=HEADERS, body=body)).json()["id"]
    return found


async def test_a_stored_file_is_processed_by_its_id(client: Client) -> None:
    file_id = await stored(client, b"# Llamas\n\nThey graze.")
    answered = await client.post(PATH, headers=HEADERS, body=form(field("file_id", file_id)))
    [chunk] = answered.json()["chunks"]
    assert chunk["content"] == "# Llamas\n\nThey graze."
    assert chunk["metadata"] == {"document_id": file_id, "file_id": file_id, "filename": "notes.md", "title": "Llamas"}
    assert chunk["chunk_metadata"]["document_id"] == file_id and chunk["chunk_metadata"]["source"] == "notes.md"
    again = (await client.post(PATH, headers=HEADERS, body=form(field("file_id", file_id)))).json()["chunks"]
    assert again[0]["chunk_id"] == chunk["chunk_id"], "the same piece of the same file has the same id"


async def test_an_unknown_file_is_not_found(client: Client) -> None:
    answered = await client.post(PATH, headers=HEADERS, body=form(field("file_id", "file-none")))
    assert answered.status == 404 and "file-none" in answered.error["message"]


async def test_a_stored_file_beyond_the_limit_is_too_large(client: Client) -> None:
    file_id = await stored(client, b"x" * 1001)
    assert (await client.post(PATH, headers=HEADERS, body=form(field("file_id", file_id)))).status == 413


@pytest.mark.parametrize(
    "parts", [[], [field("file_id", "file-1"), file(b"x")], [file(b"x"), field("file_id", "file-1")]]
)
async def test_exactly_one_file_is_processed(client: Client, parts: list[tuple[str, bytes]]) -> None:
    answered = await client.post(PATH, headers=HEADERS, body=form(*parts))
    assert answered.status == 400 and "exactly one of `file` and `file_id`" in answered.error["message"]


async def test_fields_may_follow_the_file(client: Client) -> None:
    sentences = b"Llamas graze on the hill. " * 30
    strategy = '{"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}'
    body = form(file(sentences), field("chunking_strategy", strategy))
    assert len((await client.post(PATH, headers=HEADERS, body=body)).json()["chunks"]) == 3


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ('{"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 60}}', "at most half"),
        ('{"type": "static", "static": {"max_chunk_size_tokens": 99}}', "at least 100"),
        ('{"type": "contextual"}', "`auto` or `static`"),
        ("{", "chunking_strategy"),
    ],
)
async def test_a_wrong_strategy_is_named(client: Client, strategy: str, words: str) -> None:
    body = form(field("chunking_strategy", strategy), file(b"x"))
    answered = await client.post(PATH, headers=HEADERS, body=body)
    assert answered.status == 400 and words in answered.error["message"]


async def test_a_file_id_needs_files(tmp_path: Path) -> None:
    async with processing(tmp_path) as processor:
        answered = await processor.client.post(PATH, headers=HEADERS, body=form(field("file_id", "file-1")))
        assert answered.status == 400 and "no provider of the API files" in answered.error["message"]
