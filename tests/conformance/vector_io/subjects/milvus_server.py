"""Milvus Lite behind an address, a database file for each folder: it has the API of a Milvus server."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from runtime.conformance.vector_io.subject import Kind, Subject, adapter
from tests.conformance.vector_io.subject import built_in
from tests.support.stack_home import reserved_port

SPEC = built_in("remote::milvus")
_LIMIT_S = 60.0


@contextmanager
def served(file: Path) -> Iterator[str]:
    """The address of one that has this file."""
    found = importlib.util.find_spec("milvus_lite")  # whose import warns
    assert found is not None
    assert found.origin is not None
    programs = Path(found.origin).with_name("lib")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(programs)}
    with reserved_port() as port:
        command = [str(programs / "milvus"), str(file), f"127.0.0.1:{port}", "ERROR"]
        process = subprocess.Popen(command, cwd=file.parent, env=environment, stdout=subprocess.DEVNULL)
        try:
            _wait_until_it_listens(port, process)
            _wait_until_it_makes_collections(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait(_LIMIT_S)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError("Milvus Lite did not start")


def _wait_until_it_makes_collections(url: str, process: subprocess.Popen[bytes]) -> None:
    """It listens before its engine has begun."""
    from pymilvus import MilvusClient  # five seconds
    from pymilvus.exceptions import MilvusException

    client, until = MilvusClient(url), time.monotonic() + _LIMIT_S
    try:
        while True:
            try:
                client.create_collection("probe", dimension=2)
                client.drop_collection("probe")
                return
            except MilvusException:
                assert time.monotonic() < until and process.poll() is None, "Milvus Lite makes no collection"
    finally:
        client.close()


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    addresses: dict[Path, str] = {}
    with ExitStack() as stack, reserved_port() as nobody:

        def config(place: Path) -> dict[str, Any]:
            if place not in addresses:
                addresses[place] = stack.enter_context(served(folder / f"{len(addresses)}.db"))
            # With an index of its own choice Lite cannot read of an empty collection.
            return {"uri": addresses[place], "token": "root:Milvus", "index_type": "FLAT"}

        down = {"uri": f"http://127.0.0.1:{nobody}"}
        yield Subject(spec=SPEC, config=config, broken=lambda place: adapter(SPEC, down, place))


KIND = Kind(spec=SPEC, start=started, abilities=frozenset({"exact"}))
