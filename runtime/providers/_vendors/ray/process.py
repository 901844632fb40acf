"""The process that is the cluster's client: connects, has workers, and passes on what they are asked.

Ray's connection, variables and threads are those of a whole process, and some of its calls wait for half a minute. So
it has a process of its own, which `client.py` starts with a socket as its standard input. The workers belong to the
connection: when this process ends, however it does, the cluster ends them too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from typing import Any, NoReturn

import ray

from runtime.providers._vendors.ray.messages import Ask, Gone, Settings, framed, received, to_request, to_settings
from runtime.providers._vendors.ray.pool import Pool, words

_LEFT_S = 5.0
_CLIENT_LOG = "ray.util.client.worker"
_REFUSAL = re.compile(r"authenticat", re.IGNORECASE)


class _Left(Exception):
    """Whoever started this process has left."""


class _Unusable(Exception):
    """The cluster is there and cannot be used. hint: what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def main() -> None:
    """Serve the socket until its other end closes or the cluster is lost; it does not return."""
    asyncio.run(_main())


async def _main() -> NoReturn:
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=0))
    try:
        if (settings := await received(reader, to_settings)) is not None:
            await _serve(settings, reader, writer)
    except* _Left:
        pass
    except* Exception as several:  # Ray raises its own, Python's and those of gRPC
        error: BaseException = several
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        writer.write(framed(Gone(what=words(error), hint=error.hint if isinstance(error, _Unusable) else None)))
        await writer.drain()
    ended = asyncio.get_running_loop().run_in_executor(None, ray.shutdown)
    await asyncio.wait({ended}, timeout=_LEFT_S)
    os._exit(0)  # asyncio and Python would wait for the threads in which Ray still waits


async def _serve(settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Raises _Left, _Unusable, and what says that the cluster is lost."""
    async with asyncio.TaskGroup() as group:
        connected = group.create_task(_connected(settings.address))
        work = dict[int, asyncio.Task[None]]()
        pool = Pool(settings, lambda report: writer.write(framed(report)))

        async def answer(asked: Ask) -> None:
            try:
                writer.write(framed(await pool.ask(asked)))
                await writer.drain()
            finally:
                del work[asked.number]

        async def keep() -> None:
            await asyncio.shield(connected)
            await pool.keep_one()

        for _ in range(settings.workers):
            group.create_task(keep())
        while (request := await received(reader, to_request)) is not None:
            if isinstance(request, Ask):
                work[request.number] = group.create_task(answer(request))
            elif (task := work.get(request.number)) is not None:
                task.cancel()
        raise _Left


async def _connected(address: str) -> None:
    """Return once Ray is. Raises _Unusable."""
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    log, handler = logging.getLogger(_CLIENT_LOG), _Refusals(asyncio.get_running_loop(), refused)
    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    connecting = asyncio.ensure_future(asyncio.to_thread(_connect, address))
    waited: set[asyncio.Future[Any]] = {connecting, refused}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if refused.done():
        raise _Unusable(refused.result(), "set `auth_token` to the token of the cluster")
    try:
        connecting.result()
    except RuntimeError as error:
        if "mismatch" in str(error).lower():
            hint = (
                "build with its version, as with `additional_pip_packages: [ray==2.49.2]`, and with its minor of Python"
            )
            raise _Unusable(words(error), hint) from error
        raise
    finally:
        log.removeHandler(handler)


def _connect(address: str) -> None:
    ray.init(address, log_to_driver=False, configure_logging=False)


class _Refusals(logging.Handler):
    """Ray tries again for half a minute where its cluster refuses the token, and says why in its log alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, refused: asyncio.Future[str]) -> None:
        super().__init__(logging.DEBUG)
        self._loop, self._refused = loop, refused

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if _REFUSAL.search(said):
            self._loop.call_soon_threadsafe(self._note, said.rpartition(": ")[2])

    def _note(self, said: str) -> None:
        if not self._refused.done():
            self._refused.set_result(said)
