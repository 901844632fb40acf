"""What prompts promise at the server's door: versions that stay, one default, and nobody else's."""

from __future__ import annotations

import asyncio
import re

import pytest

from runtime.access import User
from runtime.apis.prompts.protocol import (
    CreatePromptRequest,
    FillPromptRequest,
    GetPromptRequest,
    ListPromptsRequest,
    ListVersionsRequest,
    PromptRequest,
    SetDefaultVersionRequest,
    UpdatePromptRequest,
)
from runtime.conformance.stacks import adapter_of
from runtime.context import RequestContext, serving
from runtime.errors import NotFound
from runtime.providers.prompts.builtin.tables import PROMPTS, VERSIONS
from runtime.storage.sql import Select
from tests.conformance.prompts.asking import Asking


async def test_a_prompt_is_kept_as_it_was_said(prompts: Asking) -> None:
    text = "Zeile {{ a }}\x00 und {{b_2}}, {{a}} 🦙 {{}} {{ a + b }}"
    made = await prompts.done("POST", body={"prompt": text, "variables": ["b_2", "a", "a"]})
    assert re.fullmatch(r"pmpt_[0-9a-f]{48}", made["prompt_id"])
    facts = {"prompt": text, "version": 1, "variables": ["b_2", "a"], "is_default": True}
    assert made == {"prompt_id": made["prompt_id"], **facts}
    assert await prompts.done("GET", f"/{made['prompt_id']}") == made
    assert await prompts.listed() == await prompts.listed(f"/{made['prompt_id']}/versions") == [made]


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_an_update_adds_a_version_and_changes_none(prompts: Asking, method: str) -> None:
    made = await prompts.made()
    first = await prompts.done("GET", f"/{made}")
    second = await prompts.done(method, f"/{made}", {"prompt": "Two", "version": 1})
    assert second == {"prompt_id": made, "prompt": "Two", "version": 2, "variables": [], "is_default": True}
    third = await prompts.done(method, f"/{made}", {"prompt": "Three", "version": 2, "set_as_default": False})
    assert (third["version"], third["is_default"]) == (3, False)
    assert await prompts.done("GET", f"/{made}") == second
    assert await prompts.listed() == [second]
    assert await prompts.listed(f"/{made}/versions") == [first | {"is_default": False}, second, third]
    for version, shown in enumerate([first | {"is_default": False}, second, third], 1):
        assert await prompts.done("GET", f"/{made}?version={version}") == shown


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_any_version_can_be_the_default(prompts: Asking, method: str) -> None:
    made = await prompts.made("One", ())
    await prompts.updated(made, 1, "Two {{ x }}", ("x",))
    await prompts.updated(made, 2, "Three")
    for version, text in ((2, "Two {{ x }}"), (2, "Two {{ x }}"), (3, "Three"), (1, "One")):
        told = await prompts.done(method, f"/{made}/set-default-version", {"version": version})
        assert (told["version"], told["prompt"], told["is_default"]) == (version, text, True)
        assert await prompts.done("GET", f"/{made}") == told
        assert [one["version"] for one in await prompts.listed(f"/{made}/versions") if one["is_default"]] == [version]


async def test_an_update_of_another_version_than_the_latest_names_both(prompts: Asking) -> None:
    made = await prompts.made(versions=3)
    for version in (1, 2, 4, 2**31 - 1):
        error = await prompts.refused(409, "PUT", f"/{made}", {"prompt": "x", "version": version})
        assert f"Version {version} is not the latest" in error["message"] and "version 3" in error["message"]
        assert (error["param"], error["code"]) == ("version", "not_the_latest_version")
    assert len(await prompts.listed(f"/{made}/versions")) == 3


async def test_of_concurrent_updates_exactly_one_has_each_version(prompts: Asking) -> None:
    made = await prompts.made("0", ())
    for version in range(1, 4):
        bodies = [{"prompt": f"{version}-{number}", "version": version} for number in range(12)]
        answers = await asyncio.gather(*(prompts.ask("PUT", f"/{made}", body) for body in bodies))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 11
        [won] = [answer.json() for answer in answers if answer.status == 200]
        assert won["version"] == version + 1 and await prompts.done("GET", f"/{made}") == won
    assert [one["version"] for one in await prompts.listed(f"/{made}/versions")] == [1, 2, 3, 4]


async def test_a_prompt_that_is_deleted_leaves_no_row(prompts: Asking) -> None:
    made, other = await prompts.made(versions=3), await prompts.made()
    await prompts.done("DELETE", f"/{made}")
    assert [one["prompt_id"] for one in await prompts.listed()] == [other]
    store = adapter_of(prompts.served.stack, "prompts")._store
    assert [row["id"] for row in await store.select(Select(PROMPTS))] == [other]
    assert [row["id"] for row in await store.select(Select(VERSIONS))] == [f"{other}-1"]


async def test_pages_follow_each_other_in_both_orders(prompts: Asking) -> None:
    ids = [await prompts.made(str(number), ()) for number in range(5)]

    async def page(query: str) -> list[str]:
        return [one["prompt_id"] for one in await prompts.listed(query)]

    assert await page("") == ids[::-1] and await page("?order=asc") == ids
    assert await page(f"?limit=2&after={ids[3]}") == [ids[2], ids[1]]
    assert await page(f"?limit=2&order=asc&before={ids[4]}") == [ids[2], ids[3]]
    first = await prompts.done("GET", "?limit=2")
    assert {name: first[name] for name in ("object", "first_id", "last_id", "has_more")} == {
        "object": "list", "first_id": ids[4], "last_id": ids[3], "has_more": True
    }  # fmt: skip
    await prompts.done("DELETE", f"/{ids[3]}")
    assert await page(f"?limit=2&after={ids[3]}") == [ids[2], ids[1]]


async def test_pages_of_versions_follow_each_other_in_both_orders(prompts: Asking) -> None:
    made, other = await prompts.made("x", (), versions=12), await prompts.made("y", (), versions=2)

    async def page(query: str) -> list[int]:
        return [one["version"] for one in await prompts.listed(f"/{made}/versions{query}")]

    assert await page("") == [*range(1, 13)] and await page("?order=desc") == [*range(12, 0, -1)]
    first = await prompts.done("GET", f"/{made}/versions?limit=10")
    assert (first["first_id"], first["last_id"], first["has_more"]) == (f"{made}-1", f"{made}-10", True)
    assert await page(f"?after={first['last_id']}") == [11, 12]
    assert await page(f"?limit=2&before={made}-9") == [7, 8]
    for cursor in (made, f"{made}-13", f"{other}-1", "x"):
        error = await prompts.refused(400, "GET", f"/{made}/versions?after={cursor}")
        assert (error["param"], error["code"]) == ("after", "invalid_cursor")


async def test_a_user_sees_own_prompts_alone(prompts: Asking) -> None:
    ann, bob = User(principal="ann"), User(principal="bob", attributes={"teams": ("red",)})
    cleo = User(principal="cleo", attributes={"teams": ("red",)})
    api = prompts.api
    with serving(RequestContext(user=bob)):
        made = (await api.create_prompt(CreatePromptRequest(prompt="secret"))).prompt_id
    with serving(RequestContext(user=ann)):
        assert (await api.list_prompts(ListPromptsRequest())).value()["data"] == []
        for asking in (
            api.get_prompt(GetPromptRequest(prompt_id=made)),
            api.get_prompt(GetPromptRequest(prompt_id=made, version=1)),
            api.list_versions(ListVersionsRequest(prompt_id=made)),
            api.update_prompt(UpdatePromptRequest(prompt_id=made, prompt="x", version=1)),
            api.set_default_version(SetDefaultVersionRequest(prompt_id=made, version=1)),
            api.delete_prompt(PromptRequest(prompt_id=made)),
            api.fill_prompt(FillPromptRequest(id=made)),
            api.fill_prompt(FillPromptRequest(id=made, version="1")),
        ):
            with pytest.raises(NotFound):
                await asking
    with serving(RequestContext(user=cleo)):
        changed = await api.update_prompt(UpdatePromptRequest(prompt_id=made, prompt="shared", version=1))
    with serving(RequestContext(user=bob)):
        assert await api.get_prompt(GetPromptRequest(prompt_id=made)) == changed
        assert [one["prompt"] for one in (await api.list_prompts(ListPromptsRequest())).value()["data"]] == ["shared"]
