"""A door has its own shape of errors, on unknown paths too; operations may stand behind a colon."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from tests.support.examples import bell
from tests.support.stacks import serving_example


@pytest_asyncio.fixture
async def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Client]:
    async with serving_example(monkeypatch, bell, tmp_path) as running:
        yield running.client


@pytest.mark.parametrize("name", ["big", "tower/big", "a:b", "tower/a:ring/b", "https://x/y"])
async def test_an_operation_behind_a_colon(client: Client, name: str) -> None:
    assert (await client.post(f"/v1/bells/{name}:ring")).json() == {"type": "sound", "bell": name, "how": "rung"}
    assert (await client.get(f"/v1/bells/{name}")).json()["how"] == "looked at"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/bells/cracked:ring", 409),
        ("POST", "/v1/bells/big:paint", 404),
        ("POST", "/v1/bells/big", 404),
        ("PUT", "/v1/bells/big", 405),
        ("GET", "/v1/bells", 404),
    ],
)
async def test_every_error_below_its_path_has_its_shape(client: Client, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path, headers={"x-request-id": "r1"})
    said = answer.json()
    assert (answer.status, said["type"], said["dong"]["status"], said["id"]) == (status, "dong", status, "r1")
    assert said["dong"]["words"]


async def test_what_the_middlewares_refuse_has_it_too(client: Client) -> None:
    for headers in ({"host": "a/b"}, {"x-llamastack-provider-data": "nonsense"}):
        answer = await client.post("/v1/bells/big:ring", headers=headers)
        assert (answer.status, answer.json()["type"]) == (400, "dong")


async def test_elsewhere_errors_are_openai_s(client: Client) -> None:
    for path in ("/v1/bellsandwhistles", "/v1/nothing", "/v1/models/none"):
        assert "message" in (await client.get(path)).json()["error"]


async def test_a_stream_that_fails_says_so_by_the_door_s_event(client: Client) -> None:
    answer = await client.post("/v1/bells/big:streamRing")
    first, last = answer.body.decode().strip().split("\n\n")
    assert first.startswith("event: sound\n")
    name, data = last.split("\n")
    assert name == "event: dong"
    assert json.loads(data.removeprefix("data: "))["dong"] == {"status": 503, "words": "the rope tore"}
