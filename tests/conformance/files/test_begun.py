"""Ids that are reserved for files before there are bytes: what is left under them is removed, whatever went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.conformance.asgi import Call
from runtime.conformance.files.fixtures import *  # noqa: F403
from runtime.conformance.files.service import rows_of
from runtime.conformance.files.subject import Subject, assert_nothing_is_left, uploaded
from runtime.conformance.files.test_files import at
from runtime.conformance.files.test_uploads import begun, part, sent
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import Served, adapter_of
from runtime.errors import Unavailable
from runtime.providers.files._shared.backend import NewFile
from tests.conformance.files.subject import begun_in, found

SUBJECTS = found()
HOUR_S = 3600
BODY = form(field("purpose", "vision"), file(b"x" * 10_000))


async def half_sent(served: Served) -> Call:
    """An upload whose id is taken, and of which the end is missing."""
    call = served.client.call("POST", "/v1/files", headers=HEADERS, body=[BODY[:-20]], is_whole=False)
    taken = adapter_of(served.stack, "files")._keepers[0]._begun._taken
    async with asyncio.timeout(30):
        while not taken:
            await asyncio.sleep(0)
    return call


async def test_sixteen_ids_are_reserved_at_a_time_and_forgotten_with_the_next_ones(served: Served) -> None:
    made = [(await uploaded(served))["id"] for _ in range(16)]
    first = await begun_in(served)
    assert len(first) == 16
    await uploaded(served)
    second = await begun_in(served)
    assert len(second) == 16 and not {*first} & {*second}
    assert set(await rows_of(served)) >= {*made}


async def test_no_id_is_kept_free_for_more_than_an_hour(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    await uploaded(served)
    first = await begun_in(served)
    at(monkeypatch, HOUR_S + 2)
    await uploaded(served)
    assert not {*first} & {*await begun_in(served)}


async def test_what_a_lost_machine_has_begun_is_removed_when_its_upload_cannot_go_on(
    served: Served, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"x" * 10_000

    files = adapter_of(served.stack, "files")
    lost = NewFile(id=await files._parts._begun.take())
    await files._parts.backend.put(lost, content())
    at(monkeypatch, 25 * HOUR_S)
    await files.collect_now()
    assert await subject.kept() == [lost.id]
    at(monkeypatch, 2 * HOUR_S)
    await files.collect_now()
    await assert_nothing_is_left(served, subject)
    assert await begun_in(served) == []


async def test_a_file_that_takes_longer_than_a_day_is_none(
    served: Served, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await half_sent(served)
    at(monkeypatch, 24 * HOUR_S + 2)
    call.send(BODY[-20:])
    status, _ = await call.start()
    assert status == 503 and "longer than a day" in (await call.rest()).decode()
    await assert_nothing_is_left(served, subject)


async def test_what_cannot_be_removed_at_once_is_removed_later(
    served: Served, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = adapter_of(served.stack, "files")
    backend = files._parts.backend

    async def is_down(self: Any, file_id: str) -> None:
        raise Unavailable("the backend is down")

    upload_id = await begun(served)
    put = backend.put

    async def cancel_meanwhile(new: NewFile, content: Any) -> str:
        made: str = await put(new, content)
        await served.client.post(f"/v1/uploads/{upload_id}/cancel")
        return made

    with monkeypatch.context() as patched:
        patched.setattr(type(backend), "remove", is_down)
        patched.setattr(backend, "put", cancel_meanwhile)
        assert (await sent(served, upload_id, b"x" * 10_000)).status == 409
        await files.collect_now()
    [left] = await subject.kept()
    assert left in await begun_in(served)
    await files.collect_now()
    await assert_nothing_is_left(served, subject)
    assert left not in await begun_in(served)
    await part(served, await begun(served), b"again")


async def test_an_upload_that_outlives_its_provider_is_none(served: Served) -> None:
    """Its process has let go of its ids: whoever starts next may remove their bytes."""
    files = adapter_of(served.stack, "files")
    call = await half_sent(served)
    await files._keepers[0].release()
    assert len(await begun_in(served)) == 1
    call.send(BODY[-20:])
    assert (await call.start())[0] == 503
    await call.task
    assert await rows_of(served) == await begun_in(served) == []
