"""pgvector in a real PostgreSQL, a database for each folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.conformance.vector_io.subject import Kind, Subject, adapter
from tests.conformance.vector_io.subject import built_in
from tests.support.postgres import new_server
from tests.support.stack_home import reserved_port

SPEC = built_in("remote::pgvector")


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    databases: dict[Path, str] = {}
    with new_server(extension="vector") as server:

        def config(place: Path) -> dict[str, Any]:
            name = databases.setdefault(place, "") or server.database().rpartition("/")[2]
            databases[place] = name
            return {"host": "127.0.0.1", "port": server.port, "db": name, "user": "postgres"}

        with reserved_port() as nobody:
            yield Subject(
                spec=SPEC,
                config=config,
                broken=lambda place: adapter(SPEC, {"host": "127.0.0.1", "port": nobody}, place),
            )


KIND = Kind(spec=SPEC, start=started, abilities=frozenset())
