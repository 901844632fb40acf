"""What has happened, as official clients ask for it: those of llama-stack that have calls for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.upstream import CHAT_MODEL, Upstream, upstream_server
from tests.processes.clients.gateway import each_of
from tests.support.official_clients import Running, official_clients
from tests.support.server_process import running_server
from tests.support.stacks import openai_at

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

MODEL = f"vendor/{CHAT_MODEL}"
with_telemetry = each_of(client for client in official_clients() if client.id in (
    "llama-stack-client-0.2", "llama-stack-client-0.3"))  # fmt: skip


def config(vendor: Upstream) -> dict[str, object]:
    return {
        "version": 2,
        "distro_name": "traced",
        "providers": {
            "inference": [openai_at(vendor.url)],
            "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
            "telemetry": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
        },
        "registered_resources": {
            "datasets": [
                {
                    "dataset_id": "chats",
                    "purpose": "eval/messages-answer",
                    "source": {"type": "rows", "rows": [{"a": 1}]},
                }
            ]
        },
    }


@with_telemetry
async def test_a_chat_is_found_again(client: Running, tmp_path: Path) -> None:
    async with upstream_server() as vendor, running_server(config(vendor), tmp_path, said="serving") as server:
        told = await client("traced", url=server.url, model=MODEL, dataset="chats")
        _, rows = await server.ask("GET", "/v1beta/datasetio/iterrows/chats")
    assert told["same"] and told["is_over"]
    assert told["span"] == [f"chat {CHAT_MODEL}", True, {"gen_ai.request.model": CHAT_MODEL}]
    assert told["alone"] == f"chat {CHAT_MODEL}"
    path = "/v1/openai/v1/chat/completions" if "0.2" in client.facts.id else "/v1/chat/completions"
    assert told["tree"] == [[f"POST {path}", "ok"], [f"chat {CHAT_MODEL}", "ok"]]
    assert (told["unknown"]["type"], told["unknown"]["status"]) == (client.facts.not_found, 404)
    assert told.get("told", "a step") == "a step"
    assert [one.get("gen_ai.request.model") for one in rows["data"]] == [None, CHAT_MODEL]
