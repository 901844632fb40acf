"""Tools in run configs as users of older systems have them: each group belongs to the provider that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.config.loading import parse_run_config
from runtime.conformance.stacks import serving

PROVIDERS: dict[str, Any] = {
    "vector_io": [{"provider_id": "faiss", "provider_type": "inline::faiss"}],
    "inference": [
        {"provider_id": "ollama", "provider_type": "remote::ollama", "config": {"url": "http://127.0.0.1:1"}}
    ],
    "tool_runtime": [
        {
            "provider_id": "brave-search",
            "provider_type": "remote::brave-search",
            "config": {"api_key": "${env.BRAVE_SEARCH_API_KEY:=}", "max_results": 3},
        },
        {
            "provider_id": "tavily-search",
            "provider_type": "remote::tavily-search",
            "config": {"api_key": "${env.TAVILY_SEARCH_API_KEY:=}", "max_results": 3},
        },
        {"provider_id": "rag-runtime", "provider_type": "inline::rag-runtime", "config": {}},
    ],
}
SEARCH = {"toolgroup_id": "builtin::websearch", "provider_id": "tavily-search"}
RAG = {"toolgroup_id": "builtin::rag", "provider_id": "rag-runtime"}
ERAS: dict[str, dict[str, Any]] = {
    "0.2": {"image_name": "mine", "tool_groups": [SEARCH, RAG]},
    "0.3": {"image_name": "mine", "registered_resources": {"tool_groups": [SEARCH, RAG]}},
    "0.7, which lists none": {"distro_name": "mine"},
    "1.5": {"distro_name": "mine", "registered_resources": {"tool_groups": []}},
}


@pytest.mark.parametrize(
    ("era", "key", "search"),
    [
        ("0.2", "", "tavily-search"),
        ("0.3", "BRAVE_SEARCH_API_KEY", "tavily-search"),
        ("0.7, which lists none", "", "brave-search"),
        ("0.7, which lists none", "TAVILY_SEARCH_API_KEY", "tavily-search"),
        ("1.5", "BRAVE_SEARCH_API_KEY", "brave-search"),
    ],
)
async def test_groups_of_tools_are_there(era: str, key: str, search: str, tmp_path: Path) -> None:
    """Where none is listed, a search belongs to the first provider that has its key."""
    memory = {"backends": {"kv_default": {"type": "kv_memory"}}}
    document = {"version": 2, "providers": PROVIDERS, "storage": memory, **ERAS[era]}
    async with serving(parse_run_config(json.dumps(document), env={key: "k"}), tmp_path) as served:
        groups = (await served.client.get("/v1/toolgroups")).json()["data"]
        assert {group["identifier"]: group["provider_id"] for group in groups} == {
            "builtin::websearch": search,
            "builtin::rag": "rag-runtime",
            "builtin::file_search": "rag-runtime",
        }
        tools = [tool["name"] for tool in (await served.client.get("/v1/tools")).json()["data"]]
        assert sorted(tools) == ["knowledge_search", "web_search"], "each once, whatever names its group has"


async def test_a_setting_that_is_elsewhere_now_is_said_to_have_no_effect() -> None:
    entry = {**PROVIDERS["tool_runtime"][2], "config": {"vector_stores_config": {"default_provider_id": "faiss"}}}
    document = {"version": 2, "distro_name": "mine", "providers": {**PROVIDERS, "tool_runtime": [entry]}}
    [warning] = parse_run_config(json.dumps(document), env={}).warnings
    assert "`vector_stores`" in str(warning)
