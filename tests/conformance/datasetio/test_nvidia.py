"""`remote::nvidia`: what the entity store is told of datasets, and the rows of the data store's files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Answered
from runtime.conformance.datasetio.subject import DATASETS, IO, page, rows_of
from runtime.conformance.stacks import Served, run_config, serving
from tests.support.nemo import KEY, Nemo, running_nemo

URI = "hf://datasets/team/capitals"
ROWS = [{"question": f"Of {number}?", "answer": number} for number in range(7)]
OLD, NEW = "a" * 40, "b" * 40
IN_NEMO = {"namespace": "default", "name": "rows", "files_url": URI}


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest_asyncio.fixture
async def nemo() -> AsyncIterator[Nemo]:
    async with running_nemo() as running:
        running.files["team/capitals"] = {
            OLD: {"all.jsonl": lines(ROWS[0])},
            NEW: {
                "README.md": b"# Capitals",
                "testing/b.json": b"\xef\xbb\xbf " + json.dumps(ROWS[3:5], indent=1).encode(),
                "testing/a.jsonl": lines(*ROWS[:3]) + b"\n",
                "training/c.jsonl": lines(*ROWS[5:])[:-1],
            },
        }
        yield running


@asynccontextmanager
async def stack(nemo: Nemo, folder: Path, **config: Any) -> AsyncIterator[Served]:
    settings = {"datasets_url": nemo.url, "datastore_url": nemo.url, "api_key": KEY, **config}
    entry = {"provider_id": "nvidia", "provider_type": "remote::nvidia", "config": settings}
    configured = {"dataset_id": "known", "purpose": "eval/question-answer", "source": {"type": "uri", "uri": URI}}
    run = run_config(
        providers={"inference": [], "datasetio": [entry]},
        registered_resources={"datasets": [configured]},
        persistent=True,
    )
    async with serving(run, folder) as served:
        yield served


@pytest_asyncio.fixture
async def served(nemo: Nemo, tmp_path: Path) -> AsyncIterator[Served]:
    async with stack(nemo, tmp_path) as running:
        yield running


async def register(served: Served, uri: str = URI, **facts: Any) -> Answered:
    source = {"type": "uri", "uri": uri}
    body = {"dataset_id": "rows", "purpose": "eval/question-answer", "source": source, **facts}
    return await served.client.post(DATASETS, json=body)


async def registered(served: Served, uri: str = URI, **facts: Any) -> None:
    answer = await register(served, uri, **facts)
    assert answer.status == 200, answer.body


async def forget(served: Served) -> Answered:
    return await served.client.request("DELETE", f"{DATASETS}/rows")


async def test_a_registered_dataset_is_known_to_the_entity_store_until_it_is_forgotten(
    nemo: Nemo, tmp_path: Path
) -> None:
    told = {"format": "json", "description": "Capitals", "provider": "nvidia", "number": 1}
    async with stack(nemo, tmp_path, project_id="geography", dataset_namespace="team") as served:
        await registered(served, metadata=told, provider_dataset_id="capitals/all")
        assert nemo.asked == [
            (
                "POST",
                "/v1/datasets",
                {
                    "namespace": "team", "name": "capitals/all", "files_url": URI, "project": "geography",
                    "format": "json", "description": "Capitals",
                },
            )
        ]  # fmt: skip
        assert set(nemo.keys) == {f"Bearer {KEY}"}
        shown = (await served.client.get(f"{DATASETS}/rows")).json()
        assert (shown["source"], shown["metadata"]) == ({"type": "uri", "uri": URI}, told)
    async with stack(nemo, tmp_path, dataset_namespace="another") as again:  # it was kept as `team/capitals/all`
        assert await rows_of(again, limit=1) == ROWS[:1]
        assert (await forget(again)).status == 204
    assert nemo.kept["datasets"] == {} and nemo.asked[-1][:2] == ("DELETE", "/v1/datasets/team/capitals/all")


async def test_one_that_is_registered_again_is_changed_there(served: Served, nemo: Nemo) -> None:
    await registered(served)
    await registered(served, f"{URI}/testing", metadata={"description": "fewer"})
    assert nemo.asked[-1] == (
        "PATCH", "/v1/datasets/default/rows", {"files_url": f"{URI}/testing", "description": "fewer"},
    )  # fmt: skip
    assert await rows_of(served) == ROWS[:5]
    nemo.kept["datasets"].clear()  # by somebody else
    await registered(served)
    assert nemo.kept["datasets"]["default/rows"].items() >= IN_NEMO.items()


async def test_what_a_registration_that_was_cut_short_has_left_is_taken_over_and_anything_else_stays(
    served: Served, nemo: Nemo
) -> None:
    nemo.kept["datasets"]["default/rows"] = {**IN_NEMO, "id": "left"}
    await registered(served)
    assert (await forget(served)).status == 204
    nemo.kept["datasets"]["default/rows"] = others = {**IN_NEMO, "id": "theirs", "files_url": "hf://datasets/of/others"}
    answer = await register(served)
    assert answer.status == 409 and "NeMo has another `default/rows`" in answer.error["message"]
    assert nemo.kept["datasets"] == {"default/rows": others}
    assert [one["identifier"] for one in (await served.client.get(DATASETS)).json()["data"]] == ["known"]


async def test_it_is_forgotten_although_the_entity_store_has_it_no_more(served: Served, nemo: Nemo) -> None:
    await registered(served)
    nemo.kept["datasets"].clear()
    assert (await forget(served)).status == 204
    await registered(served)
    nemo.fails["/v1/datasets"] = [500]
    assert (await forget(served)).status == 204
    assert (await page(served)).status == 404


@pytest.mark.parametrize("status", [401, 403, 422, 429, 500])
async def test_what_the_entity_store_refuses_is_not_registered(served: Served, nemo: Nemo, status: int) -> None:
    nemo.fails["/v1/datasets"] = [status] * 9
    answer = await register(served)
    assert answer.status in (status, 502, 503) and answer.error["code"], answer.body
    assert "nvidia" in answer.body.decode() and KEY not in answer.body.decode()
    assert (await page(served)).status == 404 and nemo.kept["datasets"] == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"type": "rows", "rows": ROWS}, "`nvidia` takes no rows: NeMo reads files"),
        ({"type": "uri", "uri": "file-1234"}, "NeMo cannot read `file-1234`"),
    ],
)
async def test_what_nemo_cannot_read_is_a_400(served: Served, nemo: Nemo, source: Any, words: str) -> None:
    answer = await register(served, source=source)
    assert (answer.status, answer.error["param"]) == (400, "source") and words in answer.error["message"]
    assert nemo.asked == []


async def test_rows_are_those_of_all_files_in_order(served: Served, nemo: Nemo) -> None:
    await registered(served)
    answer = (await page(served)).json()
    assert answer == {"data": ROWS, "has_more": False, "url": None, "version": NEW}
    assert await rows_of(served, "known") == ROWS, "of the run config, and not registered in NeMo by us"
    assert "default/known" not in nemo.kept["datasets"]


@pytest.mark.parametrize(
    ("within", "wanted"),
    [("testing", ROWS[:5]), ("testing/", ROWS[:5]), ("testing/b.json", ROWS[3:5]), ("training/c.jsonl", ROWS[5:])],
)
async def test_an_address_may_name_a_folder_or_a_file(served: Served, within: str, wanted: Any) -> None:
    await registered(served, f"{URI}/{within}")
    assert await rows_of(served) == wanted


async def test_pages_begin_and_end_anywhere(served: Served) -> None:
    for start in range(9):
        for limit in (0, 1, 4, 7, -1):
            end = len(ROWS) if limit == -1 else start + limit
            answer = (await page(served, "known", start_index=start, limit=limit)).json()
            assert (answer["data"], answer["has_more"]) == (ROWS[start:end], end < len(ROWS)), (start, limit)


async def test_a_page_ends_before_it_has_too_many_bytes_and_not_before_its_first_row(
    nemo: Nemo, tmp_path: Path
) -> None:
    rows = [{"text": "x" * 700}, {"text": "y" * 2000}, {"text": "z"}]
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": lines(*rows)}}
    async with stack(nemo, tmp_path, max_page_bytes=1024) as served:
        found: list[Any] = []
        while True:
            answer = (await page(served, "known", start_index=len(found))).json()
            found += answer["data"]
            assert len(answer["data"]) == 1
            if not answer["has_more"]:
                break
    assert found == rows


async def paged(served: Served, limit: int) -> list[Any]:
    """All rows of the dataset `known`, page by page."""
    found: list[Any] = []
    while True:
        answer = (await page(served, "known", start_index=len(found), limit=limit)).json()
        found += answer["data"]
        if not answer["has_more"]:
            return found


@pytest.mark.parametrize("large", [False, True])
async def test_page_by_page_a_file_is_fetched_once(served: Served, nemo: Nemo, large: bool) -> None:
    rows = [{"number": number, "text": "\u00e4" * (number % 7)} for number in range(500)]
    content = b"\xef\xbb\xbf\n" + lines(*rows[:400]).replace(b"}\n", b"}\r\n\n")
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": content, "b.jsonl": lines(*rows[400:])[:-1]}}
    if large:
        nemo.large.add("a.jsonl")
    assert await paged(served, 23) == rows
    pages = nemo.begins[: 400 // 23 + 1]
    assert pages == sorted(set(pages)) and pages[-1] > len(content) * 9 // 10, "each from where the one before ended"


async def test_pages_are_the_same_where_a_server_sends_whole_files(served: Served, nemo: Nemo) -> None:
    nemo.has_ranges = False
    assert await paged(served, 2) == ROWS


async def test_an_array_goes_on_where_the_page_before_has_ended(served: Served, nemo: Nemo) -> None:
    rows = [{"number": number} for number in range(20)]
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": lines(*rows[:5]), "b.json": json.dumps(rows[5:]).encode()}}
    assert await paged(served, 3) == rows


async def test_a_column_that_another_page_has_is_null_and_one_of_none_is_refused(served: Served, nemo: Nemo) -> None:
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": lines({"a": 1}, {"a": 2}, {"b": 3})}}
    assert await rows_of(served, "known", columns=["b", "a"], limit=1) == [{"b": None, "a": 1}]
    for _ in range(2):
        answer = await page(served, "known", columns=["a", "c"], limit=1)
        assert answer.status == 400 and "The dataset has no column `c`" in answer.error["message"]
    asked = [path for _, path, _ in nemo.asked if "/resolve/" in path]
    assert len(asked) == 5, "the page, and once each for what it does not have"


async def test_columns_are_chosen_and_one_that_a_row_lacks_is_null(served: Served, nemo: Nemo) -> None:
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": lines({"a": 2**70, "b": "\u2028"}, {"c": [1, {"d": None}]})}}
    assert await rows_of(served, "known") == [
        {"a": 2**70, "b": "\u2028", "c": None}, {"a": None, "b": None, "c": [1, {"d": None}]},
    ]  # fmt: skip
    assert await rows_of(served, "known", columns=["c", "a"], limit=2) == [
        {"c": None, "a": 2**70}, {"c": [1, {"d": None}], "a": None},
    ]  # fmt: skip
    answer = await page(served, "known", columns=["answr"])
    assert (answer.status, answer.error["param"]) == (400, "columns") and "`a`, `b`, `c`" in answer.error["message"]


async def test_a_version_is_a_commit_and_earlier_ones_stay(served: Served) -> None:
    await registered(served)
    assert await rows_of(served, version=OLD) == ROWS[:1]
    assert await rows_of(served, f"rows@{OLD}") == ROWS[:1]
    assert await rows_of(served, version=NEW[:8]) == ROWS
    for version in ("c" * 40, OLD[:12]):
        answer = await page(served, version=version)
        assert (answer.status, answer.error["param"]) == (404, "version") and version in answer.error["message"]


async def test_a_large_file_is_fetched_where_the_data_store_leads_without_its_key(served: Served, nemo: Nemo) -> None:
    nemo.large.add("training/c.jsonl")
    assert await rows_of(served, "known") == ROWS
    assert nemo.keys.count(None) == 1 and set(nemo.keys) == {None, f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lines(ROWS[0]) + b"{oops}\n", "row 2 is no JSON object"),
        (lines(ROWS[0]) + b"[1]\n", "row 2 is no JSON object"),
        (b'[{"a": 1}, 2]', "row 2 is no JSON object"),
        (b'[{"a": 1}', "it begins as a JSON array and is none"),
        (b"[" * 100_000, "it begins as a JSON array and is none"),
        (b"\xff\xfe{}", "row 1 is no JSON object"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(served: Served, nemo: Nemo, content: bytes, words: str) -> None:
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": content}}
    answer = await page(served, "known")
    assert (answer.status, answer.error["code"]) == (503, "rows_unreadable")
    assert f"`a.jsonl` of `team/capitals` cannot be read: {words}" in answer.error["message"]


@pytest.mark.parametrize("content", [b"", b" \n\n", b"[]"])
async def test_a_file_may_have_no_rows(served: Served, nemo: Nemo, content: bytes) -> None:
    nemo.files["team/capitals"] = {NEW: {"a.jsonl": content}}
    assert await rows_of(served, "known", columns=["any"]) == []


async def test_what_the_data_store_has_not_is_said(served: Served, nemo: Nemo) -> None:
    nemo.fails["/resolve/"] = [404]
    answer = await page(served, "known")
    assert answer.status == 503 and "the data store answered 404" in answer.error["message"]
    nemo.files["team/capitals"] = {NEW: {"a.csv": b"a\n1\n"}}
    answer = await page(served, "known")
    assert answer.status == 501 and "there are `a.csv`" in answer.error["message"]
    del nemo.files["team/capitals"]
    answer = await page(served, "known")
    assert answer.status == 503 and "the data store has no dataset `team/capitals`" in answer.error["message"]
    await registered(served, "https://example.com/a.jsonl")  # which NeMo's services may read
    answer = await page(served)
    assert answer.status == 501 and "not in NeMo's data store" in answer.error["message"]


async def test_what_it_cannot_do_is_a_501_by_name(served: Served, nemo: Nemo, tmp_path: Path) -> None:
    answers = [
        await served.client.post(f"{IO}/append-rows/known", json={"rows": ROWS}),
        await served.client.get(f"{IO}/versions/known"),
        await page(served, "known", filters={"type": "eq", "key": "answer", "value": 1}),
    ]
    async with stack(nemo, tmp_path / "other", datastore_url=None) as without:
        answers.append(await page(without, "known"))
    for answer in answers:
        assert answer.status == 501 and "nvidia" in answer.error["message"], answer.body
    assert "`datastore_url`" in answers[-1].error["message"]
