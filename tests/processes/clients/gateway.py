"""A server of ours in front of a vendor, and which official clients ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Upstream, upstream_server
from tests.support.official_clients import OfficialClient, official_clients
from tests.support.server_process import running_server
from tests.support.stacks import openai_at

CHAT = f"vendor/{CHAT_MODEL}"
EMBEDDING = f"vendor/{EMBEDDING_MODEL}"
RERANK = f"reranker/{RERANK_MODEL}"


@dataclass(frozen=True)
class Gateway:
    """A server of ours in front of a vendor."""

    url: str
    vendor: Upstream


@asynccontextmanager
async def serving_a_vendor(folder: Path) -> AsyncIterator[Gateway]:
    async with upstream_server() as vendor:
        vendor.models.append(RERANK_MODEL)
        only = {"base_url": vendor.url, "allowed_models": [RERANK_MODEL]}
        reranker = {"provider_id": "reranker", "provider_type": "remote::vllm", "config": only}
        others = {"files": "localfs", "file_processors": "auto", "vector_io": "faiss"}
        here = {"allow_private_addresses": True}
        near = {"provider_id": "builtin", "provider_type": "inline::builtin", "config": here}
        config = {
            "version": 2,
            "distro_name": "clients",
            "providers": {
                "inference": [openai_at(vendor.url), reranker],
                "connectors": [near],
                **{api: [{"provider_id": name, "provider_type": f"inline::{name}"}] for api, name in others.items()},
            },
            "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
        }
        async with running_server(config, folder, said="serving") as server:
            # Whoever asks for a model waits until its provider has listed those it has.
            for model in (CHAT, EMBEDDING, RERANK):
                assert (await server.ask("GET", f"/v1/models/{model}"))[0] == 200
            yield Gateway(server.url, vendor)


def each_of(clients: Iterable[OfficialClient]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", list(clients), ids=lambda client: client.id, indirect=True, scope="module")


def having(scenario: str) -> pytest.MarkDecorator:
    """Each client that has a call for it."""
    return each_of(client for client in official_clients() if client.can(scenario))


def check_person(person: Any, way: str) -> None:
    """A value of PERSON_SCHEMA in official/driver.py."""
    assert set(person) == {"name", "age", "traits"}, way
    assert 1 <= len(person["name"]) <= 12 and 0 <= person["age"] <= 120, (way, person)
    assert 1 <= len(person["traits"]) <= 2 and set(person["traits"]) <= {"kind", "busy", "tall"}, (way, person)
