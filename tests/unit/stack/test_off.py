"""A provider of the run config that is off: wherever a caller names it, the answer says what turns it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from tests.support.stacks import openai_at, serving


def off(provider_id: str, provider_type: str) -> dict[str, Any]:
    return {"provider_id": f"${{env.NOBODY_KEY:+{provider_id}}}", "provider_type": provider_type}


EMBEDDING = {
    "model_id": "e",
    "provider_id": "vendor",
    "model_type": "embedding",
    "metadata": {"embedding_dimension": 8},
}
PROVIDERS = {
    "inference": [openai_at("http://127.0.0.1:9/v1"), off("hf-serverless", "remote::hf::serverless")],
    "vector_io": [{"provider_id": "chromadb", "provider_type": "inline::chromadb"}, off("pg", "remote::pgvector")],
    "tool_runtime": [
        {"provider_id": "file-search", "provider_type": "inline::file-search"},
        off("mcp-tools", "remote::model-context-protocol"),
    ],
    "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
    "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
}


@pytest.mark.parametrize(
    "path, body",
    [
        ("/v1/models", {"model_id": "mine", "provider_id": "hf-serverless"}),
        ("/v1/vector_stores", {"provider_id": "pg", "embedding_model": "e"}),
        ("/v1/toolgroups", {"toolgroup_id": "mcp::mine", "provider_id": "mcp-tools"}),
    ],
)
async def test_a_provider_that_is_off_says_what_turns_it_on(path: str, body: dict[str, Any], tmp_path: Path) -> None:
    async with serving(run_config(providers=PROVIDERS, models=[EMBEDDING]), tmp_path) as served:
        refused = await served.client.post(path, body)
        unknown = await served.client.get(f"/v1/providers/{body['provider_id']}")
    hint = f"hint: provider `{body['provider_id']}` is off: set NOBODY_KEY, and start the server again"
    assert (refused.status, refused.error["param"]) == (400, "provider_id")
    assert refused.error["message"].endswith(hint)
    assert unknown.status == 404 and unknown.error["message"].endswith(hint)


async def test_a_model_of_a_provider_that_is_off_is_known_by_the_provider_s_own_id(tmp_path: Path) -> None:
    async with serving(run_config(providers=PROVIDERS, models=[EMBEDDING]), tmp_path) as served:
        chat = {"model": "hf-serverless/any", "messages": [{"role": "user", "content": "Hi"}]}
        refused = await served.client.post("/v1/chat/completions", chat)
    assert "provider `hf-serverless` is off: set NOBODY_KEY" in refused.error["message"]
