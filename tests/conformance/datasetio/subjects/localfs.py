"""Datasets in a folder of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.datasetio.subject import Subject
from runtime.conformance.subjects import Kind


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    yield Subject(entry={"provider_id": "rows", "provider_type": "inline::localfs"})


KIND = Kind(make=subject, abilities=frozenset(("append", "versions", "filters", "data")))
