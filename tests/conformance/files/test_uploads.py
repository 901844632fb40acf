"""Uploads in parts, at every provider of files that comes with us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.conformance.files.fixtures import *  # noqa: F403
from runtime.conformance.files.service import rows_of
from runtime.conformance.files.subject import Subject, listed
from runtime.conformance.files.test_uploads import *  # noqa: F403
from runtime.conformance.files.test_uploads import PARTS, begun, completed, part
from runtime.conformance.form import HEADERS, file, form
from runtime.conformance.stacks import Served, adapter_of
from tests.conformance.files.subject import found

SUBJECTS = found()


async def test_a_part_that_is_late_leaves_nothing(served: Served, subject: Subject) -> None:
    upload_id = await begun(served)
    part_ids = [await part(served, upload_id, content) for content in PARTS]
    late = form(file(b"late" * 50_000, name="data", filename="blob"))
    path = f"/v1/uploads/{upload_id}/parts"
    call = served.client.call("POST", path, headers=HEADERS, body=[late[:-20]], is_whole=False)
    taken = adapter_of(served.stack, "files")._parts._begun._taken
    async with asyncio.timeout(30):
        while not taken:
            await asyncio.sleep(0)
    made = (await completed(served, upload_id, part_ids)).json()["file"]["id"]
    await adapter_of(served.stack, "files").collect_now()
    assert await rows_of(served) == [made]
    call.send(late[-20:])
    status, _ = await call.start()
    assert status == 409
    await call.task
    assert await rows_of(served) == await subject.kept() == [made]
    assert not taken


async def test_one_that_is_cancelled_while_it_is_completed_is_over(
    served: Served, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await begun(served)
    part_ids = [await part(served, upload_id, content) for content in PARTS]
    adapter = adapter_of(served.stack, "files")
    read = adapter._parts.backend.read

    async def late(*asked: Any) -> AsyncIterator[bytes]:
        await served.client.post(f"/v1/uploads/{upload_id}/cancel", {})
        await adapter._collect_parts()
        async for chunk in read(*asked):
            yield chunk

    monkeypatch.setattr(adapter._parts.backend, "read", late)
    answer = await completed(served, upload_id, part_ids)
    assert (answer.status, answer.error["code"]) == (409, "upload_over"), answer.body
    assert await listed(served) == []
