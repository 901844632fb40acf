"""Waiting for servers: what their records say is enough where they tell, and what cannot come is not waited for."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from llama_cli.servers import records, waiting
from llama_cli.servers.records import Record
from tests.support.schemas import conform

if TYPE_CHECKING:
    from tests.support.command_runner import Cli


def made(name: str, **facts: Any) -> Record:
    return records.reserve(name, lambda _: {"state_dir": f"/state/{name}"} | facts)


def put(record: Record, **facts: Any) -> None:
    record.path.write_text(json.dumps(json.loads(record.path.read_text()) | facts))


@contextmanager
def running(name: str, **facts: Any) -> Iterator[Record]:
    record = made(name)
    put(record, pid=os.getpid(), **({"state": "ready", "url": f"http://127.0.0.1:1/{name}"} | facts))
    with record.path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield record


@pytest.fixture
def then(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What happens at each look that finds nothing new; one more look fails the test."""

    def happens(*steps: Callable[[], object]) -> None:
        left = iter(steps)
        monkeypatch.setattr(waiting.time, "sleep", lambda _: next(left)())

    return happens


def test_what_is_ready_is_not_waited_for(cli: Cli) -> None:
    with running("starter") as record:
        result = cli("stack", "wait", "--json")
        conform(result.json(), "stack-wait")
        [row] = result.json()
        assert (result.code, row["id"], row["state"], row["for"]) == (0, "starter", "ready", ["ready"])
        assert cli("stack", "wait", "starter").err == f"`starter` at http://127.0.0.1:1/{record.id} is ready\n"


def test_several_are_waited_for_together(cli: Cli, then: Callable[..., None]) -> None:
    with running("one", settled=False, loading=["llama"]) as one, running("two", state="starting") as two:
        then(lambda: put(one, settled=True), lambda: put(two, state="degraded", degraded={"vllm": "gone"}))
        result = cli("stack", "wait", "one", "two", "--for", "settled", "--json")
    assert [(row["id"], row["state"]) for row in result.json()] == [("one", "ready"), ("two", "degraded")]


def test_a_distribution_that_is_on_its_way_is_waited_for(cli: Cli, then: Callable[..., None]) -> None:
    (cli.home / "distributions" / "mine").mkdir(parents=True)
    then(lambda: made("mine", state="failed", reason="no weights"))
    result = cli("stack", "wait", "mine")
    assert (result.code, result.err.splitlines()[0]) == (
        7,
        "error: `mine` will not be ready: it is failed: no weights",
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"state": "ready", "pid": 999_999_999}, "it is crashed: it ended without saying why"),
        ({"state": "stopped", "pid": 1}, "it is stopped"),
        ({"state": "failed", "reason": "the port is taken"}, "it is failed: the port is taken"),
    ],
)
def test_what_has_ended_will_not_be_ready(cli: Cli, facts: dict[str, Any], why: str) -> None:
    put(made("starter"), **facts)
    result = cli("stack", "wait", "starter", "--for", "model=x")
    assert result.code == 7 and f"`starter` will not serve `x`: {why}" in result.err
    assert "llama stack restart starter" in result.err
    assert cli("stack", "wait", "starter", "--for", "stopped").code == 0


def test_what_drains_will_not_be_ready_and_is_stopped_once_its_record_is_gone(
    cli: Cli, then: Callable[..., None]
) -> None:
    with running("starter", state="draining", reason="1 request running") as record:
        assert cli("stack", "wait", "starter").code == 7
        then(lambda: None, record.path.unlink)
        result = cli("stack", "wait", "starter", "--for", "stopped", "--json")
    assert (result.code, result.json()[0]["state"]) == (0, "stopped")


def test_the_users_own_timeout_says_what_is_lacking(cli: Cli, then: Callable[..., None]) -> None:
    then(*[lambda: None] * 100_000)
    with running("starter", settled=False, loading=["llama"]):
        result = cli("stack", "wait", "--for", "settled", "--timeout", "20ms", "--json")
    error = result.json()["error"]
    assert (result.code, error["message"]) == (8, "`starter` is not settled after 20ms: loading: llama")
    assert error["servers"][0]["id"] == "starter"


def test_of_several_things_those_are_told_that_are_lacking(cli: Cli) -> None:
    with running("starter"):
        wanted = ("--for", "ready", "--for", "stopped")
        result = cli("stack", "wait", "starter", "remote", *wanted, "--timeout", "20ms")
    told = ("error: `starter` is not stopped after 20ms: it is ready", "  `remote` is not ready after 20ms: it was not")
    assert result.code == 8 and all(
        line.startswith(start) for line, start in zip(result.err.splitlines(), told, strict=False)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["startr-2"], "there is no server `startr-2`"),
        (
            ["--for", "redy"],
            "`provider=NAME`; did you mean `ready`?",
        ),
        (["--for", "model="], "`model=` is not one of"),
        (["--for", "ready=x"], "`ready=x` is not one of"),
        (["--timeout", "soon"], "is not a duration"),
        (["http://me:secret@x", "--timeout", "1s"], "takes no user and password"),
    ],
)
def test_what_makes_no_sense(cli: Cli, arguments: list[str], message: str) -> None:
    result = cli("stack", "wait", *arguments)
    assert result.code == 2 and message in result.err


def test_no_server_at_all(cli: Cli) -> None:
    assert cli("stack", "wait").code == 7
    assert cli("stack", "run", "starter", "--wait", "stopped").code == 2


def test_an_address_where_nothing_answers_is_stopped_and_never_ready(cli: Cli) -> None:
    assert cli("stack", "wait", "127.0.0.1:9", "--for", "stopped").code == 0
    result = cli("stack", "wait", "127.0.0.1:9", "--timeout", "60ms")
    assert result.code == 8 and "nothing answers at" in result.err


@pytest.mark.parametrize("name", ["", ".", "../distributions"])
def test_what_can_be_no_name_is_not_waited_for(cli: Cli, name: str, then: Callable[..., None]) -> None:
    (cli.home / "distributions").mkdir(parents=True)
    then()
    assert cli("stack", "wait", name).code == 2
