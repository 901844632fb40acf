"""A process is killed at each point on the way of a file: nothing is lost, and nothing is left."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from runtime.conformance.files.subject import listed, uploaded
from runtime.conformance.stacks import adapter_of, serving
from tests.conformance.files.subject import begun_in
from tests.support.files_process import POINTS, RUN

pytestmark = pytest.mark.e2e
RESERVED, WRITTEN, KEPT, EXPIRED, REMOVED = POINTS


def contents(state_dir: Path) -> list[str]:
    """The ids of all files of which there are bytes."""
    return sorted(path.name for path in (state_dir / "files" / "files" / "content").rglob("file-*"))


def holders(state_dir: Path) -> int:
    return len([*(state_dir / "files" / "files" / "holders").iterdir()])


async def killed_at(state_dir: Path, point: str) -> None:
    command = (sys.executable, "-m", "tests.support.files_process", str(state_dir), point)
    process = await asyncio.create_subprocess_exec(*command)
    try:
        assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(
    ("points", "written", "kept"),
    [
        ([RESERVED], 0, 0),
        ([WRITTEN], 1, 0),
        ([KEPT], 1, 1),
        ([WRITTEN, EXPIRED], 1, 0),
        ([WRITTEN, REMOVED], 0, 0),
        ([KEPT, EXPIRED], 1, 1),
        ([KEPT, REMOVED], 1, 1),
        ([KEPT, WRITTEN, RESERVED], 1, 1),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else str(value),
)
async def test_what_has_a_row_is_kept_and_the_rest_is_removed(
    tmp_path: Path, points: list[str], written: int, kept: int
) -> None:
    for point in points:
        await killed_at(tmp_path, point)
    assert len(contents(tmp_path)) == written, "the kills came at other points"
    async with serving(RUN, tmp_path) as served:
        await adapter_of(served.stack, "files").collect_now()
        assert contents(tmp_path) == await listed(served)
        assert len(contents(tmp_path)) == kept
        assert await begun_in(served) == []
        assert holders(tmp_path) == 1
        await uploaded(served)
        assert len(await begun_in(served)) == 16
    async with serving(RUN, tmp_path) as served:
        assert await begun_in(served) == []
        assert len(await listed(served)) == kept + 1
    assert holders(tmp_path) == 0
