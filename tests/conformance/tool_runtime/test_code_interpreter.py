"""`inline::code-interpreter`, by the name of the older group `builtin::code_interpreter`."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from tests.support.apart import why_not

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    if reason := why_not():
        pytest.skip(reason)
    entries = {
        "containers": {"provider_id": "bubblewrap", "provider_type": "inline::bubblewrap"},
        "tool_runtime": {"provider_id": "code-interpreter", "provider_type": "inline::code-interpreter"},
    }
    config = run_config(
        providers={api: [entry] for api, entry in entries.items()},
        apis=["containers", "tool_runtime", "tool_groups"],
        registered_resources={
            "tool_groups": [{"toolgroup_id": "builtin::code_interpreter", "provider_id": "code-interpreter"}]
        },
    )
    async with serving(config, tmp_path_factory.mktemp("state")) as served:
        yield served.client


async def invoked(client: Client, **kwargs: Any) -> Any:
    answered = await client.post("/v1/tool-runtime/invoke", {"tool_name": "code_interpreter", "kwargs": kwargs})
    assert answered.status == 200, answered.body
    return answered.json()


async def containers(client: Client) -> list[Any]:
    found: list[Any] = (await client.get("/v1/containers")).json()["data"]
    return found


async def test_it_is_listed_with_what_a_model_gives(client: Client) -> None:
    [tool] = (await client.get("/v1/tools?toolgroup_id=builtin::code_interpreter")).json()["data"]
    assert tool["name"] == "code_interpreter" and [*tool["input_schema"]["properties"]] == ["code"]


async def test_a_call_alone_leaves_nothing(client: Client) -> None:
    result = await invoked(client, code="x = 6\nprint('hi')\nx * 7")
    assert result["content"][0]["text"] == "hi\n42" and result["error_message"] is None
    assert await containers(client) == []
    again = await invoked(client, code="x")
    assert again["error_message"] == "NameError: name 'x' is not defined"


async def test_calls_of_a_session_share_a_container(client: Client) -> None:
    first = await invoked(client, code="x = 6; open('a.txt', 'w').write('a'); None", session_id="s")
    assert first["metadata"]["files"] == ["/mnt/data/a.txt"]
    second = await invoked(client, code="x", session_id="s")
    assert second["content"][0]["text"] == "6"
    assert second["metadata"]["container_id"] == first["metadata"]["container_id"]
    assert "NameError" in (await invoked(client, code="x", session_id="other"))["error_message"]
    assert len(await containers(client)) == 2


async def test_first_calls_of_a_session_at_once_share_a_container(client: Client) -> None:
    results = await asyncio.gather(*(invoked(client, code=f"x = {n}", session_id="at once") for n in range(6)))
    assert len({one["metadata"]["container_id"] for one in results}) == 1


async def test_figures_are_images(client: Client) -> None:
    result = await invoked(client, code="import matplotlib.pyplot as plt; plt.plot([1]); None")
    text, image = result["content"]
    assert "figure-1.png" in text["text"] and base64.b64decode(image["image"]["data"]).startswith(b"\x89PNG")


async def test_a_limit_is_the_error(client: Client) -> None:
    result = await invoked(client, code="a = bytearray(2**40)")
    assert result["error_message"] == "The code was ended: limit `memory`" and result["metadata"]["limit"] == "memory"


@pytest.mark.parametrize("kwargs", [{}, {"code": ""}, {"code": 1}, {"code": "1", "language": "c"}])
async def test_wrong_arguments_are_refused_by_name(client: Client, kwargs: Any) -> None:
    asked = {"tool_name": "code_interpreter", "kwargs": kwargs}
    answered = await client.post("/v1/tool-runtime/invoke", asked)
    assert answered.status == 400 and "`code_interpreter`" in answered.error["message"]
