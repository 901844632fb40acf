"""Texts, filters and fields that public reports say broke others' stores: see `tests/reports.md`."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from tests.conformance.vector_stores.asking import Asking
from tests.support.vector_stores import STORES

pytestmark = pytest.mark.asyncio(loop_scope="module")
ANY_DATABASE = True

ROW = "| [Basics of data](https://example.test/course?id={0}) | Data science | {0} | 90% |\n"
TABLE = "| " + " " * 110 + " | Category | Hours | Done |\n| " + "-" * 110 + " | --- | --- | --- |\n"
TEXTS = {
    "table-of-long-rows": "## March\n\n" + TABLE + "".join(ROW.format(number) for number in range(80)),
    "words-without-spaces": "今天天气不错我们去公园散步然后吃饭" * 200,
    "syllables-of-several-tokens": "보험계약의해지" * 200,
    "joined-emoji": "👩‍👩‍👧‍👦🚀" * 300,
    "one-word": "a" * 10_000,
}


@pytest.mark.parametrize("overlap", [0, 50])
@pytest.mark.parametrize("name", TEXTS)
async def test_any_text_is_cut_to_its_end_and_says_what_it_takes(stores: Asking, name: str, overlap: int) -> None:
    sizes = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": overlap}
    store = await stores.store()
    file = await stores.attach(store, TEXTS[name], "a.md", chunking_strategy={"type": "static", "static": sizes})
    shown = await stores.done("GET", f"{STORES}/{store}/files/{file}")
    parts = (await stores.done("GET", f"{STORES}/{store}/files/{file}/content"))["data"]
    assert shown["usage_bytes"] > 0 and len(parts) > 3
    assert all(part["text"] and "\ufffd" not in part["text"] for part in parts)
    if overlap == 0 and "table" not in name:
        assert "".join(part["text"] for part in parts) == TEXTS[name]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"type": "eq", "key": "good", "value": True}, {"true"}),
        ({"type": "eq", "key": "good", "value": 1}, {"one"}),
        ({"type": "eq", "key": "good", "value": "True"}, set()),
        ({"type": "nin", "key": "good", "value": [True]}, {"false", "one", "none"}),
        ({"type": "in", "key": "good", "value": []}, set()),
        ({"type": "nin", "key": "good", "value": []}, {"true", "false", "one", "none"}),
        ({"type": "gte", "key": "year", "value": 2022}, {"true"}),
    ],
)
async def test_a_filter_tells_booleans_numbers_and_nothing_apart(
    stores: Asking, filter: dict[str, Any], found: set[str]
) -> None:
    store = await stores.store()
    kinds: dict[str, dict[str, Any]] = {
        "true": {"good": True, "year": 2023},
        "false": {"good": False, "year": 2021},
        "one": {"good": 1, "year": "2023"},
        "none": {},
    }
    names = {await stores.attach(store, "alpaca", attributes=kinds[name]): name for name in kinds}
    hits = await stores.files_found(store, "alpaca", filters=filter)
    assert {names[file] for file in hits} == found


@pytest.mark.parametrize("overlap", [100, 150, 51])
async def test_chunks_that_would_hardly_move_on_are_refused(stores: Asking, overlap: int) -> None:
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": overlap}}
    body = {"file_id": await stores.upload("alpaca"), "chunking_strategy": sizes}
    error = await stores.refused(400, "POST", f"{STORES}/{await stores.store()}/files", body)
    assert "at most half" in error["message"] and error["param"] == "chunking_strategy.static"


async def test_a_file_that_was_not_embedded_takes_no_room(stores: Asking) -> None:
    store, file = await stores.store(), await stores.upload("vicuna")
    stores.models.refuses = "vicuna"
    try:
        await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file})
        ended = await stores.ended(store, file)
    finally:
        stores.models.refuses = None
    assert (ended["status"], ended["usage_bytes"]) == ("failed", 0)
    assert (await stores.shown(store))["usage_bytes"] == 0


async def test_a_chunk_that_is_too_long_for_its_model_says_what_to_do(stores: Asking) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "the input length exceeds the context length"}, status=400)

    store, file = await stores.store(), await stores.upload("a" * 5000)
    stores.models.misbehaves = refuse
    try:
        await stores.done("POST", f"{STORES}/{store}/files", {"file_id": file})
        ended = await stores.ended(store, file)
    finally:
        stores.models.misbehaves = None
    assert ended["status"] == "failed" and "smaller `max_chunk_size_tokens`" in ended["last_error"]["message"]


async def test_what_is_null_is_left_out(stores: Asking) -> None:
    store = await stores.store()
    await stores.attach(store, "alpaca")
    nulls = dict.fromkeys(("max_num_results", "rewrite_query", "filters", "ranking_options", "search_mode", "explain"))
    assert len(await stores.search(store, "alpaca", **nulls)) == 1


async def test_a_search_whose_model_is_down_is_no_empty_success(stores: Asking) -> None:
    store = await stores.store()
    await stores.attach(store, "alpaca")
    stores.models.refuses = "vicuna"
    try:
        error = await stores.refused(400, "POST", f"{STORES}/{store}/search", {"query": "vicuna"})
    finally:
        stores.models.refuses = None
    assert error["message"]
