"""`${env.X}` as it is written: where it ends, how older systems wrote it, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.config import references, substitution
from runtime.config.loading import parse_run_config
from runtime.errors import ConfigInvalid

plain = st.text(st.characters(blacklist_characters="{}", blacklist_categories=["Cs"]), max_size=8)
balanced = st.recursive(
    plain, lambda inner: st.tuples(plain, inner, plain).map(lambda parts: f"{parts[0]}{{{parts[1]}}}{parts[2]}")
).filter(lambda text: "${env." not in text)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(default=balanced, before=balanced, after=balanced)
def test_a_default_ends_where_its_braces_do(default: str, before: str, after: str) -> None:
    text = f"{before}${{env.X:={default}}}{after}"
    [reference], malformed = references.find(text)
    assert (reference.argument, malformed) == (default, [])
    assert (text[: reference.start], text[reference.end :]) == (before, after)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(text=st.text(alphabet="{}a:=+-${env.X}", max_size=30), default=balanced)
def test_every_string_is_read_or_refused_and_never_cut(text: str, default: str) -> None:
    result = substitution.substitute(text + f"${{env.X:={default}}}", {})
    assert result.malformed or result.text.endswith(substitution.substitute(default, {}).text[-1:])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env.NO:=p{w}d}", "p{w}d"),
        ('${env.NO:={"a": {"b": 1}}}', '{"a": {"b": 1}}'),
        ("${env.NO:={}}", "{}"),
        ("${env.X:+{v}}/{id}", "{v}/{id}"),
        ("{${env.NO:=a}}", "{a}"),
        ("${env.X}}", "x}"),
    ],
)
def test_braces_in_pairs_belong_to_the_default(text: str, value: str) -> None:
    assert substitution.substitute(text, {"X": "x"}).value == value


@pytest.mark.parametrize("text", ["${env.X:=p{wd}", "${env.X:=p}wd}", "${env.X:=open", "${env.X:+v}}", "${env.X:{a}"])
def test_braces_that_are_not_in_pairs_are_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(f"distro_name: x\ncontainer_image: '{text}'\n", env={"X": "secret"})
    [problem] = raised.value.problems
    assert (problem.path, problem.line) == ("container_image", 2)
    assert "has braces that are not in pairs" in problem.message
    assert "p" not in problem.message.split("`")[1], "a default may be a secret"


@pytest.mark.parametrize(
    ("text", "unset", "is_set", "fix"),
    [
        ("${env.X:http://h:1/v1}", "http://h:1/v1", "value", "write `${env.X:=...}`"),
        ("${env.X:5432}", 5432, "value", "write `${env.X:=...}`"),
        ("${env.X:}", None, "value", "write `${env.X:=...}`"),
        ("${env.X:p{w}d}", "p{w}d", "value", "write `${env.X:=...}`"),
        ("${env.X+v}", None, "v", "write `${env.X:+...}`"),
    ],
)
def test_a_reference_from_before_0_2_13_is_read_and_warned_of(text: str, unset: object, is_set: str, fix: str) -> None:
    assert substitution.substitute(text, {}).value == unset
    assert substitution.substitute(text, {"X": "value"}).value == is_set
    [warning] = parse_run_config(f"distro_name: x\ncontainer_image: 'a ${text[1:]}'\n", env={}).warnings
    assert warning.startswith("`container_image` (line 2): `${env.X")
    assert fix in warning
    assert "5432" not in warning, "a default may be a secret"


def test_the_newer_forms_are_not_warned_of() -> None:
    text = "distro_name: x\ncontainer_image: ${env.X:=http://h:1}${env.X:+v:1}${env.X:=}${env.X:+}\n"
    assert parse_run_config(text, env={}).warnings == []
