"""In a replay nobody is reached, nor looked up."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.conformance.upstream import CHAT_MODEL
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.transport import Outgoing
from runtime.recording.documents import Recording, save
from runtime.recording.session import RecordingChoice, Session
from runtime.recording.upstream import UpstreamRecorder
from runtime.stack.interposed import Interposed
from tests.support.stacks import openai_at, serving

UNUSED = "http://127.0.0.1:9/v1"  # where nobody answers


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are looked up from now on."""
    names: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        names.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def replay(folder: Path, provider: str, status: int, text: str) -> Session:
    """Of one answer, to `GET https://pages.example/a.txt`."""
    folder.mkdir()
    request = {"method": "GET", "server": "https://pages.example", "path": "/a.txt"}
    answer = {"status": status, "headers": {"content-type": "text/plain"}, "text": text}
    save(Recording(provider=provider, request=request, answer=answer), folder / "page.json")
    return Session(RecordingChoice(mode="replay", folder=folder))


async def test_the_name_in_an_address_that_a_user_gives_is_not_looked_up(tmp_path: Path, looked_up: list[str]) -> None:
    session = replay(tmp_path / "recordings", "responses/builtin", 200, "A llama grazes.")
    part = {"type": "input_file", "file_url": "https://pages.example/a.txt"}
    body = {"model": f"vendor/{CHAT_MODEL}", "input": [{"role": "user", "content": [part]}]}
    run = run_config(openai_at(UNUSED))
    async with serving(run, tmp_path / "state", interposed=Interposed(session)) as served:
        answered = await served.client.post("/v1/responses", body)
    assert "Documents cannot be read" in answered.error["message"]  # it has been fetched, and nothing here reads it
    assert not looked_up and not session.misses


class Asks:
    """Needs a token of a server, such as a cloud's role."""

    hint = ""

    def __init__(self, http: HttpClient) -> None:
        self._http = http.for_credentials("acme (its credentials)")

    async def apply(self, request: Outgoing) -> Outgoing:
        await self._http.exchange(Outgoing(method="GET", url="http://tokens.example/"))
        return request


async def test_no_server_is_asked_for_a_token(tmp_path: Path, looked_up: list[str]) -> None:
    session = replay(tmp_path / "recordings", "inference/acme", 403, "not for you")
    http = HttpClient("acme", between=UpstreamRecorder(session, "inference/acme"))
    http.connections.is_offline = True
    client = http.with_auth(Asks(http), address="https://pages.example")
    exchange = await client.exchange(Outgoing(method="GET", url="https://pages.example/a.txt"))
    assert (exchange.status, await exchange.read()) == (403, b"not for you")
    with pytest.raises(Unavailable, match="is not asked for real"):
        await http.for_credentials("acme (its credentials)").exchange(Outgoing(method="GET", url="http://t.example/"))
    assert not looked_up
    await http.close()
    await session.close()
