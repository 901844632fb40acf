"""What stands between a provider's request and its server, by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.http.transport import Outgoing
from runtime.recording.library import stored
from runtime.recording.session import RecordingChoice, Session
from runtime.recording.upstream import UpstreamRecorder


class Answer:
    """What a server answers; implements `Exchange`."""

    proxy = ""
    status = 200

    def __init__(self, body: bytes = b"{}") -> None:
        self.headers = {"content-type": "application/json"}
        self._body = body

    async def read(self) -> bytes:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://[::1]:8000/v1/models", "http://[::1]:8000"),
        ("https://me:hush@api.acme.example:443/v1/models", "https://api.acme.example"),
        ("http://localhost:8000/v1/models", "http://localhost:8000"),
    ],
)
async def test_the_server_of_a_recording_is_an_address(url: str, server: str, tmp_path: Path) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    between = UpstreamRecorder(session, "inference/acme")

    async def go_on(request: Outgoing) -> Answer:
        return Answer()

    exchange = await between(Outgoing(method="GET", url=url), go_on)
    await exchange.read()
    await session.close()
    [kept] = stored(tmp_path)
    assert (kept.request["server"], kept.request["path"]) == (server, "/v1/models")
