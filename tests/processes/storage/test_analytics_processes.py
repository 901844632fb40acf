"""What analytics promise to other processes, and to those who kill theirs or fill the disk."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from runtime.admin.storage.analytics import kept_analytics
from runtime.errors import Unavailable
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.handle import Analytics
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable
from tests.processes.storage.test_kv_sqlite_processes import start

NOTES = AnalyticsTable(name="notes", columns=(AnalyticsColumn("id", "text"), AnalyticsColumn("body", "text")))
APPENDS_FOR_EVER = """
import asyncio, pathlib, sys
from tests.processes.storage.test_analytics_processes import NOTES, opened

async def append(analytics, writer):
    number = 0
    while True:
        ids = [f"{writer}/{number:06}/{part}" for part in range(3)]
        await analytics.append(NOTES, [{"id": name, "body": "x" * 100} for name in ids])
        print("\\n".join(ids), flush=True)
        number += 1

async def main():
    analytics = opened(pathlib.Path(sys.argv[1]))
    await asyncio.gather(*(append(analytics, writer) for writer in range(8)))

asyncio.run(main())
"""

ANSWERS_OTHERS = """
import asyncio, pathlib, sys
from runtime.storage.analytics.door import answer_others, is_answered
from tests.processes.storage.test_analytics_processes import NOTES, opened

async def main():
    analytics = opened(pathlib.Path(sys.argv[1]))
    await analytics.append(NOTES, [{"id": "first", "body": "x"}])
    door = asyncio.create_task(answer_others(analytics))
    while not await is_answered(analytics.path):
        await asyncio.wait({door}, timeout=0.01)
    print("ready", flush=True)
    await door

asyncio.run(main())
"""


def opened(folder: Path) -> Analytics:
    analytics = Analytics(AnalyticsConfig(), folder)
    analytics.add(NOTES)
    return analytics


async def test_what_was_acknowledged_survives_kill_9_twice(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for _ in range(2):
        child = start(APPENDS_FOR_EVER, tmp_path)
        assert child.stdout is not None
        lines = [child.stdout.readline().strip() for _ in range(3000)]
        if not all(lines):
            pytest.fail(child.communicate(timeout=30)[1])
        analytics = opened(tmp_path)
        with pytest.raises(Unavailable) as raised:
            await analytics.query("SELECT 1")
        assert raised.value.message.endswith("could not be opened: another process has it open")
        assert raised.value.hint == "ask the server that runs, or stop it"
        child.send_signal(signal.SIGKILL)
        rest, _ = child.communicate(timeout=30)
        acknowledged += [*lines, *rest.split("\n")[:-1]]
        kept = {name for (name,) in (await analytics.query("SELECT id FROM notes", most_rows=10**7)).rows}
        assert set(acknowledged) <= kept
        await analytics.close()
    assert len(acknowledged) >= 6000


async def test_a_full_disk_is_told_costs_nothing_and_is_got_over(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    analytics = opened(folder)
    acknowledged = 0
    try:
        await analytics.append(NOTES, [{"id": "first"}])
        (folder / "ballast").write_bytes(b"x" * (5 << 20))
        with pytest.raises(Unavailable) as raised:
            for number in range(100):
                body = [{"id": f"{number}/{part}", "body": f"{number * part}" * 3000} for part in range(20)]
                await analytics.append(NOTES, body)
                acknowledged += 20
        assert raised.value.code == "storage_unavailable"
        (folder / "ballast").unlink()
        await analytics.append(NOTES, [{"id": "last"}])
        found = await analytics.query("SELECT count(*) FROM notes WHERE id IN ('first', 'last')")
        assert found.rows == [(2,)]
        assert (await analytics.query("SELECT count(*) FROM notes")).rows[0][0] >= acknowledged + 2
    finally:
        await analytics.close()
        subprocess.run(["umount", str(folder)], check=True)


async def test_processes_take_turns_once_one_has_closed_it(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    await first.append(NOTES, [{"id": "a"}])
    await first.close()
    await asyncio.gather(*(second.append(NOTES, [{"id": f"b{number}"}]) for number in range(3)))
    assert (await second.query("SELECT count(*) FROM notes")).rows == [(4,)]
    await second.close()


async def test_a_server_is_asked_and_one_that_was_killed_is_not(tmp_path: Path) -> None:
    for round_number in range(2):  # the second server finds the socket of the first
        child = start(ANSWERS_OTHERS, tmp_path)
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        ours = opened(tmp_path)
        with pytest.raises(Unavailable):
            await ours.query("SELECT 1")
        kept = await kept_analytics(ours)
        assert (kept.tables, (await kept.measure(NOTES)).count) == ((NOTES,), round_number + 1)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
        kept = await kept_analytics(ours)
        assert (kept.source is ours, (await kept.measure(NOTES)).count) == (True, round_number + 1)
        await ours.close()
