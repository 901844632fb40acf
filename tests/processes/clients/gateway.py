"""A server of ours in front of a vendor, and which official clients ask it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runtime.conformance.upstream import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    RERANK_MODEL,
    Upstream,
    started_stream,
    upstream_server,
)
from tests.support.guard_model import GUARD_3, GuardModel
from tests.support.official_clients import OfficialClient, Running, official_clients
from tests.support.server_process import running_server
from tests.support.vendor_config import vendor_config

CHAT = f"vendor/{CHAT_MODEL}"
EMBEDDING = f"vendor/{EMBEDDING_MODEL}"
RERANK = f"reranker/{RERANK_MODEL}"
GUARD = f"guards/{GUARD_3}"


@dataclass(frozen=True)
class Gateway:
    """A server of ours in front of a vendor. config: of the same stack, for a client that has it as a library."""

    url: str
    config: Path
    vendor: Upstream

    def at(self, client: Running) -> str:
        """What a client is told instead of an address, where it has a stack of its own."""
        return f"library:{self.config}" if client.facts.is_library else self.url


@asynccontextmanager
async def serving_a_vendor(folder: Path) -> AsyncIterator[Gateway]:
    async with upstream_server() as vendor, upstream_server(make=GuardModel) as guard:
        vendor.models.append(RERANK_MODEL)
        config = vendor_config(vendor.url, guard=guard.url)
        file = folder / "library.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        async with running_server(config, folder, said="serving") as server:
            # Whoever asks for a model waits until its provider has listed those it has.
            for model in (CHAT, EMBEDDING, RERANK, GUARD):
                assert (await server.ask("GET", f"/v1/models/{model}"))[0] == 200
            yield Gateway(server.url, file, vendor)


async def break_off(request: web.Request) -> web.StreamResponse:
    """For `Upstream.misbehaves`: a stream whose connection ends after its first piece, `and then `."""
    answer = await started_stream(request)
    delta = {"index": 0, "delta": {"role": "assistant", "content": "and then "}, "finish_reason": None}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": CHAT_MODEL}
    await answer.write(b"data: " + json.dumps({**chunk, "choices": [delta]}).encode() + b"\n\n")
    assert request.transport is not None
    request.transport.close()
    return answer


def each_of(clients: Iterable[OfficialClient]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", list(clients), ids=lambda client: client.id, indirect=True, scope="module")


def having(scenario: str, *, is_library: bool | None = None) -> pytest.MarkDecorator:
    """Each client that has a call for it. is_library: False leaves out those with a stack of their own."""
    able = (client for client in official_clients() if client.can(scenario))
    return each_of(client for client in able if is_library in (None, client.is_library))


def check_person(person: Any, way: str) -> None:
    """A value of PERSON_SCHEMA in official/driver.py."""
    assert set(person) == {"name", "age", "traits"}, way
    assert 1 <= len(person["name"]) <= 12 and 0 <= person["age"] <= 120, (way, person)
    assert 1 <= len(person["traits"]) <= 2 and set(person["traits"]) <= {"kind", "busy", "tall"}, (way, person)
