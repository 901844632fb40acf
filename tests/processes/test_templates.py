"""Every distribution that comes with us, as it is rendered: served without any credential or server that it may have,
and, where a vendor's protocol is enough of it, with one.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from runtime import discovery
from runtime.config.loading import parse_run_config
from runtime.config.rendering import render
from runtime.config.run_config import RunConfig
from runtime.config.template import template_names
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import serving
from runtime.conformance.upstream import CHAT_MODEL, upstream_server
from tests.conformance.inference.at_vendor import SPECS
from tests.conformance.inference.vendor import vendor_of
from tests.conformance.inference.vendors import watsonx
from tests.conformance.vector_io.subjects import chromadb_server
from tests.support import oci

LIMIT_S = 120.0
_A_MODEL = {"INFERENCE_MODEL": "SmolLM2-135M-Instruct"}
NEEDED = {"meta-reference-gpu": _A_MODEL, "meta-reference-quantized-gpu": _A_MODEL}
"""Variables without which there is no config."""
ELSEWHERE = {"postgres-demo": "it is nothing without its database: tests/processes/storage/test_postgres_demo.py"}
MESSAGES = [{"role": "user", "content": "Say something about the sea"}]
AT_A_SERVER = {
    "ollama": ("ollama", "OLLAMA_URL", None),
    "vllm": ("vllm", "VLLM_URL", None),
    "remote-vllm": ("vllm", "VLLM_URL", None),
    "tgi": ("tgi", "TGI_URL", None),
    "dell": ("tgi0", "DEH_URL", None),
    "passthrough": ("passthrough", "PASSTHROUGH_URL", None),
    "llama-api": ("llama-openai-compat", "LLAMA_API_BASE", "LLAMA_API_KEY"),
    "nvidia": ("nvidia", "NVIDIA_BASE_URL", "NVIDIA_API_KEY"),
    "together": ("together", "TOGETHER_BASE_URL", "TOGETHER_API_KEY"),
    "fireworks": ("fireworks", "FIREWORKS_BASE_URL", "FIREWORKS_API_KEY"),
    "groq": ("groq", "GROQ_BASE_URL", "GROQ_API_KEY"),
    "cerebras": ("cerebras", "CEREBRAS_BASE_URL", "CEREBRAS_API_KEY"),
    "sambanova": ("sambanova", "SAMBANOVA_BASE_URL", "SAMBANOVA_API_KEY"),
}
"""What a distribution is for: its provider, and the variables with an address and a key for it."""
AT_A_CLOUD = {
    "oci": (
        "OCI_BASE_URL",
        {
            "OCI_COMPARTMENT_OCID": oci.COMPARTMENT,
            "OCI_AUTH_TYPE": "config_file",
            "OCI_CONFIG_FILE_PATH": str(oci.config_file()),
        },
    ),
    "watsonx": ("WATSONX_BASE_URL", {"WATSONX_API_KEY": watsonx.TOKEN, "WATSONX_PROJECT_ID": watsonx.PROJECT}),
}
"""The same for those whose vendor has more than a key: the variable with its address, and the others."""


def types_of(name: str, api: str) -> set[str]:
    return {entry.provider_type for entry in rendered(name).providers.get(api, ())}


def rendered(name: str, **env: str) -> RunConfig:
    text = render(name, specs=discovery.built_in().specs)
    return parse_run_config(text, env={**NEEDED.get(name, {}), **env})


@pytest.mark.parametrize("name", template_names())
async def test_a_distribution_is_up_without_any_credential(name: str, tmp_path: Path) -> None:
    if name in ELSEWHERE:
        pytest.skip(ELSEWHERE[name])
    async with asyncio.timeout(LIMIT_S), serving(rendered(name), tmp_path) as served:
        assert (await served.client.get("/v1/health")).status == 200
        providers = (await served.client.get("/v1/providers")).json()["data"]
        for one in providers:
            if one["health"]["status"] != "OK":
                assert one["health"]["message"], f"{one['provider_id']} does not say what is wrong"
        assert (await served.client.get("/v1/models")).status == 200
        unknown = await served.client.post("/v1/chat/completions", {"model": "nobody/s", "messages": MESSAGES})
        assert unknown.status in (404, 503)


@pytest.mark.parametrize(
    "name", [name for name in template_names() if "inline::chromadb" in types_of(name, "vector_io")]
)
async def test_a_distribution_searches_and_moderates_by_itself(name: str, tmp_path: Path) -> None:
    if name in ELSEWHERE:
        pytest.skip(ELSEWHERE[name])
    async with asyncio.timeout(LIMIT_S), serving(rendered(name), tmp_path) as served:
        await searches(served.client)
        judged = (await served.client.post("/v1/moderations", {"input": "you are a stupid idiot"})).json()
        assert judged["results"][0]["flagged"]


async def test_dell_searches_in_a_chroma_server(tmp_path: Path) -> None:
    with chromadb_server.started(tmp_path) as chroma:
        url = chroma.config(tmp_path)["url"]
        async with asyncio.timeout(LIMIT_S), serving(rendered("dell", CHROMADB_URL=url), tmp_path) as served:
            await searches(served.client)


async def searches(client: Client) -> None:
    """Put a text into a vector store, and find it by its meaning."""
    store = (await client.post("/v1/vector_stores", {"name": "notes"})).json()
    text = {"content": "The ferry leaves at noon.", "chunk_id": "a", "metadata": {}}
    embedded = await client.post("/v1/vector-io/insert", {"vector_store_id": store["id"], "chunks": [text]})
    assert embedded.status in (200, 204), embedded.body
    found = await client.post(f"/v1/vector_stores/{store['id']}/search", {"query": "when does the boat go"})
    assert "ferry" in json.dumps(found.json())


@pytest.mark.parametrize("name", AT_A_SERVER)
async def test_a_distribution_asks_what_it_is_for(name: str, tmp_path: Path) -> None:
    provider_id, address, key = AT_A_SERVER[name]
    async with asyncio.timeout(LIMIT_S), upstream_server() as upstream:
        env = {address: upstream.url} | ({key: "sk-of-a-test"} if key else {})
        async with serving(rendered(name, **env), tmp_path) as served:
            chat: dict[str, Any] = {"model": f"{provider_id}/{CHAT_MODEL}", "messages": MESSAGES}
            answer = await served.client.post("/v1/chat/completions", chat)
            assert answer.status == 200, answer.body
            assert answer.json()["choices"][0]["message"]["content"]
            listed = [one["id"] for one in (await served.client.get("/v1/models")).json()["data"]]
        assert f"{provider_id}/{CHAT_MODEL}" in listed
        assert len(upstream.calls("/chat/completions")) == 1


@pytest.mark.parametrize("name", AT_A_CLOUD)
async def test_a_distribution_asks_its_cloud(name: str, tmp_path: Path) -> None:
    address, env = AT_A_CLOUD[name]
    async with asyncio.timeout(LIMIT_S), upstream_server(make=vendor_of(SPECS[name]).make) as upstream:
        async with serving(rendered(name, **env, **{address: upstream.url}), tmp_path) as served:
            chat: dict[str, Any] = {"model": f"{name}/{CHAT_MODEL}", "messages": MESSAGES}
            answer = await served.client.post("/v1/chat/completions", chat)
            assert answer.status == 200, answer.text
            listed = [one["id"] for one in (await served.client.get("/v1/models")).json()["data"]]
        assert f"{name}/{CHAT_MODEL}" in listed
