"""What a person reads of a value that a model refuses: every type of pydantic's errors, unions, near names, secrets."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticKnownError
from pydantic_core._pydantic_core import list_all_errors
from typing_extensions import TypedDict

from runtime.invalid.describing import described, written
from runtime.invalid.vocabulary import JSON, YAML, Vocabulary


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Square(Strict):
    side: int
    colour: Colour = Colour.RED


class Circle(Strict):
    radius: float = Field(gt=0)


class Text(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    type: Literal["text"]
    text: str


class Link(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    type: Literal["link"]
    link: str


class Drawing(Strict):
    shape: Square | Circle | None = None
    name: str | list[str] | None = Field(None, max_length=5)
    sides: list[int] | dict[str, int] = Field(default_factory=list)
    mode: Literal["plain", "fancy"] | Square = "plain"
    part: str | Annotated[Text | Link, Field(discriminator="type")] = ""
    parts: list[Annotated[Text | Link, Field(discriminator="type")]] = Field(default_factory=list, max_length=2)
    base_url: str | None = Field(None, validation_alias=AliasChoices("base_url", "url"))
    api_key: int = 0
    headers: dict[str, str] = Field(default_factory=dict)
    str_: dict[str, int] = Field(default_factory=dict, alias="str")


def told(given: Any, words: Vocabulary = JSON, model: type[BaseModel] = Drawing) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate_json(json.dumps(given), strict=True)
    found = described(raised.value.errors(include_url=False), model, given, words)
    return [f"{written(one.steps)}: {one.words}" for one in found]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"nam": "x"}, "nam: unknown field `nam` (did you mean `name`?)"),
        ({"ulr": "x"}, "ulr: unknown field `ulr` (did you mean `url`?)"),
        ({"name": 5}, "name: expected a string or an array, got `5`"),
        ({"name": ["a", 5]}, "name[1]: expected a string, got `5`"),
        ({"name": "abcdef"}, "name: expected at most 5 characters, got 6, beginning with `abcdef`"),
        ({"sides": "5"}, 'sides: expected an array or an object, got `"5"`'),
        ({"sides": {"a": "5"}}, 'sides.a: expected a whole number, got `"5"`'),
        ({"shape": {"side": "x"}}, 'shape.side: expected a whole number, got `"x"`'),
        ({"shape": {"side": 1, "colour": "rad"}}, "shape.colour: expected `red` or `blue`, got `rad`"
         " (did you mean `red`?)"),
        ({"shape": {"radius": 0}}, "shape.radius: expected a number greater than 0, got `0`"),
        ({"shape": {"radius": 1, "colr": 2}}, "shape.colr: unknown field `colr` (the fields here are radius)"),
        ({"shape": 7}, "shape: expected an object, got `7`"),
        ({"mode": "plane"}, "mode: expected `plain`, `fancy` or an object, got `plane` (did you mean `plain`?)"),
        ({"mode": {"colour": "red"}}, "mode.side: is missing"),
        ({"parts": [{"type": "txt"}]}, "parts[0].type: expected `text` or `link`, got `txt` (did you mean `text`?)"),
        ({"parts": [{"text": "x"}]}, "parts[0].type: is missing (expected `text` or `link`)"),
        ({"parts": ["x"]}, 'parts[0]: expected an object, got `"x"`'),
        ({"parts": [{"type": "text", "txt": 1}]}, "parts[0].txt: unknown field `txt` (did you mean `text`?)"),
        ({"parts": [{"type": "link"}] * 3}, "parts: expected at most 2 items, got 3"),
        ({"part": 5}, "part: expected a string or an object, got `5`"),
        ({"part": {"type": "text", "text": 5}}, "part.text: expected a string, got `5`"),
        ({"api_key": "sk-1"}, "api_key: expected a whole number"),
        ({"headers": {"x": 5}}, "headers.x: expected a string"),
        ({"str": {"str": True}}, "str.str: expected a whole number, got `true`"),
        ({"a\x1b[1m": 1}, "a\\x1b[1m: unknown field `a\\x1b[1m` (the fields here are api_key, base_url, headers, mode,"
         " name, part, parts, shape, sides, str, url)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once_at_its_place(given: Any, words: str) -> None:
    assert told(given) == [words]


def test_yaml_has_its_own_words() -> None:
    assert told({"shape": 7, "nam": None, "sides": "5"}, YAML) == [
        "shape: expected a mapping, got `7`",
        "sides: expected a list or a mapping, got `5`",
        "nam: unknown key `nam` (did you mean `name`?)",
    ]


def test_an_address_is_shown_without_its_password() -> None:
    assert told({"shape": "https://u:p@h"}) == ['shape: expected an object, got `"https://********@h"`']


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: str
    kind: Annotated[Text | Link, Field(discriminator="type")] | None = None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"modle": "m", "other": 1}, "model: is missing (`modle` is given: did you mean `model`?)"),
        ({"model": "m", "kind": {"typ": 1}}, "kind.type: is missing (`typ` is given: did you mean `type`?)"),
        ({"x": 1}, "model: is missing"),
    ],
)
def test_a_misspelt_field_of_an_open_object_is_found_by_the_one_that_is_missing(given: Any, words: str) -> None:
    assert told(given, model=Open) == [words]


def test_where_fields_are_closed_the_misspelt_one_is_told_once() -> None:
    assert told({"sid": 1}, model=Square) == ["side: is missing", "sid: unknown field `sid` (did you mean `side`?)"]


def test_many_choices_are_listed_unless_one_is_surely_meant() -> None:
    class Letters(BaseModel):
        one: Literal["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"]

    assert told({"one": "gama"}, model=Letters) == ["one: unknown value `gama` (did you mean `gamma`?)"]
    assert "`iota`, got `sigma` (did you mean `gamma`?)" in told({"one": "sigma"}, model=Letters)[0]
    assert "`theta` or `iota`, got `xxxxxx`" in told({"one": "xxxxxx"}, model=Letters)[0]


class Anything(BaseModel):
    value: Any


@pytest.mark.parametrize("kind", [one["type"] for one in list_all_errors()])
def test_every_type_of_pydantic_s_errors_has_words(kind: Any) -> None:
    """Its own message is nowhere among them."""
    [known] = [one for one in list_all_errors() if one["type"] == kind]
    context: dict[str, Any] | None = known.get("example_context")
    if kind in ("literal_error", "enum"):
        context = {"expected": "'a' or 'b'"}
    elif kind == "union_tag_invalid":
        context = {"discriminator": "'type'", "tag": "c", "expected_tags": "'a', 'b'"}
    elif kind in ("value_error", "assertion_error"):
        context = {"error": ValueError("is not good")}
    message = PydanticKnownError(kind, context).message()
    error = ErrorDetails(type=kind, loc=("value",), msg=message, input="x", ctx=context or {})
    [wrong] = described([error], Anything, {"value": "x"}, JSON)
    assert wrong.message and wrong.message != message
    assert "Input" not in wrong.message and "{" not in wrong.message
