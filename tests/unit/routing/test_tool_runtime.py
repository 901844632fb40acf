"""Which tool a name means, among the groups that the caller may see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.access import User
from runtime.apis.tool_groups.protocol import RegisterToolGroupRequest
from runtime.apis.tool_runtime.protocol import InvokeToolRequest, ListToolsRequest, ToolRequest
from runtime.conformance.stacks import Served, adapter_of, run_config
from runtime.context import RequestContext
from runtime.context import serving as serving_request
from runtime.errors import NotFound
from tests.support.stacks import serving
from tests.support.tool_groups import furnish_tools, group, toolbox

GROUPS = [group("weather", own="w"), group("news", own="n"), group("asleep", own="a"), group("maps/inner", own="m")]
TOOLS: dict[str, list[str] | None] = {"w": ["forecast", "search"], "n": ["headlines", "search"], "a": None, "m": ["go"]}


@pytest.fixture(autouse=True)
def _providers(monkeypatch: pytest.MonkeyPatch) -> None:
    furnish_tools(monkeypatch)


@asynccontextmanager
async def stack(folder: Path, providers: list[dict[str, Any]], groups: list[dict[str, Any]]) -> AsyncIterator[Served]:
    run = run_config(providers={"tool_runtime": providers}, registered_resources={"tool_groups": groups})
    async with serving(run, folder) as served:
        yield served


def awake() -> list[dict[str, Any]]:
    return [one for one in GROUPS if one["toolgroup_id"] != "asleep"]


async def test_tools_of_one_group_say_what_older_clients_read(tmp_path: Path) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], GROUPS) as served:
        for path in (
            "/v1/tools?toolgroup_id=weather",
            "/v1/tools?tool_group_id=weather",
            "/v1/tool-runtime/list-tools?tool_group_id=weather",
            "/v1/admin/tools?toolgroup_id=weather",
        ):
            first, second = (await served.client.get(path)).json()["data"]
            assert (first["name"], second["name"]) == ("forecast", "search")
        assert (first["identifier"], first["toolgroup_id"], first["provider_id"]) == ("forecast", "weather", "toolbox")
        assert [(one["name"], one["parameter_type"], one["required"]) for one in first["parameters"]] == [
            ("query", "string", True),
            ("limit", "integer", False),
        ]
        assert first["parameters"][1]["default"] == 3


async def test_of_all_groups_one_that_cannot_be_listed_is_a_warning_and_alone_an_error(tmp_path: Path) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], GROUPS) as served:
        answer = await served.client.get("/v1/tools")
        listed = [f"{tool['toolgroup_id']}/{tool['name']}" for tool in answer.json()["data"]]
        assert listed == ["maps/inner/go", "news/headlines", "news/search", "weather/forecast", "weather/search"]
        assert "`asleep`" in answer.headers["x-llama-warnings"] and "sleeps" in answer.headers["x-llama-warnings"]
        refused = await served.client.get("/v1/tools?toolgroup_id=asleep")
        assert (refused.status, refused.error["type"]) == (503, "unavailable_error")
        unknown = await served.client.get("/v1/tools?toolgroup_id=wether")
        assert unknown.status == 404 and "`weather`" in unknown.error["message"]
        assert unknown.error["param"] == "toolgroup_id"


@pytest.mark.parametrize(
    ("asked", "group_id"),
    [
        ({"tool_name": "forecast"}, "weather"),
        ({"tool_name": "weather/search"}, "weather"),
        ({"tool_name": "search", "toolgroup_id": "news"}, "news"),
        ({"tool_name": "news/search", "toolgroup_id": "news"}, "news"),
        ({"tool_name": "maps/inner/go"}, "maps/inner"),
        ({"tool_name": "go"}, "maps/inner"),
    ],
)
async def test_a_tool_by_each_of_its_names(tmp_path: Path, asked: dict[str, Any], group_id: str) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], GROUPS) as served:
        answer = await served.client.post("/v1/tool-runtime/invoke", {**asked, "kwargs": {"query": "x"}})
        assert answer.status == 200, answer.body
        told = answer.json()["metadata"]
        assert told["group"] == group_id and told["kwargs"] == {"query": "x"}
        assert told["tool"] == asked["tool_name"].rpartition("/")[2]
        assert told["own"] == group_id[0]
        if "toolgroup_id" not in asked:
            tool = (await served.client.get(f"/v1/tools/{asked['tool_name']}")).json()
            assert (tool["toolgroup_id"], tool["name"]) == (group_id, told["tool"])


async def test_a_name_that_two_groups_have_is_never_silently_the_first(tmp_path: Path) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], awake()) as served:
        for answer in (
            await served.client.post("/v1/tool-runtime/invoke", {"tool_name": "search"}),
            await served.client.get("/v1/tools/search"),
        ):
            assert (answer.status, answer.error["code"]) == (400, "tool_ambiguous")
            assert "`news/search`, `weather/search`" in answer.error["message"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tool_name": "forecasts"}, "did you mean `forecast`"),
        ({"tool_name": "weather/headlines"}, "did you mean"),
        ({"tool_name": "headlines", "toolgroup_id": "weather"}, "there are `forecast`, `search`"),
        ({"tool_name": "serach", "toolgroup_id": "weather"}, "did you mean `search`"),
        ({"tool_name": "quite-another"}, "GET /v1/tools"),
    ],
)
async def test_an_unknown_tool_is_a_404_with_close_matches(tmp_path: Path, asked: dict[str, Any], said: str) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], awake()) as served:
        answer = await served.client.post("/v1/tool-runtime/invoke", asked)
        assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "tool_not_found", "tool_name")
        assert said in answer.error["message"]


async def test_a_tool_that_only_a_sleeping_group_may_have_is_not_said_to_be_unknown(tmp_path: Path) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], GROUPS) as served:
        answer = await served.client.post("/v1/tool-runtime/invoke", {"tool_name": "snore"})
        assert answer.status == 503 and "`asleep`" in answer.error["message"]
        by_group = await served.client.post("/v1/tool-runtime/invoke", {"tool_name": "asleep/snore"})
        assert by_group.status == 503 and "sleeps" in by_group.error["message"]


async def test_groups_of_other_users_do_not_exist(tmp_path: Path) -> None:
    ann, bob = User(principal="ann"), User(principal="bob")
    async with stack(tmp_path, [toolbox(mine=["secret"], w=["forecast"])], [group("weather", own="w")]) as served:
        groups, tools = served.stack.api("tool_groups"), served.stack.api("tool_runtime")
        with serving_request(RequestContext(user=ann)):
            await groups.register_tool_group(
                RegisterToolGroupRequest(toolgroup_id="anns", provider_id="toolbox", provider_toolgroup_id="mine")
            )
            result = await tools.invoke_tool(InvokeToolRequest(tool_name="secret"))
            assert result.metadata["group"] == "anns"
        with serving_request(RequestContext(user=bob)):
            assert [tool.name for tool in (await tools.list_tools(ListToolsRequest())).data] == ["forecast"]
            for asked in ({"tool_name": "secret"}, {"tool_name": "anns/secret"}):
                with pytest.raises(NotFound):
                    await tools.invoke_tool(InvokeToolRequest(**asked))
            with pytest.raises(NotFound):
                await tools.invoke_tool(InvokeToolRequest(tool_name="secret", toolgroup_id="anns"))
            with pytest.raises(NotFound):
                await tools.list_tools(ListToolsRequest(toolgroup_id="anns"))
            with pytest.raises(NotFound):
                await tools.get_tool(ToolRequest(tool_name="anns/secret"))


async def test_a_server_that_is_in_no_group_goes_to_the_provider_that_speaks_to_servers(tmp_path: Path) -> None:
    endpoint = json.dumps({"uri": "https://weather.example/mcp"})
    path = f"/v1/tool-runtime/list-tools?mcp_endpoint={endpoint}"
    async with stack(tmp_path, [toolbox(), toolbox("servers", "servers")], []) as served:
        [tool] = (await served.client.get(path)).json()["data"]
        assert (tool["name"], tool["description"]) == ("remote", "https://weather.example/mcp")
        assert tool["toolgroup_id"] is None
        both = await served.client.get(f"{path}&toolgroup_id=x")
        assert both.status == 400 and "`mcp_endpoint`" in both.error["message"]
        wrong = await served.client.get("/v1/tool-runtime/list-tools?mcp_endpoint=weather")
        assert wrong.status == 400 and 'JSON such as {"uri": ' in wrong.error["message"]
    async with stack(tmp_path, [toolbox()], []) as served:
        refused = await served.client.get(path)
        assert (refused.status, refused.error["type"]) == (501, "not_supported_error")


async def test_a_name_with_its_group_asks_that_group_alone(tmp_path: Path) -> None:
    async with stack(tmp_path, [toolbox(**TOOLS)], GROUPS) as served:
        await served.client.post("/v1/tool-runtime/invoke", {"tool_name": "weather/search"})
        assert adapter_of(served.stack, "tool_runtime").listings == {"w": 1}


async def test_many_groups_are_asked_at_once_but_not_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"g{number}" for number in range(40)]
    asked: list[str] = []
    gate, full = asyncio.Event(), asyncio.Event()
    async with stack(
        tmp_path, [toolbox(**{name: [f"of_{name}"] for name in names})], [group(name) for name in names]
    ) as served:
        adapter = adapter_of(served.stack, "tool_runtime")
        list_tools = adapter.list_tools

        async def waiting(request: ListToolsRequest) -> Any:
            asked.append(str(request.toolgroup_id))
            if len(asked) == 16:
                full.set()
            await gate.wait()
            return await list_tools(request)

        monkeypatch.setattr(adapter, "list_tools", waiting)
        listing = asyncio.create_task(served.stack.api("tool_runtime").list_tools(ListToolsRequest()))
        async with asyncio.timeout(20):
            await full.wait()
            for _ in range(10):
                await asyncio.sleep(0)
            assert len(asked) == 16
            gate.set()
            assert len((await listing).data) == 40


async def test_a_caller_that_leaves_ends_what_is_asked_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    async with stack(tmp_path, [toolbox(**TOOLS)], GROUPS) as served:

        async def hanging(request: ListToolsRequest) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        monkeypatch.setattr(adapter_of(served.stack, "tool_runtime"), "list_tools", hanging)
        listing = asyncio.create_task(served.stack.api("tool_runtime").list_tools(ListToolsRequest()))
        async with asyncio.timeout(20):
            await begun.wait()
            listing.cancel()
            await asyncio.gather(listing, return_exceptions=True)
            await ended.wait()
        assert listing.cancelled()
