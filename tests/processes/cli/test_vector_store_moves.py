"""A vector store that moves to another stack by `llama stack storage export` and `import`, which bring no vectors."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import upstream_server
from tests.support.built_distribution import built_distribution
from tests.support.command_runner import Cli
from tests.support.vector_stores import (
    LIMIT_S,
    MANY_TOKENS,
    STORES,
    batch_of,
    done,
    found,
    run_config,
    running,
    uploaded,
)
from tests.support.word_models import Models

pytestmark = pytest.mark.e2e


def run(cli: Cli, *arguments: str) -> Any:
    result = cli("stack", "storage", *arguments, "--json")
    assert result.code == 0, result.out + result.err
    return result.json()


async def test_what_was_found_is_found_again_once_the_vectors_are_made_anew(cli: Cli, tmp_path: Path) -> None:
    archive = str(tmp_path / "here.tar")
    async with upstream_server(make=Models) as models:
        here, there = (built_distribution(cli.home, name) for name in ("here", "there"))
        for folder in (here, there):
            (folder / "run.yaml").write_text(json.dumps(run_config(models)))
        async with running(models, here) as server:
            store = (await done(server, "POST", STORES, json={"name": "Moves"}))["id"]
            files = [await uploaded(server, number) for number in range(3)]
            batches = f"{STORES}/{store}/file_batches"
            asked = {"file_ids": files, "attributes": {"team": "a"}, "chunking_strategy": MANY_TOKENS}
            made = await done(server, "POST", batches, json=asked)
            await batch_of(server, f"{batches}/{made['id']}", 3)
            before = {mode: await found(server, store, {"mode": mode}) for mode in ("vector", "keyword")}
            shown = await done(server, "GET", f"{STORES}/{store}")
        exported = run(cli, "export", "here", archive)
        imported = run(cli, "import", "there", archive)
        assert all(part["is_same"] for part in imported["parts"])
        assert {part["kind"] for part in imported["parts"]} >= {"vector_stores", "files"}
        assert len(exported["parts"]) == len(imported["parts"])
        async with running(models, there) as server:
            assert (await done(server, "GET", f"{STORES}/{store}"))["file_counts"] == shown["file_counts"]
            assert await found(server, store, {"mode": "keyword"}) == before["keyword"]
            status, error = await server.ask("POST", f"{STORES}/{store}/search", json={"query": "llamas"})
            assert status == 503 and "reindex" in error["error"]["message"] and store in error["error"]["message"]
            await done(server, "POST", f"{STORES}/{store}/reindex", json={})
            async with asyncio.timeout(LIMIT_S):
                while (await done(server, "GET", f"{STORES}/{store}"))["reindexing"]["status"] == "in_progress":
                    await asyncio.sleep(0.05)
            where = {"type": "eq", "key": "team", "value": "a"}
            after = await found(server, store, {"mode": "vector", "filters": where})
            assert sorted(after) == sorted(before["vector"])
