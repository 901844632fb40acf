"""Files in a folder of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.files.service import over_service
from runtime.conformance.files.subject import LIMIT_BYTES, Subject


@asynccontextmanager
async def subject(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    place = folder / "content"

    async def kept() -> list[str]:
        return sorted(path.name for path in place.rglob("*") if path.is_file())

    config = {"storage_dir": str(place), "max_file_bytes": LIMIT_BYTES}
    yield over_service({"provider_id": "files", "provider_type": "inline::localfs", "config": config}, kept)
