"""Variables that Kubernetes or the system set, and not the user."""

from __future__ import annotations

import pytest

from runtime.config.loading import parse_run_config
from runtime.config.variables import is_link, lookup
from runtime.errors import ConfigInvalid

LINK = "tcp://10.0.0.1:8321"


def port_of(reference: str, env: dict[str, str]) -> tuple[int, list[str]]:
    config = parse_run_config(f"distro_name: x\nserver:\n  port: {reference}\n", env=env)
    return config.server.port, config.warnings


@pytest.mark.parametrize("name", ["LLAMA_STACK_PORT", "OGX_PORT"])
def test_the_address_of_a_service_is_no_port(name: str) -> None:
    port, [warning] = port_of("${env.LLAMA_STACK_PORT:=8400}", {name: LINK})
    assert port == 8400
    assert warning.startswith(f"`server.port` (line 3): `{name}` is the address that Kubernetes gives for a service")
    assert port_of("${env.LLAMA_STACK_PORT:=8400}", {"LLAMA_STACK_PORT": LINK, "OGX_PORT": "1"}) == (1, [])


def test_without_a_default_the_message_tells_what_the_variable_holds() -> None:
    with pytest.raises(ConfigInvalid, match="`POSTGRES_PORT` is the address that Kubernetes gives for a service"):
        port_of("${env.POSTGRES_PORT}", {"POSTGRES_PORT": "tcp://10.0.0.2:5432"})


def test_a_wrong_port_stays_wrong() -> None:
    with pytest.raises(ConfigInvalid, match="expected a whole number, got `abc`"):
        port_of("${env.LLAMA_STACK_PORT:=8400}", {"LLAMA_STACK_PORT": "abc"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("A_PORT", "udp://[fd00::1]:53", True),
        ("A_PORT", "tcp://10.0.0.1", False),
        ("A_URL", LINK, False),
        ("A_PORT", "http://h:1", False),
    ],
)
def test_only_what_kubernetes_sets_is_passed_over(name: str, value: str, expected: bool) -> None:
    assert (is_link(name, value), lookup(name, {name: value})) == (expected, "" if expected else value)


def test_bytes_that_are_no_text_are_a_problem_that_does_not_show_them() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config("distro_name: x\ncontainer_image: ${env.X}\n", env={"X": "se\udcffcret"})
    [problem] = raised.value.problems
    assert problem.message == "`X` holds bytes that are not UTF-8"
