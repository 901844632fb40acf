"""`web_search`: what the search is asked, what the model reads, what it cites, and what is shown of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import Upstream
from runtime.conformance.upstream.scripted import calls, says
from tests.conformance.responses.asking import WEATHER, Asking, kinds
from tests.conformance.tool_runtime.servers import KEY, PAGES, ToolServer, tool_server
from tests.support.stacks import openai_at
from tests.support.tool_groups import furnish_tools, group, toolbox

SEARCH = {"type": "web_search"}
SOURCES, RESULTS = "web_search_call.action.sources", "web_search_call.results"
ASKS = calls(("call_1", "web_search", '{"query": "llama speed"}'))


@dataclass(frozen=True)
class Searching(Asking):
    """web: what searches the web."""

    web: ToolServer


@asynccontextmanager
async def searching(upstream: Upstream, folder: Path, **config: Any) -> AsyncIterator[Searching]:
    async with tool_server("tavily-search") as web:
        settings = {"base_url": web.url, "api_key": KEY, **config}
        search = {"provider_id": "tavily", "provider_type": "remote::tavily-search", "config": settings}
        providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [search]}
        async with serving(run_config(providers=providers), folder) as served:
            yield Searching(served.client, upstream, web)


async def test_the_model_reads_pages_and_cites_them(upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        answer = says("So. It runs ", "56 km/h \u3010", "1\u3011.", " Some pace \u30102\u3011.")
        events, response = await asking.both([ASKS, answer], tools=[SEARCH])
        call, message = response["output"]
        assert call["action"] == {"type": "search", "query": "llama speed", "queries": ["llama speed"]}
        assert (call["type"], call["status"]) == ("web_search_call", "completed") and "results" not in call
        [part] = message["content"]
        assert part["text"] == "So. It runs 56 km/h. Some pace."
        cited = [(one["type"], one["url"], one["title"]) for one in part["annotations"]]
        assert cited == [("url_citation", url, title) for url, title, _ in PAGES[:2]]
        spans = [part["text"][one["start_index"] : one["end_index"]] for one in part["annotations"]]
        assert spans == ["It runs 56 km/h", "Some pace"]
        assert kinds(events)[2:7] == [
            "output_item.added", "web_search_call.in_progress", "web_search_call.searching",
            "web_search_call.completed", "output_item.done",
        ]  # fmt: skip


async def test_what_is_found_is_told_with_its_marks(upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        script = asking.says(ASKS, says("Fast."))
        await asking.whole(tools=[SEARCH])
        told = script.asked[1]["messages"][-1]
        url, title, text = PAGES[0]
        assert told["tool_call_id"] == "call_1" and f"\u30101\u3011 {title}\n{url}\n{text}" in told["content"]
        [function] = script.asked[0]["tools"]
        assert function["function"]["name"] == "web_search"
        assert asking.web.asked == [{"query": "llama speed", "max_results": 5}]


async def test_sources_and_results_are_shown_where_asked(upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        asking.says(ASKS, says("Fast."))
        response = await asking.whole(tools=[SEARCH], include=[SOURCES, RESULTS])
        call = response["output"][0]
        assert call["action"]["sources"] == [{"type": "url", "url": url} for url, _, _ in PAGES]
        assert call["results"][0] == dict(zip(("url", "title", "snippet"), PAGES[0], strict=True))
        only = await asking.whole(tools=[SEARCH], include=[SOURCES])
        assert "results" not in only["output"][0]


@pytest.mark.parametrize("kind", ["web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"])
async def test_older_names_mean_the_same(kind: str, upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        script = asking.says(ASKS, says("Fast."))
        response = await asking.whole(tools=[{"type": kind}], tool_choice={"type": "web_search_preview"})
        assert [item["type"] for item in response["output"]] == ["web_search_call", "message"]
        assert response["tools"] == [{"type": kind}]
        assert script.asked[0]["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}


async def test_filters_place_and_size_reach_the_search(upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        asking.says(ASKS, says("Fast."))
        tool = {
            **SEARCH,
            "filters": {"allowed_domains": ["llamas.example"]},
            "user_location": {"type": "approximate", "country": "CH", "city": None},
            "search_context_size": "high",
        }
        response = await asking.whole(tools=[tool], include=[SOURCES])
        assert asking.web.asked == [
            {
                "query": "llama speed",
                "max_results": 10,
                "include_domains": ["llamas.example"],
                "country": "switzerland",
            }
        ]
        urls = [one["url"] for one in response["output"][0]["action"]["sources"]]
        assert urls == [PAGES[0][0], PAGES[1][0]], "what the search gave of other domains is left out"


async def test_a_search_that_fails_is_an_item_and_the_model_is_told(upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        asking.web.answers = 429, {"message": "slow down"}
        script = asking.says(ASKS, says("I do not know."))
        response = await asking.whole(tools=[SEARCH])
        assert (response["status"], response["output"][0]["status"]) == ("completed", "failed")
        assert "The search failed" in script.asked[1]["messages"][-1]["content"]
        assert KEY not in str(response) + str(script.asked)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [('{"q": 1}', "name no `query`"), ('{"x": ' + "[" * 9000 + "]" * 9000 + "}", "nested too deeply")],
)
async def test_arguments_without_a_query_are_said_once(
    upstream: Upstream, tmp_path: Path, arguments: str, words: str
) -> None:
    async with searching(upstream, tmp_path) as asking:
        wrong = calls(("call_1", "web_search", arguments))
        script = asking.says(wrong, wrong, says("Well."))
        response = await asking.whole(tools=[SEARCH])
        assert [item["type"] for item in response["output"]] == ["web_search_call", "message"]
        assert response["output"][0]["status"] == "failed" and not asking.web.asked
        assert words in script.asked[1]["messages"][-1]["content"]


async def test_what_was_found_is_not_read_again_by_what_continues(upstream: Upstream, tmp_path: Path) -> None:
    async with searching(upstream, tmp_path) as asking:
        script = asking.says(ASKS, says("Fast."), says("Yes."))
        first = await asking.whole(tools=[SEARCH])
        await asking.whole("Sure?", previous_response_id=first["id"])
        assert [message["role"] for message in script.asked[2]["messages"]] == ["user", "assistant", "user"]
        again = await asking.whole([*first["output"], {"role": "user", "content": "And?"}])
        assert again["status"] == "completed"


@pytest.mark.parametrize(
    ("tools", "status", "words"),
    [
        ([SEARCH, {"type": "web_search_preview"}], 400, "`tools[1]` is a second `web_search`"),
        ([SEARCH, {**WEATHER, "name": "web_search"}], 400, "`tools[1]` has the name `web_search`"),
        ([{**SEARCH, "external_web_access": False}], 501, "`tools[0].external_web_access`"),
        ([{**SEARCH, "search_content_types": ["image"]}], 501, "`tools[0].search_content_types`"),
        ([{**SEARCH, "filters": {"domains": ["a.b"]}}], 400, "unknown field `domains`"),
        ([{**SEARCH, "user_location": {"country": "Germany"}}], 400, "pattern"),
        ([{"type": "image_generation"}], 501, "`tools[0]` is `image_generation`"),
        ([{"type": "computer_use_preview", "display_width": 1}], 501, "`tools[0]` is `computer_use_preview`"),
        ([{"type": "local_shell"}], 501, "`tools[0]` is `local_shell`"),
    ],
)
async def test_what_is_not_done_is_refused_by_name(
    tools: list[Any], status: int, words: str, upstream: Upstream, tmp_path: Path
) -> None:
    async with searching(upstream, tmp_path) as asking:
        refused = await asking.refused({"input": "Hi", "tools": tools})
        assert refused["status"] == status and words in refused["message"], refused
        assert refused["param"].startswith("tools")


async def test_without_a_search_the_request_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    run = run_config(openai_at(upstream.url))
    async with serving(run, tmp_path) as served:
        refused = await Asking(served.client, upstream).refused({"input": "Hi", "tools": [SEARCH]})
        assert (refused["status"], refused["param"]) == (501, "tools")
        assert "remote::tavily-search" in refused["message"]


async def test_a_group_that_sleeps_keeps_no_search_of_another(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish_tools(monkeypatch)
    providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [toolbox(own=["web_search"], asleep=None)]}
    groups = {"tool_groups": [group("mine", own="own"), group("asleep", own="asleep")]}
    async with serving(run_config(providers=providers, registered_resources=groups), tmp_path) as served:
        asking = Asking(served.client, upstream)
        asking.says(ASKS, says("Fast."))
        response = await asking.whole(tools=[SEARCH])
        assert [item["type"] for item in response["output"]] == ["web_search_call", "message"]


async def test_a_search_of_another_server_serves_for_what_it_takes(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, tmp_path: Path
) -> None:
    """Whatever other groups cannot be listed."""
    furnish_tools(monkeypatch)
    providers = {"inference": [openai_at(upstream.url)], "tool_runtime": [toolbox(own=["web_search"], a=None)]}
    registered = {"tool_groups": [group("mine", own="own"), group("asleep", own="a")]}
    async with serving(run_config(providers=providers, registered_resources=registered), tmp_path) as served:
        asking = Asking(served.client, upstream)
        script = asking.says(ASKS, says("Well."))
        response = await asking.whole(tools=[SEARCH])
        assert response["output"][0]["status"] == "completed"
        assert script.asked[1]["messages"][-1]["content"] == "done"
        narrow = {**SEARCH, "filters": {"allowed_domains": ["a.test"]}}
        refused = await asking.refused({"input": "Hi", "tools": [narrow]})
        assert refused["status"] == 501 and "`tools[0].filters.allowed_domains`" in refused["message"]
