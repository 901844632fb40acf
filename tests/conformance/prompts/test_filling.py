"""The `prompt` of a response, as the provider of responses asks for it: what becomes of values in each place."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import NotFound, RequestError
from tests.conformance.prompts.asking import Asking

IMAGE = {"type": "input_image", "image_url": "https://pictures.test/a.png", "detail": "low"}
FILE = {"type": "input_file", "file_id": "file-1"}


async def test_texts_make_a_text(prompts: Asking) -> None:
    made = await prompts.made("{{ a }} and {{b}}, {{a}}.", ("a", "b"))
    said = {"type": "input_text", "text": "{{ a }}"}
    assert await prompts.filled(made, a="One", b=said) == "One and {{ a }}, One."
    assert await prompts.filled(await prompts.made("plain", ())) == "plain"


async def test_parts_stand_in_their_places(prompts: Asking) -> None:
    made = await prompts.made(
        "Look at {{ picture }} with {{ who }}:\n{{ paper }}{{ picture }}", ("picture", "who", "paper")
    )
    assert await prompts.filled(made, picture=IMAGE, who="Ann", paper=FILE) == [
        {"type": "input_text", "text": "Look at "},
        IMAGE,
        {"type": "input_text", "text": " with Ann:\n"},
        FILE,
        IMAGE,
    ]


async def test_the_version_is_the_default_one_or_the_one_that_is_named(prompts: Asking) -> None:
    made = await prompts.made("One", ())
    await prompts.updated(made, 1, "Two")
    assert [await prompts.filled(made, version) for version in (None, "2", 2, "1", 1)] == [
        "One", "Two", "Two", "One", "One"
    ]  # fmt: skip


@pytest.mark.parametrize("version", ["3", 0, -1, "x", "01", "", 10**30])
async def test_an_unknown_version_is_a_404(prompts: Asking, version: Any) -> None:
    made = await prompts.made("One", ())
    with pytest.raises(NotFound) as raised:
        await prompts.filled(made, version)
    assert (raised.value.param, raised.value.code) == ("prompt.version", "prompt_version_not_found")


async def test_an_unknown_prompt_is_a_404(prompts: Asking) -> None:
    with pytest.raises(NotFound) as raised:
        await prompts.filled("pmpt_unknown")
    assert (raised.value.param, raised.value.code) == ("prompt.id", "prompt_not_found")


@pytest.mark.parametrize(
    ("values", "param", "said"),
    [
        ({}, "prompt.variables.a", "the variables `a`, `b`"),
        ({"b": "x"}, "prompt.variables.a", "the variable `a`"),
        ({"a": "x", "b": "y", "c": "z"}, "prompt.variables", "no variable `c`"),
        ({"a": "x", "b": {"type": "output_text", "text": "y"}}, "prompt.variables.b", "no part of a message"),
        ({"a": "x", "b": {"type": "input_text"}}, "prompt.variables.b", "no part of a message"),
        ({"a": "x", "b": {"type": ["input_text"]}}, "prompt.variables.b", "no part of a message"),
    ],
)
async def test_values_that_do_not_fit_are_refused_by_name(
    prompts: Asking, values: dict[str, Any], param: str, said: str
) -> None:
    made = await prompts.made("{{ a }} {{ b }}", ("a", "b"))
    with pytest.raises(RequestError) as raised:
        await prompts.filled(made, **values)
    assert raised.value.param == param and said in raised.value.message


async def test_it_is_mounted_nowhere(prompts: Asking) -> None:
    document = (await prompts.served.client.get("/openapi.json")).json()
    mounted = {path for path in document["paths"] if "prompts" in path}
    assert mounted == {
        "/v1/prompts",
        "/v1/prompts/{prompt_id}",
        "/v1/prompts/{prompt_id}/set-default-version",
        "/v1/prompts/{prompt_id}/versions",
    }
