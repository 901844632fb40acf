"""Pydantic's errors as problems: place, words, nearest names, no secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator

from runtime.config.document import parse
from runtime.config.substitution import resolve
from runtime.config.validation import check
from runtime.errors import Problem


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Cat(Strict):
    type: Literal["cat"] = "cat"
    lives: int = 9


class Dog(Strict):
    type: Literal["dog"] = "dog"
    name: str


class Settings(Strict):
    name: str = "x"
    api_key: SecretStr | None = None
    path: Path | None = None
    port: int = Field(1, ge=1, le=9)
    ratio: float = 0.5
    fast: bool = False
    base_url: str | None = Field(None, validation_alias=AliasChoices("base_url", "url"))
    mode: Literal["a", "b"] = "a"
    labels: list[str] = Field(default_factory=list)
    pets: dict[str, Annotated[Cat | Dog, Field(discriminator="type")]] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _not_bad(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("`bad` is not good")
        return value


def checked(text: str, env: dict[str, str] | None = None) -> tuple[Settings | None, list[str]]:
    node, problems = parse(text)
    assert node is not None
    resolved = resolve(node, env or {}, problems=problems, uses=[])
    found = check(Settings, resolved, problems=problems, file="f")
    return found, [str(problem) for problem in problems]


@pytest.mark.parametrize("text", ["name: 0123", "name: ${env.V:=0123}", "name: '0123'"])
def test_text_fields_get_digits_as_they_were_written(text: str) -> None:
    settings, problems = checked(text)
    assert problems == []
    assert settings is not None
    assert settings.name == "0123"


def test_a_key_of_digits_from_the_environment_stays_a_key() -> None:
    settings, problems = checked("api_key: ${env.KEY}\nlabels: [yes, 1.50, a]\npath: 007", {"KEY": "00123"})
    assert problems == []
    assert settings is not None
    assert settings.api_key is not None
    assert (settings.api_key.get_secret_value(), settings.labels, settings.path) == (
        "00123",
        ["yes", "1.50", "a"],
        Path("007"),
    )


def test_numbers_and_switches_may_come_as_text() -> None:
    settings, _ = checked('port: "3"\nfast: ${env.F:=TRUE}\nratio: ${env.R:=2}')
    assert settings is not None
    assert (settings.port, settings.fast, settings.ratio) == (3, True, 2.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prot: 1", "f:1: prot: unknown key `prot` (did you mean `port`?)"),
        ("base_ulr: x", "f:1: base_ulr: unknown key `base_ulr` (did you mean `base_url`?)"),
        (
            "zzz: x",
            "f:1: zzz: unknown key `zzz` (the keys here are api_key, base_url, fast, labels, mode, name, path, pets,"
            " port, ratio, url)",
        ),
        ("port: x", "f:1: port: expected a whole number, got `x`"),
        ("port: 1.5", "f:1: port: expected a whole number, got `1.5`"),
        ("port: 10", "f:1: port: expected a number of at most 9, got `10`"),
        ("port: null", "f:1: port: expected a whole number, got nothing"),
        ("ratio: [1]", "f:1: ratio: expected a number, got a list"),
        ("fast: {a: 1}", "f:1: fast: expected true or false, got a mapping"),
        ("fast: maybe", "f:1: fast: expected true or false, got `maybe`"),
        ("name: [1]", "f:1: name: expected text, got a list"),
        ("name: bad", "f:1: name: `bad` is not good"),
        ("api_key: [1]", "f:1: api_key: expected text"),
        ("labels: https://u:p@h", "f:1: labels: expected a list, got `https://********@h`"),
        ("labels: x", "f:1: labels: expected a list, got `x`"),
        ("labels:\n- {a: 1}", "f:2: labels[0]: expected text, got a mapping"),
        ("mode: c", "f:1: mode: expected `a` or `b`, got `c`"),
        ("name: 1\nport: " + "9" * 80, f"f:2: port: expected a number of at most 9, got `{'9' * 57}...`"),
        ("- 1", "f:1: expected a mapping, got a list"),
        ("pets:\n  a: {type: dgo}", "f:2: pets.a.type: expected `cat` or `dog`, got `dgo` (did you mean `dog`?)"),
        ("pets:\n  a: {type: horse}", "f:2: pets.a.type: expected `cat` or `dog`, got `horse`"),
        ("pets:\n  a: {name: x}", "f:2: pets.a.type: is missing (expected `cat` or `dog`)"),
        ("pets:\n  a: {type: dog}", "f:2: pets.a.name: is missing"),
        ("pets:\n  a: {type: cat, live: 1}", "f:2: pets.a.live: unknown key `live` (did you mean `lives`?)"),
    ],
)
def test_an_error_is_said_where_it_is(text: str, problem: str) -> None:
    assert checked(text) == (None, [problem])


def test_problems_come_in_the_order_of_the_file() -> None:
    _, problems = checked("zzzz: 1\nport: x\nfast: [1]\nname: 12\n")
    assert [problem.split(": ")[0] for problem in problems] == ["f:1", "f:2", "f:3"]


def test_problems_are_added_to_those_there_are() -> None:
    node, _ = parse("port: x")
    assert node is not None
    problems = [Problem(message="before")]
    assert check(Settings, node, problems=problems) is None
    assert [problem.message for problem in problems] == ["before", "expected a whole number, got `x`"]
