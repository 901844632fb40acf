"""Milvus Lite: a program that ends with this process, and is asked over a socket in the file system.

Its searches compare with every vector.
"""

from __future__ import annotations

import socket
import subprocess
import time
import warnings
from contextlib import closing
from pathlib import Path

from pymilvus import MilvusClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # `pkg_resources` is deprecated
    from milvus_lite.server import Server

from runtime.providers.vector_io._shared.folders import make_file
from runtime.providers.vector_io.milvus.client import MilvusCollections

_POLL_S = 0.01
_TIMEOUT_S = 60.0
"""Of connecting and of each call; without it, the client asks a program that has ended for minutes."""


class MilvusEngine(MilvusCollections):
    """The file, which is made if it is missing, and the program that has it."""

    def __init__(self, path: Path, *, consistency_level: str) -> None:
        make_file(path)
        self._program = Server(str(path))
        if not (self._program.init() and self._program.start()):
            self._program.stop()
            raise OSError(f"Milvus Lite did not start on {path}: another process may have it")
        try:
            self._wait_until_it_listens(path)
            client = MilvusClient(self._program.uds_path, timeout=_TIMEOUT_S)
        except BaseException:
            self._program.stop()
            raise
        super().__init__(client, index_type="FLAT", consistency_level=consistency_level, timeout_s=_TIMEOUT_S)

    def _wait_until_it_listens(self, path: Path) -> None:
        """The client gives up at the first try, and a program on a busy machine takes its time. Raises OSError."""
        place, until = self._program.uds_path.removeprefix("unix:"), time.monotonic() + _TIMEOUT_S
        while True:
            with closing(socket.socket(socket.AF_UNIX)) as trial:
                if trial.connect_ex(place) == 0:
                    return
            if self.has_ended() or time.monotonic() > until:
                raise OSError(f"Milvus Lite did not start on {path}")
            time.sleep(_POLL_S)

    def has_ended(self) -> bool:
        """Whether the program has, as one that is killed has, or one whose disk is full."""
        process: subprocess.Popen[bytes] = self._program._p
        return process.poll() is not None

    def close(self) -> None:
        super().close()
        self._program.stop()
