"""Processors that have another server read: the requests that it documents, and answers that are believed with care."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.file_processors.processor import SMALL, Processor, processing
from tests.conformance.file_processors.servers import ELEMENTS, KEY, LAYOUT, READ, DocumentServer, document_server

TYPES = {"docling": "remote::docling-serve", "partition": "remote::unstructured-api"}
both = pytest.mark.parametrize("kind", TYPES)


@asynccontextmanager
async def remote(kind: str, folder: Path, **config: Any) -> AsyncIterator[tuple[Processor, DocumentServer]]:
    async with (
        document_server(kind) as server,
        processing(folder, TYPES[kind], base_url=server.url, api_key=KEY, workers=1, **config) as processor,
    ):
        yield processor, server


@both
async def test_what_the_server_found_is_kept(kind: str, tmp_path: Path) -> None:
    async with remote(kind, tmp_path) as (processor, server):
        answer = await processor.read(b"a document", "llamas.pdf")
        [chunk] = answer["chunks"]
        assert chunk["content"] == READ and server.content == b"a document"
        assert (chunk["metadata"]["page_number"], chunk["metadata"]["last_page_number"]) == (1, 2)
        assert chunk["metadata"]["filename"] == "llamas.pdf" and chunk["metadata"]["title"] == "Llamas"
        assert answer["metadata"]["page_count"] == 2 and answer["metadata"]["file_size_bytes"] == 10
        cut = (await processor.read(b"a document", strategy=SMALL))["chunks"]
        assert [chunk["chunk_metadata"]["chunk_tokenizer"] for chunk in cut] == ["cl100k_base"]


@pytest.mark.parametrize(
    ("mode", "size", "asked"),
    [
        ("sync", 10, ["/v1/convert/file"]), ("auto", 10, ["/v1/convert/file"]),
        ("auto", 1_100_000, ["/v1/convert/file/async"]), ("async", 10, ["/v1/convert/file/async"]),
    ],
)  # fmt: skip
async def test_a_docling_serve_is_asked_at_once_or_until_it_is_done(
    mode: str, size: int, asked: list[str], tmp_path: Path
) -> None:
    async with remote("docling", tmp_path, mode=mode, do_ocr=False) as (processor, server):
        answered = await processor.ask(bytes(size), options={"page_range": [2, 3], "table_mode": "fast"})
        assert answered.json()["chunks"][0]["content"].startswith("## Sizes")
        assert len(server.content) == size
        later = ["/v1/status/poll/a/task", "/v1/status/poll/a/task", "/v1/result/a/task"]
        assert server.paths == (asked + later if asked[0].endswith("async") else asked)
        assert server.forms == [
            {
                "to_formats": ["json"], "image_export_mode": ["placeholder"], "do_ocr": ["false"],
                "page_range": ["2", "3"], "table_mode": ["fast"],
            }
        ]  # fmt: skip


async def test_the_address_of_older_configs_is_understood(tmp_path: Path) -> None:
    async with document_server("docling") as server:
        config = {"base_url": f"{server.url}/v1/", "api_key": KEY, "mode": "sync"}
        async with processing(tmp_path, TYPES["docling"], **config) as processor:
            assert await processor.text(b"x") == READ


async def test_the_partition_api_has_its_settings(tmp_path: Path) -> None:
    async with remote("partition", tmp_path, strategy="fast", languages=["eng", "deu"]) as (processor, server):
        assert (await processor.text(b"x", options={"coordinates": True, "page_range": "2"})).startswith("## Sizes")
        assert server.forms == [
            {
                "strategy": ["fast"], "languages": ["eng", "deu"], "output_format": ["application/json"],
                "coordinates": ["true"],
            }
        ]  # fmt: skip


@both
async def test_what_the_server_refuses_is_passed_on(kind: str, tmp_path: Path) -> None:
    async with remote(kind, tmp_path) as (processor, server):
        answered = await processor.ask(b"x", options={"speed": "high"})
        assert answered.status == 422 and "not allowed" in answered.error["message"]
        server.status, server.answer = 503, {"detail": "busy"}
        answered = await processor.ask(b"x", options={})
        assert answered.status in (502, 503)


@both
async def test_a_wrong_key_is_not_the_caller_s_fault(kind: str, tmp_path: Path) -> None:
    async with (
        document_server(kind) as server,
        processing(tmp_path, TYPES[kind], base_url=server.url, api_key="sk-wrong") as processor,
    ):
        answered = await processor.ask(b"x")
        assert (answered.status, answered.error["code"]) == (502, "upstream_refused_key")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"status": "failure", "errors": [{"error_message": "Input document is not valid"}]}, "is not valid"),
        ({"status": "success", "document": {"json_content": None}}, "answer of docling-serve"),
        ({"status": "success", "document": {"json_content": {"body": {"children": [{"$ref": "#/x/y/z"}]}}}}, "answer"),
        ([], "status None"),
    ],
)
async def test_a_conversion_that_failed_says_why(answer: Any, words: str, tmp_path: Path) -> None:
    async with remote("docling", tmp_path, mode="sync") as (processor, server):
        server.answer = answer
        code, message = await processor.refused(b"x")
        assert code == "invalid_document" and words in message


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_conversion_that_broke_down_is_the_server_s_failure(mode: str, tmp_path: Path) -> None:
    async with remote("docling", tmp_path, mode=mode) as (processor, server):
        server.ended = "failure"
        answered = await processor.ask(b"x")
        assert (answered.status, answered.error["code"]) == (502, "upstream_error")
        assert "docling-serve" in answered.error["message"]


async def test_a_document_whose_parts_lead_in_circles_ends(tmp_path: Path) -> None:
    async with remote("docling", tmp_path, mode="sync") as (processor, server):
        texts = [{"label": "text", "text": "Round.", "children": [{"$ref": "#/texts/0"}]}]
        layout = {**LAYOUT, "texts": texts, "body": {"children": [{"$ref": "#/texts/0"}]}}
        server.answer = {"status": "success", "document": {"json_content": layout}}
        assert await processor.text(b"x") == "Round."


@pytest.mark.parametrize("answer", [{}, "text", [{"type": "Title", "text": 3, "metadata": None}], [7]])
async def test_elements_that_are_none_are_refused_or_left_out(answer: Any, tmp_path: Path) -> None:
    async with remote("partition", tmp_path) as (processor, server):
        server.answer = answer
        answered = await processor.ask(b"x")
        assert answered.status in (200, 400), answered.body
        server.answer = ELEMENTS
        assert await processor.text(b"x") == READ


@both
async def test_an_answer_beyond_the_limit_is_not_kept(kind: str, tmp_path: Path) -> None:
    async with remote(kind, tmp_path, max_decompressed_bytes=100) as (processor, _):
        answered = await processor.ask(b"x")
        assert answered.status == 502 and "100 bytes" in answered.error["message"]
