"""The guard of this layer: what it may not do fails, in whatever way it is done."""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.support.process_free import forgiven, holds


def call(address: tuple[str, int]) -> None:
    with socket.socket() as client:
        client.connect(address)


@pytest.mark.parametrize(
    "does",
    [
        lambda: subprocess.run(["true"], check=True),
        lambda: os.system("true"),
        lambda: asyncio.run(asyncio.create_subprocess_exec("true")),
        lambda: multiprocessing.get_context("spawn").Process().start(),
        lambda: call(("192.0.2.1", 80)),
        lambda: socket.getaddrinfo("example.com", 80),
    ],
    ids=["subprocess", "os.system", "asyncio", "multiprocessing", "another machine", "name"],
)
def test_what_is_not_allowed_fails_where_it_is_done(does: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception):
        does()
    assert forgiven()


@pytest.fixture(scope="module")
def of_a_module() -> Iterator[None]:
    with pytest.raises(pytest.fail.Exception):
        os.system("true")
    assert forgiven()
    yield
    if holds():
        with pytest.raises(pytest.fail.Exception):
            os.system("true")
        assert forgiven()


@pytest.mark.usefixtures("of_a_module")
def test_fixtures_of_every_scope_are_held_to_it() -> None:
    """The fixture says it."""


@pytest.mark.parametrize("name", ["torch", "uvloop"])
def test_what_may_not_be_loaded_cannot_be(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


def test_loopback_is_allowed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        call(server.getsockname())
