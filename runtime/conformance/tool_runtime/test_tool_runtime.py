"""What every provider of tools promises (`runtime/apis/tool_runtime`), asked at the server's door."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from runtime.conformance.abilities import needs
from runtime.conformance.asgi import Answered
from runtime.conformance.tool_runtime.subject import Subject

pytestmark = pytest.mark.asyncio

AT_ONCE = 8


async def invoke(subject: Subject, tool: str = "", kwargs: Mapping[str, Any] | None = None, **more: Any) -> Answered:
    body = {"tool_name": tool or subject.tool, "kwargs": subject.arguments if kwargs is None else kwargs, **more}
    return await subject.client.post("/v1/tool-runtime/invoke", body)


async def tools_of(subject: Subject) -> list[dict[str, Any]]:
    answer = await subject.client.get(f"/v1/tools?toolgroup_id={quote(subject.group, safe='')}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


async def test_each_tool_of_its_group_says_what_it_does_and_takes(subject: Subject) -> None:
    tools = await tools_of(subject)
    assert subject.tool in {tool["name"] for tool in tools}
    assert len({tool["name"] for tool in tools}) == len(tools)
    for tool in tools:
        assert tool["description"] and tool["toolgroup_id"] == subject.group and tool["provider_id"]
        assert tool["input_schema"]["type"] == "object"
        jsonschema.Draft202012Validator.check_schema(tool["input_schema"])


async def test_a_tool_is_found_by_its_name(subject: Subject) -> None:
    [listed] = [tool for tool in await tools_of(subject) if tool["name"] == subject.tool]
    for name in (subject.tool, f"{subject.group}/{subject.tool}"):
        answer = await subject.client.get(f"/v1/tools/{quote(name, safe='/')}")
        assert (answer.status, answer.json()) == (200, listed)


async def test_its_schema_takes_what_works_and_nothing_that_does_not(subject: Subject) -> None:
    [tool] = [tool for tool in await tools_of(subject) if tool["name"] == subject.tool]
    checked = jsonschema.Draft202012Validator(tool["input_schema"])
    assert checked.is_valid(dict(subject.arguments)) and not checked.is_valid(dict(subject.wrong))


async def test_a_call_gives_texts_or_pictures(subject: Subject) -> None:
    answer = await invoke(subject)
    assert answer.status == 200, answer.body
    result = answer.json()
    assert result["error_message"] is None and result["content"]
    for part in result["content"] if isinstance(result["content"], list) else ():
        assert part["text"] if part["type"] == "text" else part["image"]


async def test_a_call_that_names_the_group_is_the_same_call(subject: Subject) -> None:
    content = (await invoke(subject)).json()["content"]
    assert (await invoke(subject, toolgroup_id=subject.group)).json()["content"] == content
    assert (await invoke(subject, f"{subject.group}/{subject.tool}")).json()["content"] == content


async def test_calls_at_once_are_each_answered(subject: Subject) -> None:
    content = (await invoke(subject)).json()["content"]
    answers = await asyncio.gather(*(invoke(subject) for _ in range(AT_ONCE)))
    assert [answer.json()["content"] for answer in answers] == [content] * AT_ONCE


async def test_wrong_arguments_are_refused_or_the_tool_says_that_it_failed(subject: Subject) -> None:
    answer = await invoke(subject, kwargs=subject.wrong)
    if answer.status == 200:
        assert answer.json()["error_message"]
    else:
        assert (answer.status, answer.error["param"]) == (400, "kwargs") and subject.tool in answer.error["message"]


async def test_an_unknown_tool_is_a_404_with_names_like_it(subject: Subject) -> None:
    answer = await invoke(subject, f"{subject.tool}x", toolgroup_id=subject.group)
    assert (answer.status, answer.error["code"]) == (404, "tool_not_found")
    assert f"`{subject.tool}`" in answer.error["message"]


async def test_its_group_and_its_health_are_told_without_its_key(subject: Subject) -> None:
    groups = await subject.client.get("/v1/toolgroups")
    [group] = [one for one in groups.json()["data"] if one["identifier"] == subject.group]
    providers = await subject.client.get("/v1/providers")
    [provider] = [one for one in providers.json()["data"] if one["provider_id"] == group["provider_id"]]
    assert provider["health"]["status"] != "Error", provider["health"]
    if subject.secret:
        assert subject.secret.encode() not in groups.body + providers.body


@needs("fails")
async def test_a_failure_of_what_it_calls_is_told_as_such_and_without_its_key(subject: Subject) -> None:
    assert subject.fail is not None
    subject.fail()
    answer = await invoke(subject)
    if answer.status == 200:
        assert answer.json()["error_message"]
    else:
        assert answer.status in (429, 502, 503, 504), answer.body
    if subject.secret:
        assert subject.secret.encode() not in answer.body
