"""What can be no batch, and what cannot be done with one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from runtime.providers.batches._shared import batches, checking, creating, input_lines
from tests.conformance.batches.asking import BATCHES, CHAT, Asking, Json, jsonl, line, lines

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_line_for_another_endpoint_is_named(asking: Asking) -> None:
    error = await asking.not_created(400, line("a"), "no JSON", line("b", url="/v1/embeddings"))
    assert (error["code"], error["param"]) == ("mismatched_endpoint", "input_file_id")
    assert "Line 3 " in error["message"] and "`/v1/embeddings`" in error["message"] and f"`{CHAT}`" in error["message"]


async def test_one_line_too_many_is_named(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_LINES", 3)
    error = await asking.not_created(400, *lines(3), "", line("x"))
    assert error["code"] == "too_many_lines" and "Line 5 " in error["message"]
    await asking.completed(*lines(3))


@pytest.mark.parametrize("piece", [10, 1024**2])
async def test_a_line_that_is_too_long_is_named(asking: Asking, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(input_lines, "MAX_LINE_BYTES", 300)
    monkeypatch.setattr(input_lines, "_PIECE_BYTES", piece)
    error = await asking.not_created(400, line("a"), line("b", "x" * 300))
    assert error["code"] == "line_too_long" and "Line 2 " in error["message"]


async def test_the_rows_of_malformed_lines_are_made_beside_the_event_loop(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be 50,000 of them, which take half a second."""
    threads = list[int]()

    def noted(*given: Any) -> Any:
        threads.append(threading.get_ident())
        return creating.new_rows(*given)

    monkeypatch.setattr(batches, "new_rows", noted)
    await asking.completed(*["no"] * 10, line("a"))
    assert len(threads) == 1 and threads != [threading.get_ident()]


async def test_a_file_that_is_too_large_is_a_413(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_INPUT_BYTES", 100)
    assert (await asking.not_created(413, line("a"), line("b")))["param"] == "input_file_id"


async def test_a_file_without_lines_is_none(asking: Asking) -> None:
    assert (await asking.not_created(400, "", " "))["code"] == "empty_file"


async def test_a_file_for_something_else_is_none(asking: Asking) -> None:
    asked = {"input_file_id": await asking.upload(jsonl(line("a")), "user_data"), "endpoint": CHAT}
    error = await asking.refused(400, BATCHES, {**asked, "completion_window": "24h"})
    assert error["code"] == "file_purpose" and "`user_data`" in error["message"]
    unknown = {"input_file_id": "file-none", "endpoint": CHAT, "completion_window": "24h"}
    assert (await asking.refused(404, BATCHES, unknown))["message"].startswith("There is no file")


@pytest.mark.parametrize(
    ("wrong", "param"), [({"completion_window": "1h"}, "completion_window"), ({"endpoint": "/v1/rerank"}, "endpoint")]
)
async def test_another_window_or_endpoint_is_refused(asking: Asking, wrong: Json, param: str) -> None:
    asked = {"input_file_id": "file-none", "endpoint": CHAT, "completion_window": "24h"}
    assert (await asking.refused(400, BATCHES, asked | wrong))["param"] == param


async def test_an_endpoint_that_nothing_serves_is_a_501(asking: Asking) -> None:
    asked = line("a", url="/v1/moderations")
    assert "`/v1/moderations`" in (await asking.not_created(501, asked, endpoint="/v1/moderations"))["message"]


async def test_a_batch_that_has_ended_is_not_cancelled(asking: Asking) -> None:
    batch = await asking.completed(line("a"))
    error = await asking.refused(409, f"{BATCHES}/{batch['id']}/cancel")
    assert error["type"] == "conflict_error" and "`completed`" in error["message"]
    assert await asking.get(batch) == batch


async def test_an_unknown_batch_is_not_found(asking: Asking) -> None:
    for method, path in (("GET", f"{BATCHES}/batch_none"), ("POST", f"{BATCHES}/batch_none/cancel")):
        assert (await asking.refused(404, path, method=method))["code"] == "batch_not_found"


async def test_a_key_makes_one_batch_and_of_one_request(asking: Asking) -> None:
    file_id = await asking.upload(jsonl(*lines(2)))
    asked = {
        "input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h", "idempotency_key": "nightly",
    }  # fmt: skip
    several = await asyncio.gather(*(asking.done("POST", BATCHES, asked) for _ in range(5)))
    assert len({one["id"] for one in several}) == 1
    await asking.ended(several[0])
    assert (await asking.done("POST", BATCHES, asked))["status"] == "completed"
    assert len(asking.vendor.calls("/chat/completions")) == 2
    error = await asking.refused(409, BATCHES, asked | {"metadata": {"another": "one"}})
    assert (error["code"], error["param"]) == ("idempotency_key_in_use", "idempotency_key")
    assert (await asking.done("POST", BATCHES, asked | {"idempotency_key": "other"}))["id"] != several[0]["id"]
