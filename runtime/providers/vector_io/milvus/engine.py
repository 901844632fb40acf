"""Milvus Lite: a program that ends with this process, and is asked over a socket in the file system.

Its searches compare with every vector.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from pymilvus import MilvusClient

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # `pkg_resources` is deprecated
    from milvus_lite.server_manager import server_manager_instance

from runtime.providers.vector_io._shared.folders import make_file
from runtime.providers.vector_io.milvus.client import MilvusCollections

_TIMEOUT_S = 60.0
"""Of each call; without it, the client asks a program that has ended for minutes."""


class MilvusEngine(MilvusCollections):
    """The file, which is made if it is missing, and the program that has it."""

    def __init__(self, path: Path, *, consistency_level: str) -> None:
        make_file(path)
        self._path = path
        address = server_manager_instance.start_and_get_uri(str(path))
        if address is None:
            raise OSError(f"Milvus Lite did not start on {path}: another process may have it")
        super().__init__(
            MilvusClient(address), index_type="FLAT", consistency_level=consistency_level, timeout_s=_TIMEOUT_S
        )

    def close(self) -> None:
        super().close()
        server_manager_instance.release_server(str(self._path))
