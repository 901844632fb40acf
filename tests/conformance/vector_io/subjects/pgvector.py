"""pgvector in a real PostgreSQL, a database for each folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.vector_io.subject import Kind, Opened, Subject, adapter
from tests.support.postgres import new_server
from tests.support.stack_home import reserved_port

TYPE = "remote::pgvector"


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    databases: dict[Path, str] = {}
    with new_server(extension="vector") as server:

        def opened(place: Path) -> Opened:
            name = databases.setdefault(place, "") or server.database().rpartition("/")[2]
            databases[place] = name
            config = {"host": "127.0.0.1", "port": server.port, "db": name, "user": "postgres"}
            return adapter(TYPE, config, place)

        with reserved_port() as nobody:
            yield Subject(
                open=opened,
                broken=lambda place: adapter(TYPE, {"host": "127.0.0.1", "port": nobody}, place),
            )


KIND = Kind(provider_type=TYPE, start=started, abilities=frozenset())
