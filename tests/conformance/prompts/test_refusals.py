"""What prompts refuse at the server's door, and what the caller is told: the same whatever database they are in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.prompts.asking import Asking

ANY_DATABASE = True


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("GET", "?version=1", None),
        ("DELETE", "", None),
        ("PUT", "", {"prompt": "x", "version": 1}),
        ("POST", "", {"prompt": "x", "version": 1}),
        ("GET", "/versions", None),
        ("PUT", "/set-default-version", {"version": 1}),
        ("POST", "/set-default-version", {"version": 1}),
    ],
)
async def test_an_unknown_prompt_is_a_404_with_its_id(prompts: Asking, method: str, path: str, body: Any) -> None:
    error = await prompts.refused(404, method, f"/pmpt_unknown{path}", body)
    assert (error["param"], error["code"]) == ("prompt_id", "prompt_not_found")
    assert "`pmpt_unknown`" in error["message"]


async def test_an_unknown_version_is_a_404_with_the_latest(prompts: Asking) -> None:
    made = await prompts.made(versions=2)
    for method, path, body in (("GET", "?version=3", None), ("PUT", "/set-default-version", {"version": 3})):
        error = await prompts.refused(404, method, f"/{made}{path}", body)
        assert (error["param"], error["code"]) == ("version", "prompt_version_not_found")
        assert "no version `3`: its latest is 2" in error["message"]


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"prompt": "{{ a }} {{b}}", "variables": ["a"]}, "variables", "the variable `b`"),
        ({"prompt": "{{ a }} {{b}}"}, "variables", "the variables `a`, `b`"),
        ({"prompt": "{{ a }}", "variables": ["a", "b"]}, "variables", "`variables` has `b`"),
        ({"prompt": "{{ user.name }}", "variables": []}, "prompt", "`user.name`"),
        ({"prompt": "{{ user-name }}", "variables": ["user-name"]}, "variables[0]", "`user-name`"),
        ({"prompt": "x", "variables": ["x" * 65]}, "variables[0]", "at most 64"),
        ({"prompt": "x", "variables": [""]}, "variables[0]", "letters, digits and underscores"),
        ({"prompt": "x", "variables": ["x"] * 257}, "variables", "at most 256"),
        ({"prompt": ""}, "prompt", "at least 1"),
        ({"prompt": "x" * (1024**2 + 1)}, "prompt", "at most 1048576"),
        ({"variables": ["x"]}, "prompt", "is missing"),
        ({"prompt": "x", "text": "y"}, "text", "unknown field `text`"),
    ],
)
async def test_what_does_not_fit_is_a_400_that_names_it(prompts: Asking, body: Any, param: str, said: str) -> None:
    made = await prompts.made("x", ())
    for method, path, more in (("POST", "", {}), ("PUT", f"/{made}", {"version": 1})):
        error = await prompts.refused(400, method, path, body | more)
        assert error["param"] == param and said in error["message"], error
    assert [one["version"] for one in await prompts.listed(f"/{made}/versions")] == [1]


@pytest.mark.parametrize("version", [0, -1, 2**31, "x", "1", 1.5, True, None])
async def test_a_version_that_is_none_is_a_400(prompts: Asking, version: Any) -> None:
    made = await prompts.made("x", ())
    for path, body in (("", {"prompt": "x"}), ("/set-default-version", {})):
        error = await prompts.refused(400, "PUT", f"/{made}{path}", {"version": version, **body})
        assert error["param"] == "version"
    for wrong in (0, -1, 2**31, "x", 1.5):
        assert (await prompts.refused(400, "GET", f"/{made}?version={wrong}"))["param"] == "version"


@pytest.mark.parametrize(
    ("query", "param"), [("limit=0", "limit"), ("limit=1001", "limit"), ("order=up", "order"), ("after=x", "after")]
)
async def test_a_wrong_page_is_a_400(prompts: Asking, query: str, param: str) -> None:
    assert (await prompts.refused(400, "GET", f"?{query}"))["param"] == param
