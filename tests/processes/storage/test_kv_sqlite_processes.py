"""What the SQLite store promises to other processes: it is on disk, and it is shared."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from runtime.storage.kv.sqlite import SqliteKeyValueStore

WRITES_FOR_EVER = """
import asyncio, pathlib, sys
from runtime.storage.kv.sqlite import SqliteKeyValueStore

async def write(store, writer):
    number = 0
    while True:
        await store.set(f"{writer}/{number:06}", b"x" * 100)
        print(f"{writer}/{number:06}", flush=True)
        number += 1

async def main():
    store = SqliteKeyValueStore(pathlib.Path(sys.argv[1]))
    await asyncio.gather(*(write(store, writer) for writer in range(8)))

asyncio.run(main())
"""

ADDS_TO_A_COUNT = """
import asyncio, pathlib, sys
from runtime.storage.kv import Put
from runtime.storage.kv.sqlite import SqliteKeyValueStore

async def main():
    store = SqliteKeyValueStore(pathlib.Path(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        while True:
            before = await store.get("count")
            if await store.write(Put("count", b"%d" % (int(before or 0) + 1)), expected={"count": before}):
                break
    await store.close()

asyncio.run(main())
"""


def start(program: str, *arguments: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(command, cwd=root, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    child = start(WRITES_FOR_EVER, path)
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=30)
    acknowledged += [line for line in rest.split("\n")[:-1] if line]
    assert child.returncode == -signal.SIGKILL
    store = SqliteKeyValueStore(path)
    kept = {key for key, value in await store.scan("") if value == b"x" * 100}
    await store.close()
    assert len(acknowledged) >= 200
    assert set(acknowledged) <= kept


async def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "kv.db"
    children = [start(ADDS_TO_A_COUNT, path, 50) for _ in range(2)]
    outputs = [child.communicate(timeout=60) for child in children]
    assert [(child.returncode, *output) for child, output in zip(children, outputs, strict=True)] == [(0, "", "")] * 2
    store = SqliteKeyValueStore(path)
    assert await store.get("count") == b"100"
    await store.close()
