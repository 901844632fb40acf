"""Requests that wait for a model: what they are told when it cannot be loaded."""

from __future__ import annotations

import traceback

import pytest

from runtime.errors import StackError, Unavailable
from runtime.providers.inference._loading import Loading


async def failing(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("error", [Unavailable("no weights"), ValueError("at /home/me: hush")])
async def test_every_request_is_told_and_none_keeps_the_frames_of_those_before(error: Exception) -> None:
    loading = Loading("m", limit_s=1)
    with pytest.raises(type(error)):
        await loading.run(failing(error))
    depths = []
    for _ in range(3):
        with pytest.raises(StackError) as caught:
            await loading.wait()
        assert "hush" not in caught.value.message
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(set(depths)) == 1
