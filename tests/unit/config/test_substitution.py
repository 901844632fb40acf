"""`${env.X}`: what comes out, of which type, and what is a problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.config import substitution
from runtime.config.document import Node, parse
from runtime.config.substitution import Use
from runtime.errors import Problem

ENV = {"X": "value", "EMPTY": "", "N": "42", "lower": "low", "HOME": "/home/u"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${env.X}", "value"),
        ("${env.X:=d}", "value"),
        ("${env.NO:=d}", "d"),
        ("${env.EMPTY:=d}", "d"),
        ("${env.NO:=}", None),
        ("${env.X:+v}", "v"),
        ("${env.NO:+v}", None),
        ("${env.EMPTY:+v}", None),
        ("${env.X:+}", None),
        ("${env.lower}", "low"),
        ("a ${env.X} b ${env.NO:=c} ${env.X:+d}", "a value b c d"),
        ("${env.NO:=http://h:1/v1}", "http://h:1/v1"),
        ("${env.NO:=a:=b}", "a:=b"),
        ("$X ${X} ${{env.X}}", "$X ${X} ${{env.X}}"),
        ("~/x", "/home/u/x"),
        ("~", "/home/u"),
        ("${env.NO:=~/x}/y", "/home/u/x/y"),
        ("a~/x", "a~/x"),
        ("~other/x", "~other/x"),
        ("~ about", "~ about"),
    ],
)
def test_references_are_replaced(text: str, value: object) -> None:
    assert substitution.substitute(text, ENV).value == value


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("0123", 123),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1e999", "1e999"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        (" 1", " 1"),
        ("yes", "yes"),
        ("null", "null"),
        ("1" * 1001, "1" * 1001),
    ],
)
def test_what_was_substituted_takes_its_type_and_keeps_its_text(found: str, value: object) -> None:
    result = substitution.substitute("${env.V}", {"V": found})
    assert (result.value, type(result.value), result.text) == (value, type(value), found)


def test_what_was_not_substituted_stays_text() -> None:
    assert substitution.substitute("42", {}).value == "42"


@pytest.mark.parametrize("text", ["${env.NO}", "${env.EMPTY}"])
def test_a_bare_reference_to_nothing_is_missing(text: str) -> None:
    assert substitution.substitute(text, ENV).missing == (text[6:-1],)


def test_every_missing_variable_is_named_once() -> None:
    assert substitution.substitute("${env.A}${env.B}${env.A}", {}).missing == ("A", "B")


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("${env.X:-d}", "${env.X:-..."),
        ("${env.}", "${env.}..."),
        ("a ${env.X", "${env.X..."),
        ("${env.A:=${env.B}}", "${env.A:=..."),
        ("${env.A:=${env.B:=secret}}", "${env.A:=..."),
        ("${env.X-Y}", "${env.X-..."),
    ],
)
def test_what_only_looks_like_a_reference_is_malformed(text: str, piece: str) -> None:
    result = substitution.substitute(text, ENV)
    assert ([one.shown for one in result.malformed], result.value) == ([piece], text)


@pytest.mark.parametrize(
    ("variable", "env", "value"),
    [
        ("OGX_PORT", {"LLAMA_STACK_PORT": "1"}, "1"),
        ("LLAMA_STACK_PORT", {"OGX_PORT": "2"}, "2"),
        ("LLAMA_STACK_PORT", {"OGX_PORT": "2", "LLAMA_STACK_PORT": "1"}, "1"),
        ("LLAMA_STACK_PORT", {"OGX_PORT": ""}, ""),
        ("PORT", {"OGX_PORT": "2"}, ""),
    ],
)
def test_both_names_of_the_house_are_one_variable(variable: str, env: dict[str, str], value: str) -> None:
    assert substitution.lookup(variable, env) == value


def test_variables_and_ids_can_be_read_without_an_environment() -> None:
    assert substitution.variables_in("${env.A:+x}${env.B}${env.A}") == ("A", "B")
    assert substitution.when_set("${env.A:+x}-${env.B:=y}") == "x-${env.B:=y}"


def resolved(text: str) -> tuple[Node, list[Problem], list[Use]]:
    node, problems = parse(text)
    assert node is not None
    uses: list[Use] = []
    return substitution.resolve(node, ENV, problems=problems, uses=uses, file="run.yaml"), problems, uses


def test_a_tree_is_substituted_everywhere_and_tells_which_variables_it_read() -> None:
    node, problems, uses = resolved("a:\n- b: ${env.N:=1}\n  c: 2\nd: ${env.NO:=x}${env.X:+y}\n")
    assert (node.plain(), problems) == ({"a": [{"b": 42, "c": 2}], "d": "xy"}, [])
    assert uses == [
        Use(path="a[0].b", line=2, variable="N", form="=", is_set=True),
        Use(path="d", line=4, variable="NO", form="=", is_set=False),
        Use(path="d", line=4, variable="X", form="+", is_set=True),
    ]
    number = node.get("a", 0, "b")
    assert number is not None
    assert number.text == "42"


def test_problems_name_variable_path_file_and_line() -> None:
    _, problems, _ = resolved("a:\n  b: ${env.NO}\n  c: ${env.X:?}\n")
    assert [str(problem) for problem in problems] == [
        "run.yaml:2: a.b: `NO` is not set (set it, or give a default: `${env.NO:=default}`)",
        "run.yaml:3: a.c: `${env.X:?...` is not a reference that can be read"
        " (the forms are `${env.X}`, `${env.X:=default}` and `${env.X:+value}`, without another one inside)",
    ]


def test_without_a_home_variable_the_systems_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = substitution.substitute("~/x", {}).value
    assert found == str(Path.home() / "x")


def test_a_secret_is_no_path() -> None:
    node, _, _ = resolved(
        "api_key: ~/x\npassword: ${env.NO:=~}\npath: ~/x\ntoken_file: ~/x\nheaders: {Authorization: ~/x}\n"
    )
    assert node.plain() == {
        "api_key": "~/x",
        "password": "~",
        "path": "/home/u/x",
        "token_file": "/home/u/x",
        "headers": {"Authorization": "~/x"},
    }
