"""`runtime.server` as a process of its own, its log read line by line: what it has said is what tests wait for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0


@dataclass
class ServerProcess:
    """process: the server. said: what it wrote to stderr so far: events of its log as dicts, other lines as text."""

    process: asyncio.subprocess.Process
    record_file: Path
    said: list[Any] = field(default_factory=list)

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.record_file.read_text())
        return found

    @property
    def url(self) -> str:
        found: str = self.record["url"]
        return found

    async def until(self, message: str) -> dict[str, Any]:
        """The next event of the log with this message. Fails the test when the server ends without it."""
        async with asyncio.timeout(LIMIT_S):
            while (line := await self._line()) is not None:
                if isinstance(line, dict) and line.get("message") == message:
                    return line
        raise AssertionError(f"the server ended without saying {message!r}: {self.said}")

    async def ended(self) -> int:
        """Its exit code, once it has ended and everything it said has been read."""
        async with asyncio.timeout(LIMIT_S):
            while await self._line() is not None:
                pass
            return await self.process.wait()

    async def _line(self) -> Any:
        assert self.process.stderr is not None
        raw = await self.process.stderr.readline()
        if not raw:
            return None
        text = raw.decode().rstrip("\n")
        self.said.append(json.loads(text) if text.startswith("{") else text)
        return self.said[-1]

    @property
    def words(self) -> str:
        """What it said that was no event of its log."""
        return "\n".join(line for line in self.said if isinstance(line, str))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ask(self, method: str, path: str, **facts: Any) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.request(method, self.url + path, **facts) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def server_process(
    run_config: Mapping[str, Any] | str,
    folder: Path,
    *options: str,
    port: int = 0,
    pass_fds: Sequence[int] = (),
    inside: Sequence[str] = (),
) -> AsyncIterator[ServerProcess]:
    """Start a server of a run config; killed at the end if it still runs. inside: the start of a command that becomes
    the server, such as one that makes a namespace for it.
    """
    folder.mkdir(exist_ok=True)
    file = folder / "run.yaml"
    file.write_text(run_config if isinstance(run_config, str) else json.dumps(run_config))
    record = folder / "record.json"
    places = [str(file), "--state", str(folder / "state"), "--record-file", str(record), "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    process = await asyncio.create_subprocess_exec(
        *(*inside, sys.executable, "-m", "runtime.server", *places, *options),
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=pass_fds,
    )
    server = ServerProcess(process, record)
    try:
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await server.ended()  # reads the rest: a pipe that is full would keep asyncio from seeing the end


@asynccontextmanager
async def running_server(
    run_config: Mapping[str, Any] | str, folder: Path, *, said: str = "provider started"
) -> AsyncIterator[ServerProcess]:
    """A server that has said this, and whose log is read from then on: a pipe that nobody reads would stop it."""
    async with server_process(run_config, folder) as server:
        await server.until(said)
        log = asyncio.create_task(server.ended())
        try:
            yield server
        finally:
            log.cancel()
            await asyncio.wait({log})
