"""YAML with lines and key paths."""

from __future__ import annotations

import json

import pytest

from runtime.config.document import Node, parse
from runtime.errors import Problem


def parsed(text: str) -> Node:
    node, problems = parse(text)
    assert problems == []
    assert node is not None
    return node


def test_nodes_know_value_path_and_line() -> None:
    node = parsed("a: 1\nb:\n  - c: x\n    d: 012\n  - yes\n")
    found = [
        (place.path, place.line, place.value, place.text)
        for place in (node.get("a"), node.get("b", 0, "d"), node.get("b", 1))
        if place
    ]
    assert found == [("a", 1, 1, "1"), ("b[0].d", 4, 10, "012"), ("b[1]", 5, True, "yes")]
    assert node.plain() == {"a": 1, "b": [{"c": "x", "d": 10}, True]}
    assert (node.get("b", 2), node.get("a", "x"), node.get("b", 0, "nope")) == (None, None, None)


def test_dates_and_bytes_stay_text() -> None:
    assert parsed("a: 2024-05-01\nb: !!str 5\n").plain() == {"a": "2024-05-01", "b": "5"}


def test_json_may_escape_a_character_in_two_halves() -> None:
    """As `json.dumps` writes what is beyond the first 65,536."""
    given = {"a 😀": ["😀!", "\U0010ffff"]}
    assert parsed(json.dumps(given)).plain() == given


def test_merge_keys_and_aliases_are_followed() -> None:
    node = parsed("base: &b {x: 1, y: 2}\none:\n  <<: *b\n  y: 3\ntwo: *b\n")
    assert node.plain() == {"base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"x": 1, "y": 2}}
    two = node.get("two")
    assert two is not None
    assert (two.path, two.line) == ("two", 5)


def test_locate_passes_over_steps_that_are_not_there() -> None:
    node = parsed("a:\n  - b: 1\n")
    at, steps = node.locate(("a", 0, "SomeModel", "b", "int"))
    assert (at.path, steps) == ("a[0].b", ["a", 0, "b"])


def test_without_nulls_drops_empty_keys() -> None:
    assert parsed("a: null\nb: 1\nc: {d: null}\n").without_nulls().plain() == {"b": 1, "c": {"d": None}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", [Problem(message="`a` is given twice, first in line 1", path="a", file="f", line=3)]),
        (
            "x:\n- {a: 1, a: 2}\n- {b: 1, b: 2}\n",
            [
                Problem(message="`a` is given twice, first in line 2", path="x[0].a", file="f", line=2),
                Problem(message="`b` is given twice, first in line 3", path="x[1].b", file="f", line=3),
            ],
        ),
        ("? [a]\n: 1\n", [Problem(message="a key must be a plain word", path="", file="f", line=1)]),
        (
            "a: !!python/object:os.system x\n",
            [
                Problem(
                    message="the tag `tag:yaml.org,2002:python/object:os.system` is not supported",
                    path="a",
                    file="f",
                    line=1,
                )
            ],
        ),
        (
            "a: !!int x\n",
            [Problem(message="is not of the type that its tag `int` says", path="a", file="f", line=1)],
        ),
        (
            "a: &a [*a]\n",
            [
                Problem(
                    message="an alias refers to itself, or aliases make the document too large",
                    path="a[0]",
                    file="f",
                    line=1,
                )
            ],
        ),
    ],
)
def test_what_a_config_must_not_hold_is_a_problem(text: str, expected: list[Problem]) -> None:
    assert parse(text, file="f")[1] == expected


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: b: c\n", "not valid YAML: mapping values are not allowed here", 1),
        ("a: [1\nb: 2\n", "not valid YAML: while parsing a flow sequence, expected ',' or ']', but got ':'", 2),
        (
            "a: 1\n\tb: 2\n",
            "not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token",
            2,
        ),
        ("a: 'x\n", "not valid YAML: while scanning a quoted scalar, found unexpected end of stream", 2),
        (
            "a: 1\n---\nb: 2\n",
            "not valid YAML: expected a single document in the stream, but found another document",
            2,
        ),
        ("a: *nope\n", "not valid YAML: found undefined alias 'nope'", 1),
    ],
)
def test_text_that_is_no_yaml_is_one_problem_with_its_line(text: str, message: str, line: int) -> None:
    node, [problem] = parse(text, file="f")
    assert node is None
    assert (problem.message, problem.file, problem.line) == (message, "f", line)


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    _, problems = parse("\n".join(lines))
    assert [problem.message for problem in problems] == [
        "an alias refers to itself, or aliases make the document too large"
    ]


def test_an_empty_document_is_null() -> None:
    assert parse("") == (Node(None, line=1), [])


def test_a_document_that_is_nested_without_end_is_refused() -> None:
    refused = Problem(message="the document is nested too deeply", file="f", line=2)
    assert parse("a:\n  " + "[" * 50_000, file="f") == (None, [refused])


def test_a_character_that_no_text_has_is_refused() -> None:
    _, problems = parse("a: \x00\n")
    assert [problem.message for problem in problems] == [
        "not valid YAML: unacceptable character #x0000: special characters are not allowed"
    ]


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a: 1\n\tb: 2\n", 2, "YAML is indented with spaces, not with tabs"),
        ("a: b: c\n", 1, "text with `: ` in it needs quotes; or the line is indented too far"),
        ("x:\n  - a: b\n   c: d\n", 3, "this line is indented as no line above it"),
        ("x: {a: ${env.A}}\n", 1, 'inside braces, `"${env.X}"` needs quotes'),
    ],
)
def test_the_commonest_slips_of_yaml_come_with_what_to_do(text: str, line: int, hint: str) -> None:
    node, [problem] = parse(text)
    assert node is None
    assert (problem.line, problem.hint) == (line, hint)
