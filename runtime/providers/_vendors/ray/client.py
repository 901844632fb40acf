"""The process that is the cluster's client, as the server sees it: started, asked, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import runtime
from runtime.providers._vendors.ray.messages import (
    Answered,
    Ask,
    Gone,
    Leave,
    Settings,
    Workers,
    framed,
    received,
    to_report,
)
from runtime.to_the_end import to_the_end

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
"""The variables that it gets, beside Ray's own; ours have keys in them."""
_ALONE = {
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a call without a connection starts a cluster here otherwise
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # below `uv run`, the folder of the user is sent to the cluster otherwise
    "RAY_USAGE_STATS_ENABLED": "0",
}
_START = "import sys; sys.path.append(sys.argv[1]); from runtime.providers._vendors.ray.process import main; main()"
_GRACE_S = 7.0
"""For it to say good-bye to the cluster."""


class ClientEnded(Exception):
    """The process has ended. what: why the cluster cannot be used, in its words. hint: what to do."""

    def __init__(self, what: str, hint: str | None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class RayClient:
    """workers: where those run that can be asked now, as `machine:pid`. trouble: why the last of the others could not
    start.
    """

    def __init__(self, process: asyncio.subprocess.Process, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]):
        self.workers: tuple[str, ...] = ()
        self.trouble: str | None = None
        self._process = process
        self._reader, self._writer = streams
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Answered]] = {}
        self._changed = asyncio.Event()
        self._ended: ClientEnded | None = None
        self._reading = asyncio.create_task(self._read(), name="what the client of Ray says")

    @classmethod
    async def started(cls, settings: Settings, token: str | None) -> RayClient:
        """One that connects. token: of the cluster. Raises OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-c", _START, str(Path(runtime.__file__).parents[1])),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    env=environment(os.environ, token),
                    start_new_session=True,
                )
            client = cls(process, await asyncio.open_connection(sock=ours))
        except BaseException:
            ours.close()
            raise
        client._writer.write(framed(settings))
        return client

    @property
    def has_ended(self) -> bool:
        return self._ended is not None

    async def until_ready(self) -> None:
        """Return once there is a worker. Raises ClientEnded."""
        while not self.workers:
            if self._ended is not None:
                raise self._ended
            self._changed.clear()
            await self._changed.wait()

    async def ask(self, path: str, body: bytes) -> Answered:
        """What a worker answers. Raises ClientEnded."""
        if self._ended is not None:
            raise self._ended
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._writer.write(framed(Ask(number=number, path=path, body=body)))
        try:
            answered: Answered = await answer
            return answered
        except asyncio.CancelledError:
            self._writer.write(framed(Leave(number=number)))
            raise
        finally:
            del self._asked[number]

    async def end(self) -> None:
        """End it, with the connection and the workers."""
        await to_the_end(self._end())

    async def _end(self) -> None:
        self._writer.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        while (report := await received(self._reader, to_report)) is not None:
            if isinstance(report, Gone):
                break
            if isinstance(report, Workers):
                self.workers, self.trouble = report.at, report.trouble
            elif (answer := self._asked.get(report.number)) is not None and not answer.done():
                answer.set_result(report)
            self._changed.set()
        self._writer.close()
        self.workers = ()
        if report is None:
            report = Gone(what=f"its client has ended with {await self._process.wait()}")
        self._ended = ClientEnded(report.what, report.hint)
        self._changed.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(self._ended)


def environment(ours: Mapping[str, str], token: str | None) -> dict[str, str]:
    """The variables of the process. token: of the cluster; without one Ray's own variables say it."""
    passed = {name: value for name, value in ours.items() if name in _PASSED_ON or name.startswith("RAY_")}
    return passed | _ALONE | ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {})
