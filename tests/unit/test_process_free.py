"""The guard of this layer: what it may not do fails, in whatever way it is done."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import subprocess
from collections.abc import Callable

import pytest


def call(address: tuple[str, int]) -> None:
    with socket.socket() as client:
        client.connect(address)


@pytest.mark.parametrize(
    "does",
    [
        lambda: subprocess.run(["true"], check=True),
        lambda: os.system("true"),
        lambda: asyncio.run(asyncio.create_subprocess_exec("true")),
        lambda: call(("192.0.2.1", 80)),
        lambda: socket.getaddrinfo("example.com", 80),
    ],
    ids=["subprocess", "os.system", "asyncio", "another machine", "name"],
)
def test_what_is_not_allowed_fails_where_it_is_done(only_this_process: list[str], does: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception):
        does()
    assert only_this_process.pop()


def test_model_code_cannot_be_loaded() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("torch")


def test_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        call(server.getsockname())
