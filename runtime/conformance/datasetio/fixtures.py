"""Runs a test once for each of its module's `SUBJECTS` that claims what it needs, in a stack of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from runtime.conformance.datasetio.subject import Subject
from runtime.conformance.fixtures import pytest_generate_tests, subject
from runtime.conformance.stacks import Served, serving

__all__ = ["pytest_generate_tests", "served", "subject"]


@pytest_asyncio.fixture
async def served(subject: Subject, tmp_path: Path) -> AsyncIterator[Served]:
    """A stack with the subject, whose state is in `tmp_path / "state"`."""
    async with serving(subject.run_config, tmp_path / "state", specs=subject.specs) as running:
        yield running
