"""`llama stack batch`: what is sent, what is printed, and which exit code tells how a batch has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llama_cli.asking import batches
from tests.support.schemas import conform
from tests.support.wire import HEAD, server, sized

if TYPE_CHECKING:
    from tests.support.command_runner import Cli

LINE = json.dumps({"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {}})


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_POLL_S", 0)


@pytest.fixture
def requests(tmp_path: Path) -> str:
    file = tmp_path / "requests.jsonl"
    file.write_text(f"{LINE}\n\n{LINE}\n")
    return str(file)


def answer(value: Any) -> bytes:
    return sized(json.dumps(value).encode())


def batch(status: str = "completed", *, completed: int = 2, failed: int = 0, **facts: Any) -> dict[str, Any]:
    return {
        "id": "batch_1",
        "status": status,
        "endpoint": "/v1/embeddings",
        "model": "m",
        "request_counts": {"total": 2, "completed": completed, "failed": failed},
        "created_at": 1_800_000_000,
        "output_file_id": None,
        "error_file_id": None,
        **facts,
    }


def test_a_file_is_sent_and_waited_for(cli: Cli, requests: str) -> None:
    running = batch("in_progress", completed=1)
    with server(answer({"id": "file-1"}), answer(batch("validating")), answer(running), answer(batch())) as (url, seen):
        ended = cli("stack", "batch", "submit", requests, "--wait", "--json", "--url", url)
    conform(ended.json(), "stack-batch-submit")
    assert (ended.code, ended.json()["status"], ended.json()["created_at"]) == (
        0,
        "completed",
        "2027-01-15T08:00:00+00:00",
    )
    assert seen[1] == {"input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "24h"}


def test_without_waiting_its_id_is_what_a_script_gets(cli: Cli, requests: str) -> None:
    with server(answer({"id": "file-1"}), answer(batch("validating"))) as (url, seen):
        ended = cli("stack", "batch", "submit", requests, "--endpoint", "/v1/responses", "-q", "--url", url)
    assert ended == (0, "batch_1\n", "") and seen[1]["endpoint"] == "/v1/responses"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (batch(), 0),
        (batch(completed=1, failed=1), 9),
        (batch("failed"), 1),
        (batch("expired"), 1),
        (batch("cancelled"), 1),
    ],
)
def test_the_exit_code_tells_how_it_has_ended(cli: Cli, requests: str, found: dict[str, Any], code: int) -> None:
    with server(answer({"id": "file-1"}), answer(found)) as (url, _):
        assert cli("stack", "batch", "submit", requests, "--wait", "--url", url).code == code
    with server(answer(found)) as (url, _):
        assert cli("stack", "batch", "results", "batch_1", "--url", url).code == code


def test_a_batch_that_takes_too_long_goes_on(cli: Cli, requests: str) -> None:
    with server(answer({"id": "file-1"}), answer(batch("in_progress"))) as (url, _):
        ended = cli("stack", "batch", "submit", requests, "--wait", "--timeout", "0s", "--url", url)
    assert ended.code == 8 and "llama stack batch results batch_1" in ended.err


def test_a_dry_run_counts_lines_and_asks_nobody(cli: Cli, requests: str) -> None:
    ended = cli("stack", "batch", "submit", requests, "--dry-run", "--json")
    conform(ended.json(), "stack-batch-submit")
    assert (ended.json()["total"], ended.json()["endpoint"], ended.json()["dry_run"]) == (2, "/v1/embeddings", True)
    ended = cli("stack", "batch", "submit", "-", "--dry-run", stdin=f"{LINE}\n")
    assert (ended.code, ended.err) == (0, "would submit 1 request to /v1/embeddings\n")


@pytest.mark.parametrize(("text", "said"), [("\n\n", "has no lines"), ("[1]\n", "--endpoint")])
def test_what_is_no_file_of_requests_is_usage(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    ended = cli("stack", "batch", "submit", str(file), "--dry-run")
    assert ended.code == 2 and said in ended.err


def test_batches_are_listed(cli: Cli) -> None:
    first = {"object": "list", "data": [batch()], "has_more": True, "last_id": "batch_1"}
    second = {"object": "list", "data": [batch("in_progress", completed=1)], "has_more": False, "last_id": "batch_2"}
    with server(answer(first), answer(second)) as (url, _):
        ended = cli("stack", "batch", "ls", "--json", "--url", url)
    conform(ended.json(), "stack-batch-ls")
    assert [(row["status"], row["completed"]) for row in ended.json()] == [("completed", 2), ("in_progress", 1)]
    with server(answer(first | {"has_more": False})) as (url, _):
        ended = cli("stack", "batch", "ls", "--url", url)
    assert ended.out == "batch_1\tcompleted\t2\t0\t2\t/v1/embeddings\tm\t2027-01-15T08:00:00+00:00\n"


def test_a_batch_is_cancelled(cli: Cli) -> None:
    with server(answer(batch("cancelling"))) as (url, _):
        ended = cli("stack", "batch", "cancel", "batch_1", "--json", "--url", url)
    conform(ended.json(), "stack-batch-cancel")
    assert (ended.json()["status"], ended.json()["dry_run"]) == ("cancelling", False)
    with server(answer(batch("in_progress", completed=0))) as (url, _):
        ended = cli("stack", "batch", "cancel", "batch_1", "--dry-run", "--url", url)
    assert ended.err == "would cancel `batch_1`, which is in_progress: 2 of 2 are not answered\n"


@pytest.mark.parametrize(
    ("command", "status", "code", "hint"),
    [
        ("cancel", b"409 Conflict", 5, ""),
        ("cancel", b"404 Not Found", 2, "llama stack batch ls"),
        ("results", b"404 Not Found", 2, "llama stack batch ls"),
    ],
)
def test_one_that_has_ended_is_a_conflict_and_one_that_is_not_there_an_unknown_name(
    cli: Cli, command: str, status: bytes, code: int, hint: str
) -> None:
    error = {"message": "it cannot be", "type": "t", "param": "batch_id", "code": None}
    body = json.dumps({"error": error}).encode()
    refused = (HEAD % (b"application/json", b"content-length: %d\r\n" % len(body))).replace(b"200 OK", status)
    with server(refused + body) as (url, _):
        ended = cli("stack", "batch", command, "batch_1", "--url", url)
    assert ended.code == code and "it cannot be" in ended.err and hint in ended.err


def test_answers_are_lines(cli: Cli) -> None:
    given = {"id": "batch_req_1", "custom_id": "1", "response": {"status_code": 200}, "error": None}
    lines = sized(f"{json.dumps(given)}\n{json.dumps(given)}\n".encode(), kind=b"application/octet-stream")
    found = batch(completed=1, failed=1, output_file_id="file-1", error_file_id="file-2")
    with server(answer(found), lines) as (url, _):
        ended = cli("stack", "batch", "results", "batch_1", "--json", "--url", url)
    rows = [json.loads(line) for line in ended.out.splitlines()]
    for row in rows:
        conform(row, "stack-batch-results")
    assert (rows, ended.code) == ([given, given], 9) and "results batch_1 --errors" in ended.err
    with server(answer(found), lines) as (url, _):
        ended = cli("stack", "batch", "results", "batch_1", "--errors", "--url", url)
    assert (ended.code, ended.err, len(ended.out.splitlines())) == (9, "", 2)
