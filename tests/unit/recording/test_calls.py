"""A part of a provider's work that is recorded by itself: written beside what the server does, and whole."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.errors import RateLimited, RequestError
from runtime.recording import documents
from runtime.recording.calls import Calls
from runtime.recording.documents import RecordingError
from runtime.recording.library import stored
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.sse import Reply

SECRET = "canary-0123456789abcdef"
ASKED = {"sha256": "0" * 64}


class Protocol:
    """Of an API without the method that is recorded."""


class Sessions:
    """Over one folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recordings"
        self.begun: list[Session] = []

    def __call__(self, mode: Mode = "record") -> Session:
        made = Session(RecordingChoice(mode=mode, folder=self.folder), secrets=lambda: [SECRET])
        self.begun.append(made)
        return made


@pytest_asyncio.fixture
async def session(tmp_path: Path) -> AsyncIterator[Sessions]:
    made = Sessions(tmp_path)
    yield made
    for one in made.begun:
        await one.close()


async def done(recorded: Session, text: str = "llamas", asked: Any = None) -> Any:
    async def work() -> Reply:
        return Reply.of({"text": text})

    return await worked(recorded, work, asked)


async def worked(recorded: Session, work: Any, asked: Any = None) -> Any:
    calls = Calls(recorded, "file_processors/heavy", Protocol, ())
    return (await calls.work("read_document", asked or ASKED, work, check=_nothing)).value()


def _nothing(_: bytes) -> None:
    """Anything will do."""


async def test_what_was_recorded_is_what_the_work_gives(session: Sessions) -> None:
    given = await done(session(), f"a {SECRET}")
    assert given == {"text": "a <hidden>"} == await done(session("replay"))


async def test_what_takes_long_holds_up_nobody(session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, threads = session(), set()
    for owner, name in ((recorded.hiding, "answer"), (documents, "save")):
        real = getattr(owner, name)

        def noted(*given: Any, real: Any = real, **named: Any) -> Any:
            threads.add(threading.get_ident())
            return real(*given, **named)

        monkeypatch.setattr(owner, name, noted)
    await done(recorded)
    assert threads and threading.get_ident() not in threads


async def test_the_same_of_several_at_once_is_recorded_once(session: Sessions) -> None:
    recorded = session()
    await asyncio.gather(*(done(recorded) for _ in range(5)), *(done(recorded, "others") for _ in range(5)))
    assert sorted(one.answer["reply"]["text"] for one in stored(recorded.folder)) == ["llamas", "others"]
    assert len(recorded) == 2


async def test_who_leaves_meanwhile_leaves_a_whole_recording(
    session: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, begun, may_end = session(), asyncio.Event(), threading.Event()
    loop, save = asyncio.get_running_loop(), documents.save

    def slow(*given: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert may_end.wait(30)
        save(*given)

    monkeypatch.setattr(documents, "save", slow)
    asking = asyncio.create_task(done(recorded))
    await begun.wait()
    asking.cancel()
    loop.call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [one.answer for one in stored(recorded.folder)] == [{"reply": {"text": "llamas"}}] and len(recorded) == 1


async def test_what_would_not_be_read_again_is_not_written(session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else no replay would start with any of the folder."""
    monkeypatch.setattr(documents, "_BYTES", 1000)
    recorded = session()
    assert await done(recorded, "llamas " * 200) == {"text": "llamas " * 200}
    assert "larger than 64 MB" in recorded.failure
    await done(recorded, asked={"sha256": "1"})
    assert [one.request["json"] for one in stored(recorded.folder)] == [{"sha256": "1"}]
    assert len(session("replay")) == 1


async def test_what_is_not_written_is_said_of_any_call(session: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_BYTES", 1000)
    recorded = session()
    large = documents.Recording(provider="a/b", request={"call": "x"}, answer={"reply": "llamas " * 200})
    recorded.keep(large, call=object(), may_pass=False)
    assert "larger than 64 MB" in recorded.failure and not list(stored(recorded.folder))


@pytest.mark.parametrize("error", [RateLimited("later"), RequestError("no")])
async def test_a_refusal_that_passes_is_not_recorded(session: Sessions, error: RequestError) -> None:
    async def refuse() -> Reply:
        raise error

    recorded = session()
    with pytest.raises(type(error)):
        await worked(recorded, refuse)
    assert len(list(stored(recorded.folder))) == (not error.may_pass)


async def test_a_recording_of_a_work_that_answers_otherwise_is_named(session: Sessions) -> None:
    await done(session())
    [one] = stored(session.folder)
    assert one.path is not None
    for answer in ({}, {"model": {}}, {"events": []}, {"nothing": True}):
        documents.save(documents.Recording(provider=one.provider, request=one.request, answer=answer), one.path)
        with pytest.raises(RecordingError, match=one.path.name):
            await done(session("replay"))
