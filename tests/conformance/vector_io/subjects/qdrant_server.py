"""Qdrant's REST API over its own engine, a server for each folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.conformance.vector_io.qdrant_server import KEY, qdrant_server
from tests.conformance.vector_io.subject import Kind, Opened, Subject, adapter
from tests.support.stack_home import reserved_port

TYPE = "remote::qdrant"


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    servers: dict[Path, str] = {}
    with ExitStack() as stack, reserved_port() as nobody:

        def opened(place: Path) -> Opened:
            if place not in servers:
                own = folder / str(len(servers))
                own.mkdir()
                servers[place] = stack.enter_context(qdrant_server(own))
            return adapter(TYPE, {"url": servers[place], "api_key": KEY}, place)

        yield Subject(open=opened, broken=lambda place: adapter(TYPE, {"host": "127.0.0.1", "port": nobody}, place))


KIND = Kind(provider_type=TYPE, start=started, abilities=frozenset({"exact"}))
