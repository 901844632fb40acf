"""Which server a command asks, from what is given, what runs here and what is said about it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from llama_cli.asking.address import address_of
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import named
from runtime.errors import NotFound, StackError, Unavailable
from tests.unit.cli.shell.test_records import make, running

FIRST, SECOND = "http://127.0.0.1:8321", "http://127.0.0.1:9000"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("http://x", True), ("x:80", True), ("localhost", True), ("127.0.0.1", True), ("x/v1", True),
        ("[::1]:80", True),
        ("starter", False), ("my-stack-2", False), ("", False),
    ],
)  # fmt: skip
def test_what_looks_like_an_address(text: str, is_one: bool) -> None:
    assert named.looks_like_an_address(text) == is_one


def test_an_address_is_taken_as_it_is_and_a_name_is_looked_up() -> None:
    assert address_of("http://elsewhere:1") == "http://elsewhere:1"
    with running(make("starter"), url=FIRST):
        assert address_of("starter") == FIRST
        with pytest.raises(NotFound) as unknown:
            address_of("startr")
    assert unknown.value.hint == "did you mean `starter`?"


def test_the_only_one_that_serves_is_meant() -> None:
    with pytest.raises(Unavailable, match="no server is running"):
        address_of(None)
    with ExitStack() as stack:
        stack.enter_context(running(make("a"), url=FIRST))
        stack.enter_context(running(make("b", "/b"), url=SECOND, state="draining"))
        assert address_of(None) == FIRST
        stack.enter_context(running(make("c", "/c"), url=SECOND, state="degraded"))
        with pytest.raises(Failure) as several:
            address_of(None)
    assert (several.value.code, several.value.hint) == (ExitCode.USAGE, "choose one with `--url a`")


@pytest.mark.parametrize("given", [None, "starter"])
@pytest.mark.parametrize(
    ("facts", "message", "hint"),
    [
        ({"state": "starting", "url": None}, "`starter` is starting", "llama stack wait starter"),
        ({"state": "draining", "reason": "SIGTERM"}, "`starter` is draining: SIGTERM", "llama stack restart starter"),
    ],
)
def test_one_that_does_not_serve_is_told_as_status_tells_it(
    given: str | None, facts: dict[str, str], message: str, hint: str
) -> None:
    with running(make("starter"), **{"url": FIRST, **facts}), pytest.raises(Unavailable) as refused:
        address_of(given)
    assert (refused.value.message, refused.value.hint) == (message, f"`{hint}`")


@pytest.mark.parametrize("given", [None, "starter"])
def test_one_that_crashed_is_told_as_status_tells_it(given: str | None) -> None:
    record = make("starter")
    with running(record, url=FIRST, reason="a provider is down"):
        pass
    with pytest.raises(StackError) as refused:
        address_of(given)
    explanation = named.find("starter").explanation
    assert refused.value.message == f"`starter` is crashed: {explanation}"
    assert refused.value.hint == "`llama stack restart starter`"


@pytest.mark.parametrize("address", [FIRST, "localhost:8321", "http://[::1]:8321/v1/", "127.0.0.1:8321"])
def test_an_address_means_the_server_that_answers_there(address: str) -> None:
    with running(make("starter"), url=FIRST), running(make("other", "/other"), url=SECOND):
        assert named.find(address).id == "starter"


@pytest.mark.parametrize("address", ["https://127.0.0.1:8321", "127.0.0.1", "192.0.2.1:8321", f"{FIRST}/behind"])
def test_an_address_elsewhere_is_no_server_of_ours(address: str) -> None:
    with running(make("starter"), url=FIRST), pytest.raises(named.Elsewhere):
        named.find(address)
    assert address_of(address) == address


def test_a_name_that_looks_like_an_address_is_a_name() -> None:
    with running(make("my.stack"), url=FIRST):
        assert named.find("my.stack").id == "my.stack"
        with pytest.raises(named.Elsewhere) as unknown:
            named.find("my.stak")
    assert unknown.value.hint == "did you mean `my.stack`?"
