"""What the run config and users keep in resources, as secrets or inside addresses: answers do not tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config
from runtime.redaction import MASK
from tests.support.stacks import openai_at, serving

SECRET = "canary77"
GROUP: dict[str, Any] = {
    "toolgroup_id": "mcp::t",
    "provider_id": "mcp",
    "mcp_endpoint": {"uri": "http://127.0.0.1:9/sse?api_key=${env.MCP_KEY}"},
    "args": {"headers": {"x-anything": "${env.MCP_KEY}"}, "depth": 3},
}
PUBLIC = "https://weather.example/mcp"
CONNECTOR = {"connector_id": "conf", "url": "http://127.0.0.1:9/mcp?token=${env.MCP_KEY}"}
MODEL = {
    "model_id": "m",
    "provider_id": "vendor",
    "metadata": {"api_key": "${env.MCP_KEY}", "note": "postgres://u:${env.MCP_KEY}@h/db", "context_length": 5},
}


def with_secret(given: dict[str, Any]) -> dict[str, Any]:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(inner) for name, inner in value.items()}
        return value.replace("${env.MCP_KEY}", SECRET) if isinstance(value, str) else value

    return {name: filled(value) for name, value in given.items()}


async def test_no_answer_about_a_resource_tells_its_secrets(tmp_path: Path) -> None:
    run = run_config(
        providers={
            "inference": [openai_at("http://127.0.0.1:9/v1")],
            "tool_runtime": [{"provider_id": "mcp", "provider_type": "remote::model-context-protocol"}],
            "connectors": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
        },
        registered_resources={"models": [MODEL], "tool_groups": [GROUP], "connectors": [CONNECTOR]},
        env={"MCP_KEY": SECRET},
    )
    async with serving(run, tmp_path) as served:
        group = with_secret(GROUP) | {"toolgroup_id": "mcp::u", "mcp_endpoint": {"uri": f"{PUBLIC}?api_key={SECRET}"}}
        answers = [
            await served.client.post("/v1/toolgroups", group),
            await served.client.post("/v1/connectors", {"connector_id": "other", "url": f"{PUBLIC}?token={SECRET}"}),
            await served.client.post("/v1/models", with_secret(MODEL) | {"model_id": "n"}),
        ]
        for path in ("toolgroups", "connectors", "models", "toolgroups/mcp::t", "connectors/conf", "models/m"):
            answers.append(await served.client.get(f"/v1/{path}"))
        for answer in answers:
            said = str(answer.headers) + answer.body.decode()
            assert answer.status == 200 and (MASK in said or "<redacted>" in said) and SECRET not in said, said
        shown = answers[-1].json()
        assert shown["metadata"]["context_length"] == shown["custom_metadata"]["context_length"] == 5
        [group] = [one for one in answers[3].json()["data"] if one["identifier"] == "mcp::t"]
        assert group["mcp_endpoint"]["uri"] == "http://127.0.0.1:9/<redacted>"
        assert group["args"] == {"headers": {"x-anything": MASK}, "depth": 3}
        await tells_no_secret(served.client, "/v1/connectors/conf/tools")
        await tells_no_secret(served.client, "/v1/tools?toolgroup_id=mcp::t")


async def tells_no_secret(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert answer.status >= 400 and SECRET not in str(answer.headers) + answer.body.decode()
