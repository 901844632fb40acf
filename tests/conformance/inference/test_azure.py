"""The forms of address and of key that Azure OpenAI has.

https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Habits, Upstream, upstream_server
from tests.conformance.inference.at_vendor import SPECS, chat
from tests.conformance.inference.vendor import vendor_of
from tests.support.azure import CLIENT, SECRET, TENANT, azure_server

DATE = "2024-10-21"
V1 = "/openai/v1"
OF_DEPLOYMENT = f"/openai/deployments/{CHAT_MODEL}"


def azure_at(upstream: Upstream, **config: Any) -> dict[str, Any]:
    settings = {"api_key": upstream.key, "allowed_models": [CHAT_MODEL], **config}
    return {"provider_id": "vendor", "provider_type": "remote::azure", "config": settings}


@pytest.mark.parametrize(
    ("path", "version", "root", "query"),
    [
        ("", None, V1, ""),
        ("", "", V1, ""),
        ("/", None, V1, ""),
        ("/openai", None, V1, ""),
        ("/openai/v1/", None, V1, ""),
        ("/openai/v1", DATE, V1, ""),
        ("/openai/v1", "preview", V1, "api-version=preview"),
        ("", "preview", V1, "api-version=preview"),
        ("", DATE, OF_DEPLOYMENT, f"api-version={DATE}"),
        ("/openai", DATE, OF_DEPLOYMENT, f"api-version={DATE}"),
        (OF_DEPLOYMENT, DATE, OF_DEPLOYMENT, f"api-version={DATE}"),
    ],
)
@pytest.mark.parametrize("setting", ["base_url", "api_base"])
async def test_requests_go_where_address_and_version_say(
    tmp_path: Path, setting: str, path: str, version: str | None, root: str, query: str
) -> None:
    async with upstream_server(make=lambda: Upstream(Habits(root=root, key_header="api-key", key_prefix=""))) as azure:
        azure.key = "k"
        address = azure.url.removesuffix(root) + path
        config = azure_at(azure, api_version=version, **{setting: address})
        async with serving(run_config(config), tmp_path) as served:
            answer = await served.client.post("/v1/chat/completions", chat())
        assert answer.status == 200, answer.body
        assert (azure.seen[-1].path, azure.seen[-1].query) == (f"{root}/chat/completions", query)


async def test_the_path_of_a_deployment_needs_a_version(tmp_path: Path) -> None:
    async with upstream_server() as azure:
        config = azure_at(azure, api_key="k", base_url=azure.url.removesuffix("/v1") + OF_DEPLOYMENT)
        async with serving(run_config(config), tmp_path) as served:
            assert "needs an API version (set `api_version`" in served.stack.degraded()["vendor"]


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [(None, "api-key", "k"), ("azure", "api-key", "k"), ("azure_ad", "authorization", "Bearer k")],
)
async def test_a_key_and_a_token_go_in_their_headers(tmp_path: Path, kind: str | None, header: str, value: str) -> None:
    async with upstream_server(make=vendor_of(SPECS["azure"]).make) as azure:
        config = azure_at(azure, api_key="k", base_url=azure.url, api_type=kind)
        async with serving(run_config(config), tmp_path) as served:
            assert (await served.client.post("/v1/chat/completions", chat())).status == 200
        sent = azure.seen[-1].headers
        assert sent[header] == value
        assert not {"api-key", "authorization"} - {header} & {name.lower() for name in sent}


async def test_what_could_be_deployed_is_not_listed(tmp_path: Path) -> None:
    async with upstream_server(make=vendor_of(SPECS["azure"]).make) as azure:
        azure.key = "k"
        async with serving(run_config(azure_at(azure, base_url=azure.url)), tmp_path) as served:
            listed = (await served.client.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == [f"vendor/{CHAT_MODEL}"]
        assert azure.calls("/models") == []


async def test_a_token_of_entra_is_got_once_and_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with azure_server() as entra, upstream_server(make=vendor_of(SPECS["azure"]).make) as azure:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.url)
        who = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET}
        config = azure_at(azure, api_key=None, base_url=azure.url, api_type="azure_ad", **who)
        async with serving(run_config(config), tmp_path) as served:
            for _ in range(2):
                answer = await served.client.post("/v1/chat/completions", chat())
                assert answer.status == 200, answer.body
            provider = (await served.client.get("/v1/providers/vendor")).json()
            own = {"vendor_api_key": "of-a-caller"}
            await served.client.post(
                "/v1/chat/completions", chat(), headers={"x-llamastack-provider-data": json.dumps(own)}
            )
        assert [seen.headers["authorization"] for seen in azure.calls("/chat/completions")] == [
            "Bearer token-1", "Bearer token-1", "Bearer of-a-caller",
        ]  # fmt: skip
        assert provider["health"]["status"] == "OK"
        assert SECRET not in json.dumps(provider)
        assert entra.issued == ["token-1"]


async def test_who_has_no_identity_is_told_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with azure_server() as entra, upstream_server(make=vendor_of(SPECS["azure"]).make) as azure:
        entra.has_machine = False
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", entra.url)
        monkeypatch.setenv("PATH", "")
        config = azure_at(azure, api_key=None, base_url=azure.url, api_type="azure_ad")
        async with serving(run_config(config), tmp_path) as served:
            refused = await served.client.post("/v1/chat/completions", chat())
            provider = (await served.client.get("/v1/providers/vendor")).json()
    assert refused.status == 503 and "has no identity of Azure" in refused.error["message"]
    assert "az login" in provider["health"]["message"]
