"""A process is killed at each point on the way of a dataset: what was acknowledged is there, and nothing half."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from runtime.conformance.datasetio.subject import DATASETS, append, page, registered, rows_of, versions_of
from runtime.conformance.stacks import Served, serving
from tests.support.rows_process import POINTS, RUN

pytestmark = pytest.mark.e2e
LIMIT_S = 60.0
TAKEN, NAMED, WRITTEN, COMMITTED, KEPT = POINTS
NUMBERS = [{"number": number} for number in range(4)]


async def killed_at(state_dir: Path, work: str, point: str) -> None:
    command = (sys.executable, "-m", "tests.support.rows_process", str(state_dir), work, point)
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with asyncio.timeout(LIMIT_S):
            assert await process.wait() == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def left_in(state_dir: Path) -> tuple[int, int, int]:
    """How many datasets, parts, and other files there are."""
    folder = state_dir / "datasetio" / "rows"
    others = [path for name in ("temporary", "removed") for path in (folder / name).rglob("*")]
    return len([*(folder / "datasets").iterdir()]), len([*folder.rglob("datasets/*/*.parquet")]), len(others)


async def listed(served: Served) -> list[str]:
    return [one["identifier"] for one in (await served.client.get(DATASETS)).json()["data"]]


@pytest.mark.parametrize("point", POINTS)
async def test_a_registration_is_there_as_a_whole_or_not_at_all(tmp_path: Path, point: str) -> None:
    await killed_at(tmp_path, "register", point)
    async with serving(RUN, tmp_path) as served:
        if point == KEPT:
            assert await listed(served) == ["rows"]
            assert await rows_of(served) == NUMBERS[:3]
            assert left_in(tmp_path) == (1, 1, 0)
        else:
            assert await listed(served) == []
            assert left_in(tmp_path) == (0, 0, 0)
        await registered(served, NUMBERS)
        assert await rows_of(served) == NUMBERS


@pytest.mark.parametrize("point", [TAKEN, NAMED, WRITTEN, COMMITTED])
async def test_an_append_leaves_no_half_version(tmp_path: Path, point: str) -> None:
    async with serving(RUN, tmp_path) as served:
        await registered(served, NUMBERS[:3])
        before = (await page(served)).json()["version"]
    await killed_at(tmp_path, "append", point)
    async with serving(RUN, tmp_path) as served:
        is_there = point == COMMITTED
        assert await rows_of(served) == NUMBERS[: 4 if is_there else 3]
        assert await rows_of(served, version=before) == NUMBERS[:3]
        assert len(await versions_of(served)) == (2 if is_there else 1)
        assert left_in(tmp_path) == (1, 2 if is_there else 1, 0)
        assert (await append(served, [{"number": 9}])).status == 200
        assert (await rows_of(served))[-1] == {"number": 9}


@pytest.mark.parametrize("point", POINTS)
async def test_a_new_version_takes_nothing_from_the_one_before(tmp_path: Path, point: str) -> None:
    async with serving(RUN, tmp_path) as served:
        await registered(served, [{"first": True}])
        before = (await page(served)).json()["version"]
    await killed_at(tmp_path, "register", point)
    async with serving(RUN, tmp_path) as served:
        wanted = NUMBERS[:3] if point in (COMMITTED, KEPT) else [{"first": True}]
        assert await rows_of(served) == wanted
        assert await rows_of(served, version=before) == [{"first": True}]
        assert left_in(tmp_path)[2] == 0
