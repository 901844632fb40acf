"""Files in a folder of this machine, and what is known about them in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.conformance.files.subject import Subject
from tests.conformance.files.subjects import localfs


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    url = request.getfixturevalue("postgres_url")
    async with localfs.subject(folder, request) as plain:
        entry = dict(plain.entry)
        entry["config"] = {**entry["config"], "metadata_store": {"backend": "postgres", "table_name": "my_files"}}
        backends = {"postgres": {"type": "sql_postgres", "connection_string": url}}
        yield replace(plain, entry=entry, backends=backends)
