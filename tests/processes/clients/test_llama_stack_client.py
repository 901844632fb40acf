"""What only llama-stack's own Python clients ask of a stack, in each version that we keep to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.support.official_clients import OfficialClient, Running, official_clients, running
from tests.support.shared import Shared
from tests.support.stack_home import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry, pytest.mark.asyncio(loop_scope="module")]

CLIENTS = [client for client in official_clients() if client.package == "llama-stack-client" and not client.is_library]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=CLIENTS, ids=lambda client: client.id)
async def client(request: pytest.FixtureRequest, shared: Shared, note: Callable[[str], None]) -> AsyncIterator[Running]:
    wanted: OfficialClient = request.param
    async with running(wanted, shared) as ready:
        note(ready.who)
        yield ready


async def test_the_stack_describes_itself(client: Running, stack: Stack, text_model: str, embedding_model: str) -> None:
    told = await client("described", url=stack.url, model=text_model)
    models = {model.get("identifier") or model["id"]: model for model in told["models"]}
    assert {text_model, embedding_model} <= models.keys()
    provider_id = models[text_model].get("provider_id") or models[text_model]["custom_metadata"]["provider_id"]
    assert provider_id == text_model.partition("/")[0]
    assert (told["model"].get("identifier") or told["model"]["id"]) == text_model
    assert told["health"]["status"] == "OK" and told["version"]["version"]
    assert told["provider"]["provider_id"] == told["providers"][0]["provider_id"]
    assert all(set(provider["health"]) >= {"status", "message"} for provider in told["providers"])
    assert {"/v1/chat/completions", "/v1/models"} <= {route["route"] for route in told["routes"]}


async def test_a_registered_name_serves_until_it_is_removed(
    client: Running, stack: Stack, text_model: str, embedding_model: str
) -> None:
    told = await client("registered", url=stack.url, model=text_model, other=embedding_model)
    assert told["registered"]["identifier"] == "own-name" and told["chat"]
    assert told["conflict"]["type"] == "ConflictError" and "`own-name`" in told["conflict"]["said"]
    assert told["not_found"]["type"] == "NotFoundError" and "model_not_found" in told["not_found"]["said"]


async def test_what_was_answered_can_be_read_later_with_what_was_asked(
    client: Running, stack: Stack, text_model: str
) -> None:
    told = await client("kept", url=stack.url, model=text_model, text="Name a colour")
    assert told["read"]["id"] == told["id"] and told["read"]["choices"]
    assert [message["content"] for message in told["read"]["input_messages"]] == ["Name a colour"]
    assert told["listed"] and all(each["input_messages"] for each in told["listed"])
