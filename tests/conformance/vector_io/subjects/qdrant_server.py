"""Qdrant's REST API over its own engine, a server for each folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from runtime.conformance.vector_io.subject import Kind, Subject, adapter
from tests.conformance.vector_io.qdrant_server import KEY, qdrant_server
from tests.conformance.vector_io.subject import built_in
from tests.support.stack_home import reserved_port

SPEC = built_in("remote::qdrant")


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    servers: dict[Path, str] = {}
    with ExitStack() as stack, reserved_port() as nobody:

        def config(place: Path) -> dict[str, Any]:
            if place not in servers:
                own = folder / str(len(servers))
                own.mkdir()
                servers[place] = stack.enter_context(qdrant_server(own))
            return {"url": servers[place], "api_key": KEY}

        yield Subject(
            spec=SPEC,
            config=config,
            broken=lambda place: adapter(SPEC, {"host": "127.0.0.1", "port": nobody}, place),
        )


KIND = Kind(spec=SPEC, start=started, abilities=frozenset({"exact"}))
