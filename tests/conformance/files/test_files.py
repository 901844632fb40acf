"""What every provider of files promises, asked of those that come with us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.conformance.files.fixtures import *  # noqa: F403
from runtime.conformance.files.subject import uploaded
from runtime.conformance.files.test_files import *  # noqa: F403
from runtime.conformance.stacks import Served, adapter_of
from tests.conformance.files.subject import found

SUBJECTS = found()


async def test_one_that_is_deleted_before_its_first_byte_is_not_there(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = (await uploaded(served))["id"]
    backend = adapter_of(served.stack, "files")._backend
    read = backend.read

    async def late(*asked: Any) -> AsyncIterator[bytes]:
        assert (await served.client.request("DELETE", f"/v1/files/{file_id}")).status == 200
        async for chunk in read(*asked):
            yield chunk

    monkeypatch.setattr(backend, "read", late)
    answer = await served.client.get(f"/v1/files/{file_id}/content")
    assert (answer.status, answer.error["param"]) == (404, "file_id"), answer.body
