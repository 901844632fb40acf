"""Errors: their status, their body, and the names they suggest."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime import errors
from runtime.errors import ConfigInvalid, Problem, StackError, UpstreamRejected
from runtime.similar import did_you_mean, names_for, nearest, suggestion


def tree() -> Iterator[tuple[str, int]]:
    """(class, status) as the module's docstring draws them, where it gives a status."""
    for name, status in re.findall(r"(\w+) +(\d{3}) ", errors.__doc__ or ""):
        yield name, int(status)


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = dict(tree())
    assert len(drawn) == 18
    assert {name: getattr(errors, name).status for name in drawn} == drawn


def test_every_error_is_in_the_tree() -> None:
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, StackError)
    }
    assert [name for name in classes if name not in (errors.__doc__ or "")] == []


def test_a_body_has_openai_s_shape_and_the_hint_in_its_message() -> None:
    error = errors.NotFound("Model `a` is not served", hint="did you mean `b`?", param="model", code="model_not_found")
    assert error.body() == {
        "error": {
            "message": "Model `a` is not served\nhint: did you mean `b`?",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


def test_a_code_comes_from_the_class_unless_given() -> None:
    assert errors.Unavailable("x").code == "unavailable"
    assert errors.Unavailable("x", code="y").code == "y"


def test_openai_s_clients_are_told_what_not_to_send_again() -> None:
    """They do after a 409 and every 5xx. What may go better, or is a vendor's to say, is left to them."""
    for error in (errors.StackError("x"), errors.NotSupported("x"), errors.Conflict("x", headers={"a": "b"})):
        assert error.headers["x-should-retry"] == "false", error
    for error in (
        errors.RequestError("x"),
        errors.RateLimited("x"),
        errors.Unavailable("x"),
        errors.UpstreamError("x", provider_id="p"),
        errors.UpstreamTimeout("x", provider_id="p"),
        UpstreamRejected("x", provider_id="p", upstream_status=409),
    ):
        assert "x-should-retry" not in error.headers, error


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, None, "invalid_request_error"),
        (401, None, "authentication_error"),
        (403, None, "permission_error"),
        (429, None, "rate_limit_error"),
        (429, "tokens", "tokens"),
    ],
)
def test_a_refusal_passed_on_keeps_the_vendor_s_type_or_has_that_of_its_status(
    status: int, said: str | None, expected: str
) -> None:
    error = UpstreamRejected("no", provider_id="p", upstream_status=status, type=said)
    assert (error.status, error.type) == (status, expected)


def test_a_problem_says_where_it_is() -> None:
    problem = Problem(message="no such thing", path="a.b[0]", file="run.yaml", line=7, hint="try c")
    assert str(problem) == "run.yaml:7: a.b[0]: no such thing (try c)"
    assert str(Problem(message="no such thing")) == "no such thing"


@pytest.mark.parametrize(("count", "head"), [(1, "the template has 1 problem"), (2, "the template has 2 problems")])
def test_config_invalid_lists_every_problem(count: int, head: str) -> None:
    problems = [Problem(message=f"problem {number}") for number in range(count)]
    error = ConfigInvalid(problems, what="template")
    assert error.message.split("\n") == [head, *(f"  problem {number}" for number in range(count))]
    assert error.problems == tuple(problems)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("remote::olama", ["remote::ollama", "remote::openai", "inline::meta-reference"], "remote::ollama"),
        ("ollama", ["remote::ollama", "remote::openai"], "remote::ollama"),
        ("gpt-4o-mni", ["openai/gpt-4o-mini", "openai/o3"], "openai/gpt-4o-mini"),
        ("GROQ", ["groq", "openai"], "groq"),
    ],
)
def test_the_nearest_name_comes_first(name: str, known: list[str], expected: str) -> None:
    assert nearest(name, known)[0] == expected


def test_what_looks_like_nothing_has_no_nearest_name() -> None:
    assert nearest("zzzzzz", ["remote::ollama", "remote::openai"]) == []


def test_a_prefix_alone_does_not_make_names_alike() -> None:
    assert nearest("remote::zzzzzz", ["remote::ollama", "remote::vllm"]) == []


def test_no_more_names_than_asked_for() -> None:
    assert len(nearest("model", [f"model{number}" for number in range(9)], limit=2)) == 2


@given(
    name=st.text("ab:/", min_size=1, max_size=6),
    others=st.lists(st.text("ab:/", min_size=1, max_size=6), max_size=150),
)
@example(name="starter", others=["remote::starter", "Starter"])
def test_what_was_typed_is_never_suggested(name: str, others: list[str]) -> None:
    known = [*others, name]
    assert name not in nearest(name, known)
    words = names_for(name, known) or ""
    assert f"`{name}`" not in words
    assert name not in words.removeprefix("there are ").split(", ")


def test_close_names_in_words() -> None:
    assert did_you_mean("stater", ["starter", "remote"]) == "did you mean `starter`?"
    assert suggestion(["a", "b"]) == "did you mean `a` or `b`?"
    assert did_you_mean("zzzzzz", ["starter"]) is None
