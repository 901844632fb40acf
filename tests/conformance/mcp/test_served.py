"""The stack as an MCP server, asked by the official client in both generations of the protocol."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.access import User
from runtime.apis._request import Empty
from runtime.apis.prompts.protocol import CreatePromptRequest
from runtime.apis.tool_groups.protocol import RegisterToolGroupRequest, ToolGroupRequest
from runtime.conformance import form
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import Served, run_config, serving
from runtime.conformance.upstream import EMBEDDING_MODEL, Upstream, upstream_server
from runtime.conformance.upstream.texts import DIMENSION
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.server.app import make_app
from tests.support.examples import toolbox
from tests.support.mounting import mount
from tests.support.raw_http import listening
from tests.support.stacks import openai_at

mcp = pytest.importorskip("mcp", reason="the official client of MCP is not installed")
LIMIT_S = 60
ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vendor() -> AsyncIterator[Upstream]:
    async with upstream_server() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(vendor: Upstream, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        mount(patch, toolbox)
        providers = {
            "inference": [openai_at(vendor.url)],
            "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
            "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
            "vector_io": [{"provider_id": "faiss", "provider_type": "inline::faiss"}],
            "tool_runtime": [{"provider_id": name, "provider_type": f"inline::{name}"} for name in ("first", "second")],
        }
        model = {
            "model_id": EMBEDDING_MODEL,
            "provider_id": "vendor",
            "model_type": "embedding",
            "metadata": {"embedding_dimension": DIMENSION},
        }
        run = run_config(
            providers=providers, models=[model], vector_stores={"default_embedding_model": EMBEDDING_MODEL}
        )
        async with serving(run, tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(served: Served) -> AsyncIterator[str]:
    async with listening(make_app(served.stack, hosts=[], starts_stack=False)) as running:
        yield f"http://127.0.0.1:{running.port}/mcp"


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(LIMIT_S)]


@ERAS
async def test_tools_are_listed_each_by_a_name_of_its_own(url: str, mode: Any) -> None:
    async with mcp.Client(url, mode=mode) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    own = {"list_vector_stores", "search_vector_store"}
    assert set(listed) == own | {"one__who", "two__who", "add", "fail", "down"}
    assert listed["add"].description == "add of first"
    assert listed["add"].input_schema["properties"] == {"numbers": {"type": "array", "items": {"type": "number"}}}


@ERAS
async def test_a_tool_is_called(url: str, mode: Any) -> None:
    async with mcp.Client(url, mode=mode) as client:
        added = await client.call_tool("add", {"numbers": [1, 2, 3.5]})
        who = [await client.call_tool(name, {}) for name in ("one__who", "two__who")]
    assert (added.is_error, added.content[0].text) == (False, "6.5")
    assert [one.content[0].text for one in who] == ["first", "second"]


@ERAS
@pytest.mark.parametrize(("name", "words"), [("fail", "it did not work"), ("down", "the tool is down")])
async def test_what_fails_is_a_result_for_the_model(url: str, mode: Any, name: str, words: str) -> None:
    async with mcp.Client(url, mode=mode) as client:
        result = await client.call_tool(name, {})
    assert (result.is_error, result.content[0].text) == (True, words)


@ERAS
async def test_an_unknown_tool_is_refused_with_close_names(url: str, mode: Any) -> None:
    async with mcp.Client(url, mode=mode) as client:
        with pytest.raises(mcp.MCPError, match=r"There is no tool `ad`.*`add`"):
            await client.call_tool("ad", {})


@ERAS
async def test_a_vector_store_is_found_and_searched(url: str, mode: Any, served: Served) -> None:
    body = form.form(form.field("purpose", "assistants"), form.file(b"A llama runs 56 km/h.", filename="llama.txt"))
    file = (await served.client.post("/v1/files", headers=form.HEADERS, body=body)).json()
    store = (await served.client.post("/v1/vector_stores", json={"name": f"animals {mode}"})).json()
    path = f"/v1/vector_stores/{store['id']}/files"
    await served.client.post(path, json={"file_id": file["id"]})
    async with asyncio.timeout(LIMIT_S):
        while (await served.client.get(f"{path}/{file['id']}")).json()["status"] == "in_progress":
            await asyncio.sleep(0.01)
    async with mcp.Client(url, mode=mode) as client:
        stores = await client.call_tool("list_vector_stores", {})
        found = await client.call_tool("search_vector_store", {"vector_store_id": store["id"], "query": "speed"})
        lost = await client.call_tool("search_vector_store", {"vector_store_id": "vs_none", "query": "speed"})
        wrong = await client.call_tool("search_vector_store", {"vector_store_id": store["id"]})
    assert {"id": store["id"], "name": f"animals {mode}", "description": None, "files": 1} in (
        stores.structured_content["stores"]
    )
    [hit] = found.structured_content["results"]
    assert (hit["filename"], hit["text"]) == ("llama.txt", "A llama runs 56 km/h.")
    assert json.loads(found.content[0].text) == [hit]
    assert lost.is_error and "vs_none" in lost.content[0].text
    assert wrong.is_error and "query" in wrong.content[0].text


@ERAS
async def test_prompts_are_listed_and_filled(url: str, mode: Any, served: Served) -> None:
    body = {"prompt": "Answer in {{ language }}.", "variables": ["language"]}
    prompt = (await served.client.post("/v1/prompts", json=body)).json()["prompt_id"]
    async with mcp.Client(url, mode=mode) as client:
        [listed] = [one for one in (await client.list_prompts()).prompts if one.name == prompt]
        filled = await client.get_prompt(prompt, {"language": "French"})
        with pytest.raises(mcp.MCPError, match="language"):
            await client.get_prompt(prompt, {})
        with pytest.raises(mcp.MCPError, match="pmpt_none"):
            await client.get_prompt("pmpt_none", {})
    assert [(one.name, one.required) for one in listed.arguments] == [("language", True)]
    assert [(one.role, one.content.text) for one in filled.messages] == [("user", "Answer in French.")]


@ERAS
async def test_a_program_speaks_it_over_a_pipe(url: str, mode: Any, tmp_path: Path) -> None:
    words = ["-m", "llama_cli.main", "stack", "mcp", "--url", url.removesuffix("/mcp")]
    program = mcp.StdioServerParameters(
        command=sys.executable, args=words, env={"HOME": str(tmp_path), "LLAMA_HOME": str(tmp_path)}, cwd=Path.cwd()
    )
    async with mcp.Client(program, mode=mode) as client:
        added = await asyncio.gather(*(client.call_tool("add", {"numbers": [one, 1]}) for one in range(8)))
        named = {tool.name for tool in (await client.list_tools()).tools}
        with pytest.raises(mcp.MCPError, match="There is no tool `ädd`"):
            await client.call_tool("ädd", {})
    assert [one.content[0].text for one in added] == [str(one + 1) for one in range(8)]
    assert "search_vector_store" in named


async def test_what_is_no_mcp_gets_an_answer_that_says_so(served: Served) -> None:
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    broken = await served.client.post("/mcp", body=b"{", headers=headers)
    assert broken.status == 400 and broken.json()["error"]["code"] == -32700
    assert (await served.client.get("/mcp", headers={"accept": "text/html"})).status in (405, 406)


async def test_many_callers_at_once_get_their_own_answers(url: str) -> None:
    async def added(number: int) -> str:
        async with mcp.Client(url, mode="2026-07-28") as client:
            return str((await client.call_tool("add", {"numbers": [number, 1]})).content[0].text)

    assert await asyncio.gather(*map(added, range(16))) == [str(number + 1) for number in range(16)]


async def _told(served: Served, user: str, method: str, **params: Any) -> Any:
    """What a user is answered, past authentication."""
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    with serving_request(RequestContext(user=User(principal=user))):
        application = await served.stack.api("mcp").serve_mcp(Empty())
        answer = await Client(application.asgi).post("/mcp", body=request, headers=headers)
    return json.loads(answer.body.decode().partition("data: ")[2])


@pytest.mark.parametrize("first", ["ann", "bob"])
async def test_each_user_is_offered_what_that_user_may_see(served: Served, first: str) -> None:
    with serving_request(RequestContext(user=User(principal="ann"))):
        groups, prompts = served.stack.api("tool_groups"), served.stack.api("prompts")
        group = {"toolgroup_id": "anns", "provider_id": "first", "provider_toolgroup_id": "mine"}
        await groups.register_tool_group(RegisterToolGroupRequest(**group))
        made = await prompts.create_prompt(CreatePromptRequest(prompt="Anns secret."))
    for user in (first, "ann", "bob"):
        tools = [one["name"] for one in (await _told(served, user, "tools/list"))["result"]["tools"]]
        assert any(name.startswith("anns__") for name in tools) == (user == "ann"), (user, tools)
        told = await _told(served, user, "prompts/list")
        assert ("Anns secret." in str(told)) == (user == "ann")
        called = await _told(served, user, "tools/call", name="anns__who", arguments={})
        assert ("error" in called) == (user == "bob"), called
        filled = await _told(served, user, "prompts/get", name=made.prompt_id)
        assert ("error" in filled) == (user == "bob"), filled
    with serving_request(RequestContext(user=User(principal="ann"))):
        await groups.unregister_tool_group(ToolGroupRequest(toolgroup_id="anns"))
