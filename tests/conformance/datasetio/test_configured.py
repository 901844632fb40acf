"""Datasets of the run config: taken at first use, and anew when the run config names another source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.datasetio.subject import append, page, registered, rows_of, versions_of
from runtime.conformance.stacks import run_config, serving
from runtime.sse import encode

ROWS = [{"question": "Of France?"}]


def run_of(*sources: Any) -> Any:
    entry = {"provider_id": "rows", "provider_type": "inline::localfs"}
    datasets = [{"dataset_id": "rows", "purpose": "eval/question-answer", "source": source} for source in sources]
    return run_config(
        providers={"inference": [], "datasetio": [entry]},
        registered_resources={"datasets": datasets},
        persistent=True,
    )


async def test_one_is_taken_once_and_again_for_another_source(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(encode(ROWS[0]))
    from_file = run_of({"type": "uri", "uri": str(path)})
    async with serving(from_file, tmp_path / "state") as served:
        assert not [*(tmp_path / "state").rglob("*.parquet")]
        assert await rows_of(served) == ROWS
        assert (await append(served, ROWS)).json()["num_rows"] == 2
    path.unlink()
    async with serving(from_file, tmp_path / "state") as served:
        assert await rows_of(served) == ROWS * 2
        first = (await versions_of(served))[-1]["version"]
    async with serving(run_of({"type": "rows", "rows": [{"another": 1}]}), tmp_path / "state") as served:
        assert await rows_of(served) == [{"another": 1}]
        assert await rows_of(served, version=first) == ROWS


@pytest.mark.parametrize("how", ["path", "file:", "join", "server"])
async def test_a_source_that_cannot_be_read_is_a_503_and_where_it_is_stands_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    path = tmp_path / "missing.csv"
    (tmp_path / "there.csv").write_text("a\n1\n")
    uri = {
        "path": str(path),
        "file:": path.as_uri(),
        "join": f"{(tmp_path / 'there.csv').as_uri()}?join=missing.csv&on=a",
        "server": "http://127.0.0.1:9/secret/missing.csv",
    }[how]
    async with serving(run_of({"type": "uri", "uri": uri}), tmp_path / "state") as served:
        answer = await page(served)
        assert (answer.status, answer.error["code"]) == (503, "rows_unreadable")
        message = answer.error["message"]
        assert "`rows` cannot be read from where the run config has it" in message and "log" in message
        assert not [words for words in ("missing", "secret", "127.0.0.1", str(tmp_path)) if words in message], message
        [said] = [record.__dict__["error"] for record in caplog.records if record.__dict__.get("dataset") == "rows"]
        assert said
        if how == "path":
            assert "missing.csv" in said and "No such file" in said
            path.write_text("a\n1\n")
            assert await rows_of(served) == [{"a": 1}]


async def test_what_everybody_may_know_of_a_source_is_said(tmp_path: Path) -> None:
    run = run_of({"type": "uri", "uri": "huggingface://datasets/acme/capitals?splits=train"})
    async with serving(run, tmp_path) as served:
        answer = await page(served)
        assert answer.status == 503 and "has no `splits`" in answer.error["message"]


async def test_one_has_no_rows_of_a_registration_whose_name_it_takes(tmp_path: Path) -> None:
    async with serving(run_of(), tmp_path / "state") as served:
        await registered(served, [{"secret": 1}])
        secret = (await page(served)).json()["version"]
    async with serving(run_of({"type": "rows", "rows": ROWS}), tmp_path / "state") as served:
        assert await rows_of(served) == ROWS
        assert (await page(served, version=secret)).status == 404
        assert len(await versions_of(served)) == 1
