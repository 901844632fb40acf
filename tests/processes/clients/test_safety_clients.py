"""Shields and moderations as official clients ask for them: of a server, and of a second one behind it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.upstream import upstream_server
from runtime.providers.safety._user_message import USER_MESSAGE
from tests.processes.clients.gateway import each_of
from tests.support.guard_model import GUARD_1B, GUARD_3, GUARD_4, HARMFUL, HARMFUL_IMAGE, HARMLESS, GuardModel
from tests.support.official_clients import Running, official_clients
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

TEXTS = [HARMFUL, HARMLESS, "hate"]
with_shields = each_of(
    client for client in official_clients() if client.package == "llama-stack-client" and not client.is_library
)
with_moderations = each_of(
    client
    for client in official_clients()
    if client.id in ("openai", "openai-1", "llama-stack-client-0.3", "llama-stack-client-0.7")
)


def config(shields: list[dict[str, str]], **providers: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "distro_name": "shields",
        "providers": providers,
        "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
        "registered_resources": {"shields": shields},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarding(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with Llama Guards, which a vendor serves."""
    guard = {"provider_id": "guard", "provider_type": "inline::llama-guard"}
    shields = [{"shield_id": "guard-4", "provider_shield_id": f"vendor/{GUARD_4}"}]
    async with upstream_server(make=GuardModel) as vendor:
        run = config(shields, inference=[openai_at(vendor.url)], safety=[guard])
        async with running_server(run, tmp_path_factory.mktemp("guarding"), said="serving") as found:
            yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def before(guarding: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server that asks the other one."""
    there = {"provider_id": "there", "provider_type": "remote::passthrough"}
    shields = [{"shield_id": "far", "provider_shield_id": "guard-4"}]
    run = config(shields, safety=[{**there, "config": {"base_url": f"{guarding.url}/v1"}}])
    async with running_server(run, tmp_path_factory.mktemp("before"), said="serving") as found:
        yield found


@with_shields
async def test_a_shield_is_registered_run_and_removed(client: Running, guarding: ServerProcess) -> None:
    model, other = f"vendor/{GUARD_3}", f"vendor/{GUARD_1B}"
    told = await client("shields", url=guarding.url, model=model, other=other, texts=TEXTS)
    assert told["made"] == {
        "identifier": "mine",
        "provider_id": "guard",
        "provider_resource_id": model,
        "type": "shield",
        "params": {"excluded_categories": ["S10"]},
    }
    assert told["listed"] == ["guard-4", "mine"] and told["read"]
    assert told["found"] == told["answered"] == [["error", USER_MESSAGE, "S1"], None, None]
    assert (told["conflict"]["type"], told["conflict"]["status"]) == ("ConflictError", 409)
    for error in (told["unknown"], told["not_found"]):
        assert (error["type"], error["status"]) == (client.facts.not_found, 404)
    assert "did you mean `mine`" in told["unknown"]["said"]


@pytest.mark.parametrize("is_far", [False, True], ids=["asked", "asked-through-another"])
@with_moderations
async def test_moderations_are_asked_for(
    client: Running, guarding: ServerProcess, before: ServerProcess, is_far: bool
) -> None:
    server, shield = (before, "far") if is_far else (guarding, "guard-4")
    told = await client("moderations", url=server.url, shield=shield, texts=TEXTS, image=HARMFUL_IMAGE)
    hate = ["hate", "Hate"]
    assert told["texts"] == [["illicit", "illicit/violent", "violence", "Violent Crimes"], None, hate]
    assert told["model"] == [shield, True] and told["types"] == ["text"]
    assert told["score"] == pytest.approx(math.exp(-0.1))
    assert told.get("image", [["sexual", "Sexual Content"]]) == [["sexual", "Sexual Content"]]
    assert (told["not_found"]["type"], told["not_found"]["status"]) == (client.facts.not_found, 404)
    assert f"did you mean `{shield}`" in told["not_found"]["said"]
