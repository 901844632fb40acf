"""A stack with `inline::auto`, real to its worker processes; small limits, so that what goes beyond them is quick."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conformance.file_processors.processor import Processor, processing

MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def auto(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processor]:
    limits = {"timeout_s": 15, "max_pages": 50, "max_decompressed_bytes": 32 * MIB, "max_text_bytes": MIB}
    async with processing(tmp_path_factory.mktemp("auto"), workers=1, **limits) as found:
        yield found
