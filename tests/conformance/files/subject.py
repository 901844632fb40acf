"""A provider of files as the suite sees it, and what the suite does with any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from runtime.config.run_config import RunConfig
from runtime.conformance.asgi import Answered
from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.form import field as form_field
from runtime.conformance.stacks import Served, adapter_of, run_config
from runtime.providers.files._shared.tables import BEGUN, FILES, PARTS
from runtime.storage.sql import Select

LIMIT_BYTES = 3 * 1024**2
"""The `max_file_bytes` of every subject."""


@dataclass(frozen=True)
class Subject:
    """entry: of the run config. kept: the ids of everything whose bytes are there, or have begun to be. backends: more
    of the run config's backends of storage.
    """

    entry: Mapping[str, Any]
    kept: Callable[[], Awaitable[list[str]]]
    backends: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run_config(self) -> RunConfig:
        storage = {"backends": {"kv_default": {"type": "kv_memory"}, **self.backends}}
        return run_config(providers={"inference": [], "files": [self.entry]}, storage=storage)


async def upload(
    served: Served, content: bytes = b"hello", *, filename: str = "a.txt", purpose: str = "assistants", **more: str
) -> Answered:
    """Send a file; `more` are fields with `__` for brackets."""
    fields = [
        form_field(f"{name.replace('__', '[')}]" if "__" in name else name, value) for name, value in more.items()
    ]
    body = form(form_field("purpose", purpose), *fields, file(content, filename=filename))
    return await served.client.post("/v1/files", body=body, headers=HEADERS)


async def uploaded(served: Served, content: bytes = b"hello", **facts: str) -> dict[str, Any]:
    """The same, which must be kept."""
    answer = await upload(served, content, **facts)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def listed(served: Served, query: str = "") -> list[str]:
    answer = await served.client.get(f"/v1/files{query}")
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json()["data"]]


async def rows_of(served: Served) -> list[str]:
    """The ids of every file and part that the tables know, in whatever state."""
    store = adapter_of(served.stack, "files")._store
    return [row["id"] for table in (FILES, PARTS) for row in await store.select(Select(table, columns=("id",)))]


async def begun_in(served: Served) -> list[str]:
    """The ids under which bytes may have begun to be kept."""
    store = adapter_of(served.stack, "files")._store
    return [row["id"] for row in await store.select(Select(BEGUN, columns=("id",), order=("id",)))]


async def assert_nothing_is_left(served: Served, subject: Subject) -> None:
    assert await rows_of(served) == []
    assert await subject.kept() == []
