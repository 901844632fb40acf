"""The providers of files that the suite runs against, each a module of `subjects`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.conformance.stacks import Served, serving
from tests.conformance.files.subject import Subject
from tests.support.s3 import s3_server

__all__ = ["s3_server"]
SUBJECTS = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "subjects")]))


@pytest_asyncio.fixture(params=SUBJECTS)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    module = importlib.import_module(f"tests.conformance.files.subjects.{request.param}")
    async with module.subject(request, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def served(subject: Subject, tmp_path: Path) -> AsyncIterator[Served]:
    """A stack with the subject, and small limits."""
    async with serving(subject.run_config, tmp_path / "state") as running:
        yield running
