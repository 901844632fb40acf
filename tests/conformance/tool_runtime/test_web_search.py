"""`web_search` of each vendor: the request that it documents, and results that are believed with care."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.asgi import Answered, Client
from runtime.conformance.stacks import run_config, serving
from tests.conformance.tool_runtime.servers import DOMAIN_FIELDS, FORMS, KEY, PAGES, ToolServer, tool_server

every = pytest.mark.parametrize("name", FORMS)


@asynccontextmanager
async def search(name: str, folder: Path, **config: Any) -> AsyncIterator[tuple[Client, ToolServer]]:
    async with tool_server(name) as server:
        entry = {"provider_id": name, "provider_type": f"remote::{name}"}
        entry["config"] = {"base_url": server.url, "api_key": KEY, **config}  # type: ignore[assignment]
        async with serving(run_config(providers={"tool_runtime": [entry]}), folder) as served:
            yield served.client, server


async def ask(client: Client, *, headers: Mapping[str, str] = {}, **kwargs: Any) -> Answered:
    body = {"tool_name": "web_search", "kwargs": {"query": "how fast is a llama?", **kwargs}}
    return await client.post("/v1/tool-runtime/invoke", body, headers=dict(headers))


async def found(client: Client, **kwargs: Any) -> Any:
    answer = await ask(client, **kwargs)
    assert answer.status == 200, answer.body
    return answer.json()


def urls(result: Any) -> list[str]:
    return [source["url"] for source in result["metadata"]["sources"]]


@every
async def test_pages_come_as_text_and_as_sources(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path) as (client, server):
        result = await found(client)
        url, title, text = PAGES[0]
        assert result["metadata"]["sources"][0] == {"url": url, "title": title, "snippet": text}
        assert len(urls(result)) == 3  # the default of the config
        assert result["content"].startswith(f"[1] {title}\n{url}\n{text}\n\n[2] ")
        assert server.asked[0][FORMS[name].query] == "how fast is a llama?"
        assert server.keys == [KEY] and int(server.asked[0][FORMS[name].count]) == 3


@every
async def test_the_group_is_there_without_being_listed(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path) as (client, _):
        [group] = (await client.get("/v1/toolgroups")).json()["data"]
        assert (group["identifier"], group["provider_id"]) == ("builtin::websearch", name)
        [tool] = (await client.get("/v1/tools?toolgroup_id=builtin::websearch")).json()["data"]
        assert tool["name"] == "web_search" and tool["input_schema"]["required"] == ["query"]
        assert "$ref" not in json.dumps(tool["input_schema"])


async def test_while_it_is_off_the_group_and_the_tool_say_what_turns_it_on(tmp_path: Path) -> None:
    entries = [
        {"provider_id": f"${{env.{variable}:+{name}}}", "provider_type": f"remote::{name}"}
        for name, variable in (("brave-search", "BRAVE_SEARCH_API_KEY"), ("tavily-search", "TAVILY_SEARCH_API_KEY"))
    ]
    entries.append({"provider_id": "code", "provider_type": "inline::code-interpreter"})
    async with serving(run_config(providers={"tool_runtime": entries}), tmp_path) as served:
        for answer in (
            await ask(served.client),
            await served.client.get("/v1/toolgroups/builtin::websearch"),
            await served.client.get("/v1/tools?toolgroup_id=builtin::websearch"),
        ):
            assert answer.status == 404
            assert "off: set BRAVE_SEARCH_API_KEY or TAVILY_SEARCH_API_KEY, and start" in answer.error["message"]


@every
async def test_only_allowed_domains_are_found(name: str, tmp_path: Path) -> None:
    """Also where the vendor gives others: `llamas.example.evil.test` is none of `llamas.example`."""
    async with search(name, tmp_path, max_results=4) as (client, server):
        result = await found(client, allowed_domains=["https://Llamas.example/"])
        assert urls(result) == [PAGES[0][0], PAGES[1][0]]
        asked = server.asked[0]
        if name in DOMAIN_FIELDS:
            assert asked[DOMAIN_FIELDS[name][0]] == ["llamas.example"]
        else:
            assert asked["q"] == "how fast is a llama? site:llamas.example"
            assert int(asked[FORMS[name].count]) > 4  # so that enough are left


@every
async def test_blocked_domains_are_not_found(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path, max_results=4) as (client, server):
        result = await found(client, blocked_domains=["blog.llamas.example", "other.example"])
        assert urls(result) == [PAGES[0][0], PAGES[3][0]]
        asked = server.asked[0]
        if name in DOMAIN_FIELDS:
            assert asked[DOMAIN_FIELDS[name][1]] == ["blog.llamas.example", "other.example"]
        else:
            assert asked["q"].endswith("-site:blog.llamas.example -site:other.example")


@every
async def test_a_location_goes_as_the_vendor_takes_it(name: str, tmp_path: Path) -> None:
    location = {"type": "approximate", "country": "de", "city": "München"}
    async with search(name, tmp_path) as (client, server):
        answer = await ask(client, user_location=location)
        asked, headers = server.asked[0], server.headers[0]
        match name:
            case "brave-search":
                assert (headers["x-loc-country"], headers["x-loc-city"]) == ("DE", "Munchen")
                assert "x-llama-warnings" not in answer.headers
                return
            case "tavily-search":
                assert asked["country"] == "germany"
            case "bing-search":
                assert asked["cc"] == "DE" and headers["accept-language"]  # the one must come with the other
            case "exa-search":
                assert asked["userLocation"] == "DE"
            case "serply-search":
                assert asked["gl"] == "de"
            case "nimble-search":
                assert asked["country"] == "DE"
        assert "`user_location.city` has no effect" in answer.headers["x-llama-warnings"]


@every
async def test_a_caller_brings_a_key_where_none_is_configured(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path, api_key=None) as (client, server):
        refused = await ask(client)
        assert refused.status == 401 and "_SEARCH" in refused.error["message"].upper()
        assert not server.asked
        data = json.dumps({f"{name.replace('-', '_')}_api_key": "callers"})
        answer = await ask(client, headers={"x-llamastack-provider-data": data})
        assert answer.status == 200 and server.keys == ["callers"]
        [provider] = [one for one in (await client.get("/v1/providers")).json()["data"] if one["provider_id"] == name]
        assert provider["health"]["state"] == "needs-key"


@every
async def test_nothing_found_is_no_failure(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path) as (client, server):
        server.pages = []
        result = await found(client)
        assert result["content"] == "Nothing was found." and result["metadata"]["sources"] == []


@every
async def test_the_vendors_refusal_and_nonsense_are_told_as_such(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path) as (client, server):
        server.answers = 429, {"message": "slow down"}
        limited = await ask(client)
        assert limited.status == 429 and name in json.dumps(limited.error)
        server.answers = 200, ["a list"]
        nonsense = await ask(client)
        assert (nonsense.status, nonsense.error["type"]) == (502, "upstream_error")
        assert KEY not in nonsense.body.decode()


@every
async def test_a_result_of_another_form_is_left_out_and_a_long_one_is_cut(name: str, tmp_path: Path) -> None:
    async with search(name, tmp_path, max_results=4) as (client, server):
        server.pages = [("javascript:alert(1)", "x", "y"), ("https://a.test/", "t " * 400, "long " * 5000)]
        [source] = (await found(client))["metadata"]["sources"]
        assert source["url"] == "https://a.test/" and len(source["title"]) == 300 and len(source["snippet"]) == 4000


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"query": "  "}, "query"),
        ({"max_results": 0}, "max_results"),
        ({"allowed_domains": ["not a domain"]}, "allowed_domains[0]"),
        ({"allowed_domains": ["example.com/path"]}, "allowed_domains[0]"),
        ({"user_location": {"country": "Germany"}}, "user_location.country"),
        ({"user_location": {"city": "a\r\nx-evil: 1"}}, "user_location.city"),
        ({"colour": "blue"}, "colour"),
    ],
)
async def test_wrong_arguments_are_named(wrong: dict[str, Any], named: str, tmp_path: Path) -> None:
    async with search("brave-search", tmp_path) as (client, server):
        answer = await ask(client, **wrong)
        assert (answer.status, answer.error["param"]) == (400, "kwargs")
        assert f"`kwargs.{named}`" in answer.error["message"] and not server.asked


async def test_older_settings_are_understood(tmp_path: Path) -> None:
    async with search("bing-search", tmp_path, top_k=2, timeout=5, connect_timeout=1) as (client, _):
        assert len(urls(await found(client))) == 2


async def test_nimble_reads_pages_where_it_is_told_to(tmp_path: Path) -> None:
    async with search("nimble-search", tmp_path, search_depth="deep") as (client, server):
        await found(client)
        assert server.asked[0]["search_depth"] == "deep"
