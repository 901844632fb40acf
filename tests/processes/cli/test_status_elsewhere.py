"""`llama stack status URL` and `wait URL`: a server that was not started here is as its providers and models say."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any

import pytest

from tests.support.command_runner import Cli
from tests.support.schemas import conform
from tests.support.small_server import SmallHandler, running, url_of

HEALTH: dict[str, dict[str, Any]] = {
    "ready": {"status": "OK", "state": "ready", "message": None},
    "loading": {"status": "Error", "state": "starting", "message": None},
    "error": {"status": "Error", "state": "degraded", "message": "connection refused"},
}


class Handler(SmallHandler):
    """has: the health of its only provider; refuses: the status of every answer, where it is no success."""

    has, refuses = "ready", 0

    def do_GET(self) -> None:
        if self.refuses:
            self.document({"error": {"message": "not for you"}}, status=self.refuses)
        elif self.path == "/v1/health":
            self.document({"status": "OK"})
        elif self.path == "/v1/version":
            self.document({"version": "9.9"})
        elif self.path == "/v1/providers":
            provider = {"api": "inference", "provider_id": "vllm", "provider_type": "remote::vllm"}
            self.document({"data": [provider | {"health": HEALTH[self.has]}]})
        elif self.path in ("/v1/models", "/v1/models/llama/small"):
            model = {"id": "llama/small", "model_type": "llm", "provider_id": "vllm"}
            self.document(model if self.path.endswith("small") else {"data": [model]})
        else:
            self.document({}, status=404)


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Handler, "has", "ready")
    monkeypatch.setattr(Handler, "refuses", 0)
    with running(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield url_of(server)


@pytest.mark.parametrize(
    ("has", "code", "state", "reason"),
    [
        ("ready", 0, "ready", None),
        ("loading", 0, "ready", "loading: vllm"),
        ("error", 7, "degraded", "vllm: connection refused"),
    ],
)
def test_it_is_as_its_providers_are(has: str, code: int, state: str, reason: str | None, url: str, cli: Cli) -> None:
    Handler.has = has
    result = cli("stack", "status", url, "--json")
    found = result.json()
    conform(found, "stack-status")
    assert (result.code, found["state"], found["reason"], found["version"]) == (code, state, reason, "9.9")
    assert (found["id"], found["name"]) == (url, None)
    assert cli("stack", "status", "--url", url).out.splitlines()[0] == f"{url} is {state}"
    settled = cli("stack", "wait", url, "--for", "settled", "--timeout", "20ms")
    assert settled.code == (8 if has == "loading" else 0)


def test_one_that_is_gone_is_unreachable(cli: Cli) -> None:
    result = cli("stack", "status", "127.0.0.1:9", "--json")
    assert (result.code, result.json()["state"]) == (7, "unreachable")
    assert "nothing answers at 127.0.0.1:9" in result.json()["reason"]


def test_a_refusal_is_the_failure_that_it_is_everywhere(cli: Cli, url: str) -> None:
    Handler.refuses = 401
    result = cli("stack", "status", url)
    assert (result.code, "not for you" in result.err, "LLAMA_STACK_API_KEY" in result.err) == (4, True, True)


@pytest.mark.parametrize(("has", "code"), [("ready", 2), ("loading", 8), ("error", 8)])
def test_a_model_that_nobody_is_left_to_list_is_not_waited_for(has: str, code: int, url: str, cli: Cli) -> None:
    Handler.has = has
    wait = ("stack", "wait", url, "--timeout", "20ms", "--for")
    result = cli(*wait, "model=llama/smal")
    assert result.code == code
    if code == 2:
        assert result.err == "error: model `llama/smal` is not served\n\nhint: did you mean `llama/small`?\n"
    else:
        assert f"`{url}` does not serve `llama/smal` after 20ms: no provider lists it yet; `vllm`" in result.err
    served = cli("stack", "wait", url, "--for", "model=llama/small", "--for", "ready")
    assert (served.code, served.err) == (0, f"`{url}` serves `llama/small` and is ready\n")
