"""What only Milvus has: a collection is made in steps, and is searched only after the last one."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import Unavailable
from tests.conformance.vector_io.asking import Asked, drawn
from tests.conformance.vector_io.subject import adapter


async def test_a_creation_that_was_broken_off_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = Asked(adapter("inline::milvus", {}, tmp_path))
    await vectors.create(8, "vs_other")
    from pymilvus import MilvusClient

    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(MilvusClient, "create_index", fail)
        with pytest.raises(Unavailable, match="the disk is full"):
            await vectors.create(8)
    await vectors.create(8)
    await vectors.put([1], drawn(1, 8))
    assert (await vectors.search(drawn(1, 8)[0])).numbers == [1]
    await vectors.stop()
