"""`LLAMA_STACK_PORT` and `OGX_PORT`: what a user sets counts, what Kubernetes sets does not."""

from __future__ import annotations

from typing import Any

import pytest

LINK = "tcp://10.0.0.1:8321"


@pytest.mark.parametrize(
    ("variables", "port", "warned_of"),
    [
        ({"LLAMA_STACK_PORT": LINK}, None, ["LLAMA_STACK_PORT"]),
        ({"OGX_PORT": LINK}, None, ["OGX_PORT"]),
        ({"LLAMA_STACK_PORT": LINK, "OGX_PORT": "8400"}, 8400, ["LLAMA_STACK_PORT"]),
        ({"LLAMA_STACK_PORT": "8500", "OGX_PORT": LINK}, 8500, []),
    ],
)
def test_the_address_of_a_service_is_ignored_with_a_warning(
    variables: dict[str, str], port: int | None, warned_of: list[str], cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = cli("stack", "run", "ci-tests", "--dry-run", "--json")
    assert (result.code, result.json()["options"]["port"]) == (0, port)
    for name in ("LLAMA_STACK_PORT", "OGX_PORT"):
        assert (f"`{name}` is `{LINK}`" in result.err) == (name in warned_of)


@pytest.mark.parametrize("others", [{}, {"LLAMA_STACK_PORT": LINK}])
def test_a_wrong_value_is_a_usage_error_that_names_its_variable(
    others: dict[str, str], cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**others, "OGX_PORT": "abc"}.items():
        monkeypatch.setenv(name, value)
    result = cli("stack", "run", "ci-tests", "--dry-run")
    assert result.code == 2
    assert "`OGX_PORT`: expected a whole number from 0 to 65535, got `abc`" in result.err


def test_an_address_that_somebody_types_is_a_usage_error(cli: Any) -> None:
    result = cli("stack", "run", "ci-tests", "--dry-run", "--port", LINK)
    assert (result.code, f"`--port`: expected a whole number from 0 to 65535, got `{LINK}`" in result.err) == (2, True)
