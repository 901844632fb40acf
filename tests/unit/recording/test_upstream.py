"""What stands between a provider's request and its server, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.http.transport import Exchange, Outgoing
from runtime.recording.library import paths, stored
from runtime.recording.session import RecordingChoice, Session
from runtime.recording.upstream import UpstreamRecorder


class Answer:
    """What a server answers; implements `Exchange`. Its last piece can be an error, or a wait that never ends."""

    proxy = ""
    status = 200

    def __init__(self, body: bytes = b"{}", kind: str = "application/json", last: Exception | str = "") -> None:
        self.headers = {"content-type": kind}
        self._body = body
        self._last = last
        self.is_closed = False

    async def read(self) -> bytes:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body
        if isinstance(self._last, Exception):
            raise self._last
        if self._last:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.is_closed = True


async def asked(answer: Answer, session: Session, *, method: str = "POST") -> Exchange:
    """The answer to a request, as a provider gets it."""

    async def go_on(request: Outgoing) -> Answer:
        return answer

    return await UpstreamRecorder(session, "inference/acme")(Outgoing(method=method, url="http://acme/v1/x"), go_on)


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


@pytest.mark.parametrize(
    ("method", "body"),
    [("POST", b'data: {"a":1}\n\ndata: [DONE]\n\n'), ("GET", b'data: {"a":1}\n\n')],
    ids=["it has said that it is complete", "it tells of changes"],
)
async def test_nobody_waits_for_the_end_of_a_connection_that_stays_open(
    method: str, body: bytes, tmp_path: Path
) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    answer = Answer(body, "text/event-stream", last="none")
    exchange = await asked(answer, session, method=method)
    assert await anext(aiter(exchange.chunks())) == body
    await exchange.close()
    [kept] = stored(tmp_path)
    assert kept.answer["events"][0] == {"data": {"a": 1}} and answer.is_closed
    await session.close()


async def test_what_breaks_off_is_kept_as_it_came(tmp_path: Path) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    exchange = await asked(Answer(b'data: {"a":1}\n\n', "text/event-stream", ConnectionError("gone")), session)
    pieces = exchange.chunks()
    await anext(aiter(pieces))
    with pytest.raises(ConnectionError, match="gone"):
        await anext(aiter(pieces))
    await exchange.close()
    [kept] = stored(tmp_path)
    assert kept.answer["events"] == [{"data": {"a": 1}}]
    await session.close()


async def test_an_answer_that_nobody_reads_is_kept_whole(tmp_path: Path) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    answer = Answer(b'{"a":1}')
    await (await asked(answer, session)).close()
    await session.close()
    [kept] = stored(tmp_path)
    assert kept.answer["json"] == {"a": 1} and answer.is_closed


async def test_what_never_ends_does_not_outlive_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.recording.session._LATER_S", 0.01)
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    answer = Answer(b'data: {"a":1}\n\n', "text/event-stream", last="none")
    exchange = await asked(answer, session)
    await anext(aiter(exchange.chunks()))
    await exchange.close()
    await session.close()
    [kept] = stored(tmp_path)
    assert kept.answer["events"] == [{"data": {"a": 1}}] and answer.is_closed


async def test_a_form_is_recorded_alike_whatever_parts_it(tmp_path: Path) -> None:
    written = []
    for boundary in ("one", "another"):
        folder = tmp_path / boundary
        session = Session(RecordingChoice(mode="record", folder=folder))
        form = f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\nx\r\n--{boundary}--\r\n'
        request = Outgoing(
            method="POST", url="http://acme/v1/x", body=form.encode(),
            headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        )  # fmt: skip

        async def go_on(request: Outgoing) -> Answer:
            return Answer()

        await (await UpstreamRecorder(session, "inference/acme")(request, go_on)).read()
        await session.close()
        [path] = paths(folder)
        written.append((path.name, path.read_text()))
    assert written[0] == written[1] and '"name": "a"' in written[0][1]
