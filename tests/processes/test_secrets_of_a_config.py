"""Every secret that a run config can have, each a word of its own, in a server that runs: what it answers, logs and
records, and what `llama` shows of it, has none of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.server_process import ServerProcess, running_server, server_process
from tests.support.stack_home import Home

pytestmark = pytest.mark.e2e

NOWHERE = "127.0.0.1:9"
KEPT: set[str] = set()


def secret(name: str) -> str:
    """A word that occurs nowhere else."""
    word = f"canary{name}77"
    KEPT.add(word)
    return word


def provider(kind: str, provider_id: str, **config: Any) -> dict[str, Any]:
    return {"provider_id": provider_id, "provider_type": f"remote::{kind}", "config": config}


BACKENDS = {
    "kv_default": {"type": "kv_sqlite", "db_path": "kv.db"},
    "sql_default": {"type": "sql_sqlite", "db_path": "sql.db"},
    "kv_far": {"type": "kv_redis", "url": f"redis://{secret('redisuser')}:{secret('redis')}@{NOWHERE}/0"},
    "kv_farther": {"type": "kv_mongodb", "host": "127.0.0.1", "port": 9, "user": "me", "password": secret("mongodb")},
    "sql_far": {
        "type": "sql_postgres",
        "connection_string": f"postgresql://me:{secret('postgres')}@{NOWHERE}/x?sslpassword={secret('sslpassword')}",
    },
}
PROVIDERS = {
    "inference": [
        provider(
            "openai",
            "vendor",
            base_url=f"http://me:{secret('basic')}@{NOWHERE}/v1?api_key={secret('query')}",
            api_key=secret("vendorkey"),
            network={
                "headers": {"X-Team": secret("header")},
                "proxy": {"url": f"http://u:{secret('proxy')}@{NOWHERE}"},
            },
        ),
        provider("vllm", "local", base_url=f"http://{NOWHERE}/v1", api_key="${env.CANARY_KEY}"),
    ],
    "files": [
        provider(
            "s3",
            "bucket",
            bucket_name="b",
            endpoint_url=f"http://me:{secret('s3user')}@{NOWHERE}",
            aws_access_key_id=secret("s3id"),
            aws_secret_access_key=secret("s3key"),
            aws_session_token=secret("s3token"),
        )
    ],
    "vector_io": [
        provider("qdrant", "vectors", url=f"http://{NOWHERE}", api_key=secret("qdrant")),
        provider("pgvector", "rows", host="127.0.0.1", port=9, db="x", user="me", password=secret("pgvector")),
    ],
    "tool_runtime": [
        provider("brave-search", "search", api_key=secret("search")),
        provider("model-context-protocol", "mcp"),
    ],
    "connectors": [{"provider_id": "builtin", "provider_type": "inline::builtin", "config": {}}],
}
RESOURCES = {
    "models": [
        {"model_id": "m", "provider_id": "vendor", "metadata": {"api_key": secret("metadata")}},
    ],
    "tool_groups": [
        {
            "toolgroup_id": "mcp::t",
            "provider_id": "mcp",
            "mcp_endpoint": {"uri": f"http://{NOWHERE}/sse?api_key={secret('endpoint')}"},
            "args": {"headers": {"x-anything": secret("args")}},
        }
    ],
    "connectors": [{"connector_id": "conf", "url": f"http://{NOWHERE}/mcp?token={secret('connector')}"}],
}
RUN_CONFIG = {
    "version": 2,
    "distro_name": "canaries",
    "providers": PROVIDERS,
    "storage": {"backends": BACKENDS},
    "registered_resources": RESOURCES,
}


def found_in(text: str) -> list[str]:
    return sorted(word for word in KEPT if word in text)


async def answers_of(server: ServerProcess) -> dict[str, tuple[int, str]]:
    """What it answers, by method, path and model: status and everything that was sent."""
    answers: dict[str, tuple[int, str]] = {}
    async with aiohttp.ClientSession(server.url, timeout=aiohttp.ClientTimeout(total=60)) as session:

        async def ask(method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
            async with session.request(method, path, json=body) as answer:
                text = await answer.text()
            model = (body or {}).get("model", "")
            answers[f"{method} {path} {model}".strip()] = (answer.status, f"{answer.headers}{text}")
            return text

        ids = {"provider_id": "vendor", "model_id": "m", "toolgroup_id": "mcp::t", "connector_id": "conf"}
        for route in json.loads(await ask("GET", "/v1/inspect/routes"))["data"]:
            if route["method"] == "GET":
                names = [part.partition("}")[0] for part in route["route"].split("{")[1:]]
                path = route["route"]
                for name in names:
                    path = path.replace(f"{{{name}}}", ids.get(name.partition(":")[0], "x"))
                await ask("GET", path)
        for one in json.loads(await ask("GET", "/v1/providers"))["data"]:
            await ask("GET", f"/v1/providers/{one['provider_id']}")
        for model in ("m", "vendor/any", "local/any"):
            messages = [{"role": "user", "content": "x"}]
            await ask("POST", "/v1/chat/completions", {"model": model, "messages": messages})
            await ask("POST", "/v1/embeddings", {"model": model, "input": "x"})
            await ask("POST", "/v1/responses", {"model": model, "input": "x"})
        await ask("POST", "/v1/tool-runtime/invoke", {"tool_name": "web_search", "kwargs": {"query": "x"}})
        await ask("POST", "/v1/connectors", {"connector_id": "other", "url": f"http://{NOWHERE}/mcp"})
        await ask("POST", "/v1/vector_stores", {"name": "x"})
    return answers


async def test_no_secret_is_answered_logged_recorded_or_shown(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", secret("environment"))
    async with running_server(RUN_CONFIG, tmp_path) as server:
        answers = await answers_of(server)
        record = server.record_file.read_text()
        (home.folder / "servers").mkdir(parents=True, exist_ok=True)
        known = home.folder / "servers" / "canaries.json"
        known.write_text(record)
        file = str(tmp_path / "run.yaml")
        shown = {}
        for command in (
            ["stack", "ps", "--json"],
            ["stack", "status", "canaries"],
            ["stack", "show", file],
            ["stack", "show", file, "--json"],
            ["stack", "env", file],
            ["stack", "validate", file],
            ["stack", "storage", "show", file, "--json"],
        ):
            result = await asyncio.to_thread(home, *command, CANARY_KEY=secret("environment"))
            shown[" ".join(command)] = result.out + result.err
        known.unlink()
    said = "\n".join(map(str, server.said))
    told = {name: text for name, (_, text) in answers.items()} | shown | {"log": said, "record": record}
    assert {name: words for name, text in told.items() if (words := found_in(text))} == {}
    assert all(told.values())
    statuses = [status for status, _ in answers.values()]
    assert {200, 503} < {*statuses} and 500 not in statuses, answers


@pytest.mark.parametrize(
    ("store", "backend"), [("metadata", "kv_far"), ("metadata", "kv_farther"), ("files", "sql_far")]
)
async def test_a_start_that_fails_for_its_storage_names_no_secret(store: str, backend: str, tmp_path: Path) -> None:
    storage = {"backends": BACKENDS, "stores": {store: {"backend": backend}}}
    providers: dict[str, Any] = {
        "inference": [],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
    }
    run_config = {"version": 2, "distro_name": "canaries", "providers": providers, "storage": storage}
    async with server_process(run_config, tmp_path) as server:
        assert await server.ended() != 0
        said = "\n".join(map(str, server.said)) + server.record_file.read_text()
    assert "127.0.0.1:9 could not be" in said
    assert found_in(said) == []
