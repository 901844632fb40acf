"""One function in its process, as the server sees it: started, given rows, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runtime.apis.datasets.protocol import Row
from runtime.providers.scoring.functions import process
from runtime.providers.scoring.functions.config import FunctionsConfig
from runtime.starting import not_started
from runtime.to_the_end import to_the_end

_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
"""The variables that every function gets; ours have keys in them."""
_LONGEST_ANSWER = 8 * 1024 * 1024


class Broken(Exception):
    """A function that cannot be imported; its message says why."""


class Ended(Exception):
    """The process has ended, or was ended, instead of answering; its message says why."""


class Running:
    """A function in its process. about: what it says of itself."""

    def __init__(self, child: asyncio.subprocess.Process, config: FunctionsConfig) -> None:
        self._child, self._config = child, config
        self.about: dict[str, Any] = {}

    async def score(self, row: Row, options: Mapping[str, Any]) -> Row:
        """What it says of a row. Raises Ended; then there is no other row for it."""
        limit_s = self._config.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                assert self._child.stdin is not None
                self._child.stdin.write(json.dumps({"row": row, "options": options}).encode() + b"\n")
                await self._child.stdin.drain()
                return await self._answer()
        except TimeoutError:
            raise Ended(f"it takes longer than {limit_s:g} s") from None
        except ConnectionError:
            raise Ended(await self._why()) from None

    async def load(self) -> None:
        """Wait until it is imported. Raises Broken."""
        limit_s = self._config.load_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                said = await self._answer()
        except TimeoutError:
            raise Broken(f"its import has not ended after {limit_s:g} s") from None
        except Ended as error:
            raise Broken(f"while it is imported, {error}") from None
        if "broken" in said:
            raise Broken(f"it cannot be imported: {said['broken']}")
        self.about = said["about"]

    async def end(self) -> None:
        """Kill the process and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        if self._child.stdin is not None:
            self._child.stdin.close()
        await self._child.wait()

    async def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        try:
            line = await self._child.stdout.readline()
        except ValueError:
            raise Ended(f"it says more than {_LONGEST_ANSWER} bytes") from None
        if not line.endswith(b"\n"):
            raise Ended(await self._why())
        said: dict[str, Any] = json.loads(line)
        return said

    async def _why(self) -> str:
        code = await self._child.wait()
        return f"its process ended with {signal.Signals(-code).name if code < 0 else f'the exit code {code}'}"


@asynccontextmanager
async def running(reference: str, config: FunctionsConfig) -> AsyncIterator[Running]:
    """A function that is imported, until the block ends. Raises Broken, and Unavailable where no process can start."""
    names = (*_PASSED_ON, *config.environment)
    environment = {name: os.environ[name] for name in names if name in os.environ}
    # By its file, so that nothing of ours is imported there; with our path, so that what we have found is found there.
    program = (sys.executable, "-I", str(Path(process.__file__)), reference, json.dumps(sys.path))
    try:
        child = await asyncio.create_subprocess_exec(
            *program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            limit=_LONGEST_ANSWER,
        )
    except OSError as error:
        hint = "look at the server's log, and restart it"
        raise not_started("The process of a scoring function", error, hint=hint) from error
    function = Running(child, config)
    try:
        await function.load()
        yield function
    finally:
        await to_the_end(function.end())
