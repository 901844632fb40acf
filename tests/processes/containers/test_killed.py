"""A server that runs code and is killed: nothing of the code stays, and the files are there for the next server."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.apart import why_not
from tests.support.descendants import descendants
from tests.support.server_process import ServerProcess, running_server

CONFIG: dict[str, Any] = {
    "version": 2,
    "distro_name": "containers",
    "apis": ["containers", "tool_runtime", "tool_groups"],
    "providers": {
        "containers": [{"provider_id": "bubblewrap", "provider_type": "inline::bubblewrap"}],
        "tool_runtime": [{"provider_id": "code-interpreter", "provider_type": "inline::code-interpreter"}],
    },
    "registered_resources": {
        "tool_groups": [{"toolgroup_id": "builtin::code_interpreter", "provider_id": "code-interpreter"}]
    },
}
BUSY = "import os\nif os.fork() == 0:\n    os.setsid()\nwhile True: pass"


async def invoked(server: ServerProcess, code: str) -> Any:
    asked = {"tool_name": "code_interpreter", "kwargs": {"code": code, "session_id": "s"}}
    status, result = await server.ask("POST", "/v1/tool-runtime/invoke", json=asked)
    assert status == 200, result
    return result


async def test_nothing_of_the_code_outlives_the_server(tmp_path: Path) -> None:
    if reason := why_not():
        pytest.skip(reason)
    async with running_server(CONFIG, tmp_path / "server") as server:
        first = await invoked(server, "open('kept.txt', 'w').write('kept'); x = 1; None")
        assert first["metadata"]["files"] == ["/mnt/data/kept.txt"]
        pid = server.process.pid
        apart = descendants(pid)
        busy = asyncio.create_task(invoked(server, BUSY))
        while not [one for one in descendants(pid) if one not in apart]:
            await asyncio.sleep(0.01)  # until it has forked
        apart = descendants(pid)
        assert len(apart) >= 3
        server.signal(signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, apart, timeout=30)
        assert alive == []
        await asyncio.wait({busy})
    async with running_server(CONFIG, tmp_path / "server") as server:
        after = await invoked(server, "print(open('kept.txt').read()); x")
        assert after["content"][0]["text"].startswith("kept\n") and "NameError" in after["error_message"]
        assert after["metadata"]["container_id"] == first["metadata"]["container_id"]
