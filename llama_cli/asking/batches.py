"""Batches of a running stack: files of requests that it answers in the background.

Knows the routes of batches and files, and how an input file is written
(https://platform.openai.com/docs/api-reference/batch/request-input). Prints nothing.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llama_cli.asking import ask, passing
from llama_cli.asking.bodies import Part, of_file, of_parts
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal.progress import working
from runtime.config.home import expanded
from runtime.config.text import is_stream

_BATCHES = "/v1/batches"
_POLL_S, _SEND_S = 0.5, 600.0
_ENDED = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Input:
    """A file of requests. name: of the file; lines: those that are not blank; endpoint: which they ask."""

    name: str
    content: bytes | Path
    lines: int
    endpoint: str


def read_input(file: str, endpoint: str | None) -> Input:
    """What `FILE` names. endpoint: by default that of its first line. Raises Failure: USAGE, or ACCESS."""
    if not is_stream(file) and not expanded(file).exists():
        hint = "name a file with a request on each line; `-` is stdin"
        raise Failure(f"there is no file `{file}`", hint=hint, code=ExitCode.USAGE)
    content = of_file(file, option="FILE")
    first, count = b"", 0
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as lines:
        for line in lines:
            if line.strip():
                first, count = first or line, count + 1
    if not count:
        hint = 'write a request on each line: {"custom_id": ..., "method": "POST", "url": ..., "body": {...}}'
        raise Failure(f"`{file}` has no lines", hint=hint, code=ExitCode.USAGE)
    name = content.name if isinstance(content, Path) else "stdin.jsonl"
    return Input(name=name, content=content, lines=count, endpoint=endpoint or _endpoint_in(first, file))


def _endpoint_in(line: bytes, file: str) -> str:
    try:
        found = json.loads(line)["url"]
    except (ValueError, TypeError, LookupError, RecursionError):
        found = None
    if not isinstance(found, str):
        hint = "name it with `--endpoint`, as in `--endpoint /v1/chat/completions`"
        raise Failure(f"the first line of `{file}` names no `url`", hint=hint, code=ExitCode.USAGE)
    return found


def submit(url: str, given: Input) -> dict[str, Any]:
    """A new batch. Raises Failure as `ask.request` does."""
    body = of_parts([Part("purpose", b"batch"), Part("file", given.content, filename=given.name)])
    with working(f"sending {given.name}"):
        with ask.asked(
            url, "/v1/files", method="POST", body=body.pieces, headers=body.headers, timeout_s=_SEND_S
        ) as reply:
            if reply.status // 100 != 2:
                raise ask.refusal(reply, reply.read())
            file = reply.json()
        asked = {"input_file_id": file["id"], "endpoint": given.endpoint, "completion_window": "24h"}
        with ask.request(url, _BATCHES, asked, timeout_s=_SEND_S) as reply:
            return row_of(reply.json())


def batch(url: str, batch_id: str) -> dict[str, Any]:
    """A batch as it is. Raises Failure as `ask.get` does, and USAGE where there is none."""
    with _typed():
        return row_of(ask.get(url, _path(batch_id)))


def batches(url: str) -> list[dict[str, Any]]:
    """All of them, the newest first. Raises Failure as `ask.get` does."""
    found = passing.all_pages(passing.Asked(url=url, method="GET", path=f"{_BATCHES}?limit=100"))
    return [row_of(one) for one in found["data"]]


def cancel(url: str, batch_id: str) -> dict[str, Any]:
    """A batch that is given up. Raises Failure as `ask.request` does, and USAGE where there is none."""
    with _typed(), ask.request(url, f"{_path(batch_id)}/cancel", {}) as reply:
        return row_of(reply.json())


def _path(batch_id: str) -> str:
    return f"{_BATCHES}/{quote(batch_id, safe='')}"


@contextmanager
def _typed() -> Iterator[None]:
    """The id of a batch is what was typed, so one that is not there is an unknown name."""
    try:
        yield
    except ask.Refusal as refused:
        if refused.status != 404 or refused.param != "batch_id":
            raise
        raise Failure(refused.message, hint="`llama stack batch ls` lists them", code=ExitCode.USAGE) from refused


def ended(url: str, row: dict[str, Any], *, timeout_s: float | None) -> dict[str, Any]:
    """A batch once nothing more becomes of it. Raises Failure as `ask.get` does, and TIMEOUT."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    with working(f"answering {row['id']}", total=row["total"]) as step:
        while row["status"] not in _ENDED:
            step.done = row["completed"] + row["failed"]
            if until is not None and time.monotonic() >= until:
                hint = f"it goes on; ask again with `llama stack batch results {row['id']}`"
                raise Failure(f"the batch `{row['id']}` is still {row['status']}", hint=hint, code=ExitCode.TIMEOUT)
            time.sleep(_POLL_S)
            row = batch(url, row["id"])
    return row


def code_of(row: dict[str, Any]) -> ExitCode:
    """The exit code that tells how a batch has ended."""
    if row["status"] != "completed":
        return ExitCode.FAILED
    return ExitCode.DIFFERENT if row["failed"] else ExitCode.DONE


def lines_of(url: str, file_id: str) -> Iterator[str]:
    """The lines of a file. Raises Failure as `ask.request` does."""
    with ask.request(url, f"/v1/files/{quote(file_id, safe='')}/content", timeout_s=_SEND_S) as reply:
        for line in reply.lines():
            if line:
                yield line


def row_of(found: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a batch."""
    counts = found["request_counts"]
    return {
        "id": found["id"],
        "status": found["status"],
        "endpoint": found["endpoint"],
        "model": found.get("model"),
        "total": counts["total"],
        "completed": counts["completed"],
        "failed": counts["failed"],
        "created_at": datetime.fromtimestamp(found["created_at"], UTC).isoformat(),
        "output_file_id": found.get("output_file_id"),
        "error_file_id": found.get("error_file_id"),
    }
