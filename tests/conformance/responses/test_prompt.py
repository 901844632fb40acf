"""Prompts that are kept here and named by a response: what the model reads of them, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from runtime.conformance.upstream.scripted import says
from runtime.errors import NotSupported
from runtime.providers.responses.builtin.prompting import prompt_item
from tests.conformance.responses.asking import MODEL, Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")
Json = dict[str, Any]
IMAGE = "data:image/png;base64,AAAA"


async def made(asking: Asking, text: str, *variables: str) -> str:
    answered = await asking.client.post("/v1/prompts", {"prompt": text, "variables": list(variables)})
    assert answered.status == 200, answered.body
    prompt_id: str = answered.json()["prompt_id"]
    return prompt_id


async def read(asking: Asking, **fields: Any) -> list[tuple[str, Any]]:
    """What the model reads, as roles and contents."""
    script = asking.says(says("ok"))
    response = await asking.whole(**fields)
    assert response["prompt"]["id"] == fields["prompt"]["id"]
    return [(message["role"], message["content"]) for message in script.asked[-1]["messages"]]


async def test_a_text_is_what_a_system_says_first(asking: Asking) -> None:
    prompt_id = await made(asking, "Answer in {{ language }}.", "language")
    named = {"id": prompt_id, "variables": {"language": "Quechua"}}
    assert await read(asking, prompt=named) == [("system", "Answer in Quechua."), ("user", "Hi")]
    assert await read(asking, prompt=named, instructions="Be brief") == [
        ("system", "Be brief"), ("system", "Answer in Quechua."), ("user", "Hi"),
    ]  # fmt: skip
    part = {"type": "input_text", "text": "Quechua"}
    assert (await read(asking, prompt={"id": prompt_id, "variables": {"language": part}}))[0][1] == "Answer in Quechua."


async def test_it_may_be_all_that_is_asked(asking: Asking) -> None:
    prompt_id = await made(asking, "Tell a joke.")
    assert await read(asking, input=None, prompt={"id": prompt_id}) == [("user", "Tell a joke.")]


async def test_images_and_files_stand_in_their_places(asking: Asking) -> None:
    prompt_id = await made(asking, "Is {{ picture }} in {{ paper }}?", "picture", "paper")
    paper = {"type": "input_file", "file_data": base64.b64encode(b"Llamas").decode(), "filename": "a.txt"}
    picture = {"type": "input_image", "image_url": IMAGE}
    [prompt, asked] = await read(asking, prompt={"id": prompt_id, "variables": {"picture": picture, "paper": paper}})
    assert prompt == ("user", [
        {"type": "text", "text": "Is "},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "text", "text": " in "},
        {"type": "text", "text": "a.txt:\n\nLlamas"},
        {"type": "text", "text": "?"},
    ])  # fmt: skip
    assert asked == ("user", "Hi")


async def test_the_version_that_is_named_or_the_default_one(asking: Asking) -> None:
    prompt_id = await made(asking, "One")
    updated = await asking.client.post(f"/v1/prompts/{prompt_id}", {"prompt": "Two", "version": 1})
    assert updated.status == 200, updated.body
    assert (await read(asking, prompt={"id": prompt_id}))[0] == ("system", "Two")
    assert (await read(asking, prompt={"id": prompt_id, "version": "1"}))[0] == ("system", "One")


async def test_it_is_not_part_of_the_history(asking: Asking) -> None:
    prompt_id = await made(asking, "Be kind")
    first = await asking.whole(prompt={"id": prompt_id})
    script = asking.says(says("ok"))
    await asking.whole("More", previous_response_id=first["id"])
    assert "Be kind" not in str(script.asked)
    items = await asking.client.get(f"/v1/responses/{first['id']}/input_items")
    assert len(items.json()["data"]) == 1


async def test_its_tokens_are_counted(asking: Asking) -> None:
    named = {"prompt": {"id": await made(asking, "word " * 100)}}
    answered = await asking.client.post("/v1/responses/input_tokens", {"model": MODEL, "input": "Hi", **named})
    assert answered.json()["input_tokens"] > 100


@pytest.mark.parametrize(
    ("named", "status", "param"),
    [
        ({"id": "pmpt_gone"}, 404, "prompt.id"),
        ({"version": "9", "variables": {"a": "x"}}, 404, "prompt.version"),
        ({}, 400, "prompt.variables.a"),
        ({"variables": {"a": "x", "b": "y"}}, 400, "prompt.variables"),
        ({"variables": {"a": {"type": "input_image"}}}, 400, "prompt.variables.a.image_url"),
        ({"variables": {"a": {"type": "song"}}}, 400, "prompt.variables.a.type"),
        ({"variables": {"a": {"type": "input_file", "file_id": "file-none"}}}, 400, "input"),
    ],
)
async def test_what_does_not_fit_is_refused(asking: Asking, named: Json, status: int, param: str) -> None:
    prompt_id = await made(asking, "Look at {{ a }}", "a")
    before = len(asking.vendor.calls("/chat/completions"))
    refused = await asking.refused({"input": "Hi", "prompt": {"id": prompt_id, **named}})
    assert (refused["status"], refused["param"]) == (status, param), refused
    assert len(asking.vendor.calls("/chat/completions")) == before


async def test_without_prompts_it_is_refused_by_name() -> None:
    with pytest.raises(NotSupported) as raised:
        await prompt_item({"id": "pmpt_1"}, None, is_alone=False)
    assert raised.value.status == 501 and raised.value.param == "prompt"


async def test_a_prompt_with_a_key_that_nobody_knows_is_refused(asking: Asking) -> None:
    for field in ("prompt", "conversation"):
        error = await asking.refused({"input": "Hi", field: {"id": "x", "colour": "red"}})
        assert error["status"] == 400 and "colour" in str(error["param"]) + error["message"]
