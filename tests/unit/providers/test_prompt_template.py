"""What is a variable in the text of a prompt, and what becomes of values in the places of variables."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RequestError, TooLarge
from runtime.providers.prompts.builtin.template import Value, check_variables, filled, variables_in

TEXTS = st.text(st.sampled_from("{{{}}} ab_.-\n"), max_size=40)
PARTS = st.sampled_from([{"type": "input_image", "file_id": "1"}, {"type": "input_file", "file_id": "2"}])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{a}} {{ b }} {{\n c\t}} {{a}}", ["a", "b", "c"]),
        ("{{ größe }} {{ 名前 }} {{ _1 }} {{ 1 }}", ["größe", "名前", "_1", "1"]),
        ("{{{a}}} {{{{b}}}}", ["a", "b"]),
        ("{a} {{}} {{ }} {{ a b }} {{ a | upper }} {{ 'a': 1 }} { { a } } {{ a }", []),
        ("{{ a.b }} {{ a-b }}", ["a.b", "a-b"]),
    ],
)
def test_a_name_between_two_braces_is_a_variable(text: str, names: list[str]) -> None:
    assert variables_in(text) == names


@pytest.mark.parametrize("name", ["a.b", "a-b", "-", "x" * 65])
def test_what_looks_like_a_variable_and_is_none_is_refused(name: str) -> None:
    with pytest.raises(RequestError) as raised:
        check_variables(f"{{{{ {name} }}}}", [name])
    assert (raised.value.param, raised.value.code) == ("prompt", "invalid_variable_name")
    assert f"`{name[:64]}`" in raised.value.message


def test_of_many_names_the_first_are_told() -> None:
    with pytest.raises(RequestError) as raised:
        check_variables("".join(f"{{{{ v{number} }}}}" for number in range(300)), [])
    assert "`v9`" in raised.value.message and "`v10`" not in raised.value.message
    assert "and 290 more" in raised.value.message


@given(text=TEXTS, values=st.lists(st.one_of(TEXTS, PARTS), min_size=1, max_size=4))
def test_values_take_the_places_of_variables_and_nothing_else_changes(text: str, values: list[Value]) -> None:
    names = variables_in(text)
    by_name = {name: values[number % len(values)] for number, name in enumerate(names)}
    content = filled(text, by_name, variables=names)
    parts: list[Any] = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    assert isinstance(content, str) == all(isinstance(value, str) for value in by_name.values())
    kinds = [part["type"] for part in parts]
    assert isinstance(content, str) or ("input_text", "input_text") not in pairwise(kinds)
    assert isinstance(content, str) or all(part.get("text") != "" for part in parts)
    assert "".join(part["text"] if "text" in part else json.dumps(part) for part in parts) == in_turn(text, by_name)


def in_turn(text: str, values: dict[str, Value]) -> str:
    """The same, found from one place to the next; parts as JSON."""
    found = ""
    while text:
        rest = text[2:].lstrip() if text.startswith("{{") else ""
        name = rest[: next((at for at, char in enumerate(rest) if not (char.isalnum() or char in "_.-")), len(rest))]
        after = rest[len(name) :].lstrip()
        if name and after.startswith("}}"):
            value = values[name]
            found, text = found + (value if isinstance(value, str) else json.dumps(value)), after[2:]
        else:
            found, text = found + text[0], text[1:]
    return found


@pytest.mark.parametrize("value", ["y" * 1024, {"type": "input_image", "image_url": "data:" + "A" * 1024}])
def test_a_variable_that_is_repeated_without_end_does_not_fill_the_memory(value: Value) -> None:
    with pytest.raises(TooLarge, match="more than 16777216 characters"):
        filled("{{ a }}" * 20_000, {"a": value}, variables=["a"])


@pytest.mark.parametrize("value", ["y" * 17 * 1024**2, {"type": "input_file", "file_data": "A" * 17 * 1024**2}])
def test_a_large_value_may_stand_in_one_place(value: Value) -> None:
    content = filled("{{ a }}", {"a": value}, variables=["a"])
    assert content == (value if isinstance(value, str) else [value])
