"""What the doctor makes of what a server says of itself, and of servers that say nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llama_cli.checkup import providers
from llama_cli.checkup.findings import Distribution, Finding, Patient
from llama_cli.servers.records import Record
from runtime import __version__
from tests.support.command_runner import Cli
from tests.support.small_server import SmallHandler, running, url_of

HEALTH = {
    "good": {"status": "OK"},
    "silent": {"status": "Not Implemented"},
    "odd": {"status": "Confused"},
    "bad": {"status": "Error", "message": "it is down"},
}


class Handler(SmallHandler):
    """A server of ours with a provider in each state; below `/locked` it lets nobody in."""

    def do_GET(self) -> None:
        rows = [
            {"provider_id": name, "provider_type": "remote::x", "api": "inference", "health": health}
            for name, health in HEALTH.items()
        ]
        documents: dict[str, Any] = {"/v1/version": {"version": __version__}, "/v1/providers": {"data": rows}}
        if self.path in documents:
            self.document(documents[self.path])
        else:
            self.document({"error": {"message": "who are you?"}}, status=401)


@pytest.fixture
def url() -> Iterator[str]:
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield url_of(server)


def record(id: str, **facts: Any) -> Record:
    return Record(**{"id": id, "name": "mine", "state": "ready", "path": Path("/x"), "alive": True, **facts})


def found(**facts: Any) -> list[Finding]:
    return list(providers.providers(Patient(environment={}, home=Path("/x"), **facts)))


def test_each_state_of_a_provider_has_its_words(url: str) -> None:
    told = found(url=url)
    assert [finding.id for finding in told] == [
        "server/ok",
        "providers/ok",
        "providers/not-asked",
        "providers/unknown",
        "providers/failed",
    ]
    assert [finding.level for finding in told] == ["ok", "ok", "ok", "warning", "error"]
    assert {finding.fix for finding in told} == {None}, "of a server elsewhere, this machine has no log"


def test_a_server_that_lets_us_not_in_is_reached(url: str) -> None:
    [finding] = found(url=f"{url}/locked")
    assert (finding.id, finding.fix) == ("server/refused", "set `LLAMA_STACK_API_KEY`")


def test_every_server_of_a_distribution_is_asked(url: str, unused_tcp_port: int) -> None:
    servers = (
        record("mine", url=url),
        record("mine-2", url=f"http://127.0.0.1:{unused_tcp_port}"),
        record("mine-3", state="starting"),
    )
    told = found(distributions=(Distribution(name="mine", target="mine", servers=servers),))
    assert {finding.id for finding in told} >= {"server/ok", "server/unreachable", "server/not-ready"}
    assert "llama stack logs mine --level warning" in {finding.fix for finding in told}


def test_the_server_that_a_variable_names_is_one_more(url: str, cli: Cli) -> None:
    here = Distribution(name="mine", target="mine", servers=(record("mine", url=url),))
    once = found(distributions=(here,))
    assert found(url=url, distributions=(here,)) == once, "one that runs here is asked once"
    [unknown] = [finding for finding in found(url="nowhere", distributions=(here,)) if finding not in once]
    assert (unknown.id, unknown.level, unknown.about) == ("server/unreachable", "error", "nowhere")
    assert "`LLAMA_STACK_URL` is `nowhere`" in (unknown.cause or "")


def test_one_that_is_silent_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(server: Record, *, about: str) -> Iterator[Finding]:
        time.sleep(0.4)
        yield from ()

    monkeypatch.setattr(providers, "_of_record", silent)
    servers = tuple(record(f"mine-{number}") for number in range(5))
    began = time.monotonic()
    assert found(distributions=(Distribution(name="mine", target="mine", servers=servers),)) == []
    assert time.monotonic() - began < 1.2
