"""Who may reach a server: only this machine, unless something says otherwise."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from runtime.config.exposure import addressed_as, check_exposure, is_loopback
from runtime.config.sections import ServerConfig
from runtime.errors import ConfigInvalid, Problem


def refused(chosen: str | None, **server: object) -> Problem:
    with pytest.raises(ConfigInvalid) as caught:
        check_exposure(chosen, ServerConfig.model_validate(server))
    [problem] = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("", False)],
)
def test_which_hosts_are_this_machine(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local


def test_an_open_host_is_refused_where_it_was_said() -> None:
    chosen = refused("0.0.0.0")
    assert chosen.path == "--host" and "`server.insecure: true`" in (chosen.hint or "")
    assert refused(None, host="0.0.0.0").path == "server.host"


def test_an_open_host_is_a_choice_that_the_run_config_allows() -> None:
    check_exposure("0.0.0.0", ServerConfig(insecure=True))
    check_exposure(None, ServerConfig(host="0.0.0.0", insecure=True))


def test_a_local_host_from_the_command_line_mends_an_open_one() -> None:
    check_exposure("127.0.0.1", ServerConfig(host="0.0.0.0"))


def test_what_is_no_host_is_told() -> None:
    problem = refused("a" * 64 + ".example")
    assert "is not an address to listen on" in problem.message and problem.path == "--host"


@pytest.mark.parametrize(
    ("address", "allowed", "expected"),
    [("127.0.0.1", [], []), ("0.0.0.0", [], None), ("::", ["a"], ["a"]), ("127.0.0.1", ["a"], ["a"])],
)
def test_allowed_hosts_hold_whatever_is_listened_on(
    address: str, allowed: list[str], expected: list[str] | None
) -> None:
    assert addressed_as(ServerConfig(allowed_hosts=allowed), address) == expected


@pytest.mark.parametrize("host", ["*", "http://llama.example", "llama.example:8321", "llama.example/v1", "", "a b"])
def test_an_allowed_host_that_could_never_be_one_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="without scheme, port, path"):
        ServerConfig(allowed_hosts=["llama.example", host])


def test_allowed_hosts_are_names_and_addresses() -> None:
    hosts = ["llama.example", "Llama_1", "10.0.0.7", "fd00::1:2", "[fd00::7]"]
    assert ServerConfig(allowed_hosts=hosts).allowed_hosts == hosts
