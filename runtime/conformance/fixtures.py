"""Runs a test once for each of its module's `SUBJECTS` that claims what it needs, each time anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.subjects import Kind, pytest_generate_tests, subjects_of

__all__ = ["pytest_generate_tests", "subject"]


@pytest_asyncio.fixture
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """The suite's own `Subject`."""
    kind: Kind = subjects_of(request.module)[request.param]
    async with kind.make(tmp_path, request) as made:
        yield made
