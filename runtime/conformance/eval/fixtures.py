"""Runs a test once for each of its module's `SUBJECTS` that claims what it needs, in a stack of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from runtime.conformance.eval.subject import Evaluating, Subject
from runtime.conformance.fixtures import pytest_generate_tests, subject
from runtime.conformance.stacks import serving

__all__ = ["evaluating", "pytest_generate_tests", "subject"]


@pytest_asyncio.fixture
async def evaluating(subject: Subject, tmp_path: Path) -> AsyncIterator[Evaluating]:
    """A stack with the subject and one benchmark, whose state is in `tmp_path / "state"`."""
    async with serving(subject.run_config, tmp_path / "state", specs=subject.specs) as served:
        found = Evaluating(served, subject)
        await found.register()
        yield found
