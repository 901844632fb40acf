"""What stands between a provider's request and its server, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from runtime.amazon_events import Splitter
from runtime.http.transport import Exchange, Outgoing
from runtime.recording.bodies import Held
from runtime.recording.hiding import HIDDEN
from runtime.recording.library import paths, stored
from runtime.recording.session import RecordingChoice, Session
from runtime.recording.streams import as_events, form_of
from runtime.recording.upstream import UpstreamRecorder
from tests.support.bedrock import event_message


class Answer:
    """What a server answers; implements `Exchange`. Its last piece can be an error, or a wait that never ends."""

    proxy = ""
    status = 200

    def __init__(
        self,
        body: bytes = b"{}",
        kind: str = "application/json",
        last: Exception | str = "",
        *,
        pieces: Sequence[bytes] = (),
    ) -> None:
        self.headers = {"content-type": kind}
        self._pieces = pieces or [body]
        self._last = last
        self.is_closed = False

    async def read(self) -> bytes:
        return b"".join(self._pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
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


LINES = (b'{"message":{"content":"Hel"},"done":false}\n', b'{"message":{"content":"lo"},"done":true}\n')
MESSAGES = (
    event_message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
    event_message("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
)
CUT = MESSAGES[0][:-1]
SHOWN_MESSAGE = {
    "headers": {":message-type": "event", ":event-type": "contentBlockDelta", ":content-type": "application/json"},
    "data": {"contentBlockIndex": 0, "delta": {"text": "Hel"}},
}


@pytest.mark.parametrize(
    ("kind", "events", "first"),
    [
        ("application/x-ndjson", LINES, {"line": {"message": {"content": "Hel"}, "done": False}}),
        ("application/vnd.amazon.eventstream", MESSAGES, SHOWN_MESSAGE),
    ],
    ids=["lines", "messages"],
)
async def test_whatever_a_stream_is_written_in_it_is_replayed_piece_by_piece(
    kind: str, events: tuple[bytes, ...], first: object, tmp_path: Path
) -> None:
    whole = b"".join(events)
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    await (await asked(Answer(kind=kind, pieces=[whole[:50], whole[50:]]), session)).read()
    await session.close()
    [kept] = stored(tmp_path)
    assert kept.answer["events"][0] == first and len(kept.answer["timing"]["events_ms"]) == 2
    replaying = Session(RecordingChoice(mode="replay", folder=tmp_path))
    pieces = [piece async for piece in (await asked(Answer(), replaying)).chunks()]
    await replaying.close()
    assert len(pieces) == 2
    if kind == "application/x-ndjson":
        assert pieces == list(events)
    else:  # its JSON is in the shortest form, and its checksums are those of that
        assert [one.payload for piece in pieces for one in Splitter().feed(piece)] == [
            b'{"contentBlockIndex":0,"delta":{"text":"Hel"}}', b'{"contentBlockIndex":0,"delta":{"text":"lo"}}',
        ]  # fmt: skip


WORDS = (b'{"m":"it is hush"}\n', b'{"m":"-hush"}\n', b'{"m":"-1, no more"}\n', b'{"m":"x')


@pytest.mark.parametrize(
    ("kind", "said", "end"),
    [
        ("application/x-ndjson", WORDS, [{"rest": '{"m":"x'}]),
        ("application/x-ndjson", (*WORDS[:3], b'{"m":NaN}\n'), [{"text": '{"m":NaN}'}]),
        ("text/event-stream", [b"data: " + one.rstrip() + b"\n\n" for one in WORDS[:3]] + [b'data: {"m"'],
         [{"rest": 'data: {"m"'}]),
        ("application/vnd.amazon.eventstream",
         [event_message("a", {"m": word}) for word in ("it is hush", "-hush", "-1, no more")] + [MESSAGES[0][:-1]], []),
    ],
    ids=["a cut line", "a line that is none", "a cut event", "a cut message"],
)  # fmt: skip
async def test_a_stream_that_is_cut_keeps_its_events_and_no_secret(
    kind: str, said: Sequence[bytes], end: list[object], tmp_path: Path
) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path), secrets=lambda: ["hush-hush-1"])
    await (await asked(Answer(kind=kind, pieces=said), session)).read()
    await session.close()
    [kept] = stored(tmp_path)
    events = kept.answer["events"]
    texts = [(one.get("data") or one.get("line"))["m"] for one in events[:3]]
    assert (texts, events[3:]) == ([f"it is {HIDDEN}", "", ", no more"], end)
    replaying = Session(RecordingChoice(mode="replay", folder=tmp_path))
    pieces = [piece async for piece in (await asked(Answer(), replaying)).chunks()]
    await replaying.close()
    if end:
        assert pieces[-1].rstrip() == said[-1].rstrip()


@pytest.mark.parametrize(
    ("kind", "pieces", "ended"),
    [
        ("text/event-stream", [b": ping\n\n", b"data: 1\n", b"\ndata: 2\r\n\r", b"\ndata: 3\n\n"], [0, 0, 1, 2]),
        ("application/x-ndjson", [b"\n", b'{"a"', b":1}\n\n", b'{"a":2}\n{"a":3}\n'], [0, 0, 1, 2]),
        ("application/vnd.amazon.eventstream", [MESSAGES[0][:9], MESSAGES[0][9:] + MESSAGES[1]], [0, 2]),
    ],
)
def test_events_are_counted_where_they_end(kind: str, pieces: list[bytes], ended: list[int]) -> None:
    form = form_of(kind)
    assert form is not None
    count = form.counting()
    assert [count(piece) for piece in pieces] == ended
    shown = form.shown(b"".join(pieces))
    assert shown is not None and len(shown) == sum(ended)


def test_a_field_is_a_field_by_its_whole_name() -> None:
    assert as_events(b"data\nid: 1\n\ndataX: 1\n\n") == [{"id": "1", "data": ""}, {"raw": "dataX: 1"}]


async def test_secrets_that_lines_say_in_pieces_are_hidden(tmp_path: Path) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path), secrets=lambda: ["hush-hush-1"])
    said = [b'{"message":{"content":"%b"}}\n' % word for word in (b"it is hush", b"-hush", b"-1, no more")]
    await (await asked(Answer(kind="application/x-ndjson", pieces=said), session)).read()
    await session.close()
    [kept] = stored(tmp_path)
    assert [one["line"]["message"]["content"] for one in kept.answer["events"]] == [f"it is {HIDDEN}", "", ", no more"]


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        ("application/x-ndjson", b"\xff\n", {"bytes": Held(b"\xff\n", ".ndjson")}),
        ("application/vnd.amazon.eventstream", CUT, {"bytes": Held(CUT, ".vndamazoneventstream")}),
    ],
    ids=["lines", "messages"],
)  # fmt: skip
async def test_what_is_no_stream_of_its_kind_is_kept_as_it_is(
    kind: str, body: bytes, shown: dict[str, object], tmp_path: Path
) -> None:
    session = Session(RecordingChoice(mode="record", folder=tmp_path))
    await (await asked(Answer(body, kind), session)).read()
    await session.close()
    [kept] = stored(tmp_path)
    assert kept.answer == {"status": 200, "headers": {"content-type": kind}, **shown}


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
