"""A provider of files as the suite sees it, and what the suite does with any."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.config.run_config import RunConfig
from runtime.conformance.asgi import Answered
from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.form import field as form_field
from runtime.conformance.stacks import Served, run_config
from runtime.spec import Spec

LIMIT_BYTES = 3 * 1024**2
"""The most bytes that every subject takes of a file that comes whole."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """entry: of the run config, with the id `files`. kept: the ids of everything whose bytes are there, or have begun
    to be. known: those of every file and part that the provider of a stack knows, in whatever state. collect: lets it
    remove now what has expired. specs: of a provider that is not built in. backends: more of the run config's backends
    of storage.
    """

    entry: Mapping[str, Any]
    kept: Callable[[], Awaitable[list[str]]]
    known: Callable[[Served], Awaitable[list[str]]]
    collect: Callable[[Served], Awaitable[None]]
    specs: Sequence[Spec] = ()
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


async def assert_nothing_is_left(served: Served, subject: Subject) -> None:
    assert await subject.known(served) == []
    assert await subject.kept() == []
