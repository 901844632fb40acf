"""A server that speaks MongoDB's protocol on a free port. No registry has MongoDB itself, so this is PyPI's `nx-27017`,
which keeps documents in SQLite: it shows that our calls are understood, not how MongoDB carries them out.

Where it is missing, what needs it is skipped; `LLAMA_TEST_MONGODB=off` plays such a machine.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.support.stack_home import reserved_port

VARIABLE = "LLAMA_TEST_MONGODB"
_LIMIT_S = 20.0


@dataclass
class MongoServer:
    """folder: its files. It can be killed and started again."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers."""
        command = [sys.executable, "-m", "nx_27017.nx_27017", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--db", "documents.db", "--log-file", "log", "--pid-file", "pid"]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=output)
        until = time.monotonic() + _LIMIT_S
        while not answers(self.url):
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"it did not start: {(self.folder / 'output').read_text()[-2000:]}")

    def kill(self) -> None:
        """As a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_LIMIT_S)
            self._process = None


def answers(url: str) -> bool:
    """Whether a server answers there."""
    with MongoClient(url, serverSelectionTimeoutMS=200) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True


@contextmanager
def mongodb_server(folder: Path) -> Iterator[MongoServer]:
    """A stand-in of one's own. Skips where there is none."""
    if os.environ.get(VARIABLE) == "off":
        pytest.skip(f"{VARIABLE}=off")
    if importlib.util.find_spec("nx_27017") is None:
        pytest.skip("there is no server with MongoDB's protocol: install `nx-27017` from PyPI")
    with reserved_port() as port:
        server = MongoServer(folder, port)
        server.start()
        try:
            yield server
        finally:
            server.kill()
