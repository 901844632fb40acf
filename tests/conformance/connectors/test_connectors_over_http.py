"""Connectors at the stack's door: those of the run config, those that users register, and what their servers are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.stacks import Served, run_config, serving
from tests.support.mcp_server import RunningMcp

DOORS = ["/v1/connectors", "/v1beta/connectors", "/v1alpha/connectors", "/v1alpha/admin/connectors"]


def config(server: RunningMcp, **more: Any) -> Any:
    connectors = [
        {"connector_id": "llamas", "url": server.url, "server_description": "All of llamas."},
        {"connector_id": "few", "url": server.url, "server_label": "a few", "allowed_tools": ["add"]},
        {"connector_id": "gone", "url": "http://127.0.0.1:1/mcp"},
    ]
    return run_config(connectors=connectors, apis=["connectors"], **more)


@pytest_asyncio.fixture
async def served(newest: RunningMcp, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(config(newest), tmp_path) as running:
        yield running


@pytest.mark.parametrize("door", DOORS)
async def test_each_door_shows_them(served: Served, door: str) -> None:
    listed = (await served.client.get(door)).json()["data"]
    assert [one["connector_id"] for one in listed] == ["few", "gone", "llamas"]
    shown = (await served.client.get(f"{door}/llamas")).json()
    assert (shown["server_name"], shown["server_version"]) == ("llamas", "1.2.3")
    assert shown["server_description"] == "All of llamas." and shown["identity"] == "none"
    tools = (await served.client.get(f"{door}/few/tools")).json()["data"]
    assert [tool["name"] for tool in tools] == ["add"]
    tool = (await served.client.get(f"{door}/few/tools/add")).json()
    assert tool["description"] == "Adds two numbers." and tool["input_schema"]["type"] == "object"


async def test_what_is_not_there_is_404_with_close_names(served: Served) -> None:
    for path, close in (("llama", "`llamas`"), ("llamas/tools/ad", "`add`"), ("few/tools/picture", "picture")):
        answer = await served.client.get(f"/v1/connectors/{path}")
        assert answer.status == 404 and close in answer.json()["error"]["message"]


async def test_a_server_that_is_down_is_shown_with_a_warning_and_cannot_be_listed(served: Served) -> None:
    shown = await served.client.get("/v1/connectors/gone")
    assert (shown.status, shown.json()["server_name"]) == (200, None)
    assert "`gone` cannot be reached" in shown.headers["x-llama-warnings"]
    listed = await served.client.get("/v1/connectors/gone/tools")
    assert listed.status == 503 and "`gone` cannot be reached" in listed.json()["error"]["message"]


@pytest.mark.parametrize("url", ["https://u:pass-77@example.com/mcp", "https://u@example.com/mcp"])
async def test_an_address_with_a_user_is_refused_at_once_since_it_would_never_be_asked(
    served: Served, url: str
) -> None:
    answer = await served.client.post("/v1/connectors", {"connector_id": "mine", "url": url})
    assert (answer.status, answer.error["param"]) == (400, "url")
    assert "without user and password" in answer.error["message"] and "pass-77" not in answer.error["message"]
    assert (await served.client.get("/v1/connectors/mine")).status == 404


async def test_what_a_user_registers_must_be_public_and_has_no_secrets(served: Served, newest: RunningMcp) -> None:
    for private in (newest.url, "http://localhost/mcp", "http://10.0.0.1/mcp", "http://[::1]/k-77"):
        refused = await served.client.post("/v1/connectors", {"connector_id": "mine", "url": private})
        assert (refused.status, refused.error["code"]) == (400, "address_not_allowed")
        assert refused.error["param"] == "url" and "`allow_private_addresses`" in refused.error["message"]
        assert "mcp`" not in refused.error["message"] and "k-77" not in refused.error["message"]
    assert (await served.client.get("/v1/connectors/mine")).status == 404
    made = await served.client.post("/v1/connectors", {"connector_id": "mine", "url": "https://weather.example/mcp"})
    assert made.status == 200 and made.json()["url"] == "https://weather.example/mcp"
    for more in ({"command": ["sh"]}, {"identity": "stack"}, {"environment": {"A": "b"}}, {"headers": {"a": "b"}}):
        refused = await served.client.post("/v1/connectors", {"connector_id": "x", "url": newest.url} | more)
        assert refused.status in (400, 422), more
    assert (await served.client.request("DELETE", "/v1/connectors/mine")).status == 204
    assert (await served.client.request("DELETE", "/v1/connectors/llamas")).status == 409


async def test_what_is_shown_of_an_address_is_not_taken_for_one(served: Served) -> None:
    """It would be kept, and never be a server."""
    given = {"connector_id": "mine", "url": "https://weather.example/<redacted>"}
    refused = await served.client.post("/v1/connectors", given)
    assert (refused.status, refused.error["code"], refused.error["param"]) == (400, "invalid_address", "url")
    assert "give the whole one" in refused.error["message"]
    assert (await served.client.get("/v1/connectors/mine")).status == 404


async def test_what_was_registered_is_there_after_a_restart_and_is_still_a_users(
    newest: RunningMcp, tmp_path: Path
) -> None:
    builtin = {"provider_id": "builtin", "provider_type": "inline::builtin"}
    roomy, run = (
        config(newest, persistent=True, providers={"connectors": [builtin | {"config": more}]})
        for more in ({"allow_private_addresses": True}, {})
    )
    async with serving(roomy, tmp_path) as before:
        await before.client.post("/v1/connectors", {"connector_id": "mine", "url": newest.url})
    async with serving(run, tmp_path) as after:
        assert "mine" in [one["connector_id"] for one in (await after.client.get("/v1/connectors")).json()["data"]]
        answer = await after.client.get("/v1/connectors/mine/tools")
    assert answer.status == 400 and answer.json()["error"]["code"] == "address_not_allowed"


async def test_the_callers_token_is_passed_through(newest: RunningMcp, tmp_path: Path) -> None:
    newest.wants = "Bearer of-the-caller"
    run = run_config(
        connectors=[{"connector_id": "llamas", "url": newest.url, "identity": "caller"}], apis=["connectors"]
    )
    async with serving(run, tmp_path) as served:
        path = "/v1/connectors/llamas/tools"
        answer = await served.client.get(path, headers={"authorization": "Bearer of-the-caller"})
        assert answer.status == 200
        assert (await served.client.get(path)).status == 401
        refused = await served.client.get(path, headers={"authorization": "Bearer of-another"})
        assert refused.status == 401
        assert "identity `caller`" in refused.json()["error"]["message"] and b"of-another" not in refused.body
