"""What only Qdrant's engine has: a folder for each collection, which is made and removed under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.vector_io.asking import NAME, Asked, drawn
from runtime.conformance.vector_io.subject import adapter
from tests.conformance.vector_io.subject import built_in


@pytest.mark.parametrize("is_reopened", [False, True])
async def test_what_was_broken_off_is_in_nobodys_way(tmp_path: Path, is_reopened: bool) -> None:
    vectors, folder = Asked(adapter(built_in("inline::qdrant"), {}, tmp_path)), tmp_path / "qdrant"
    await vectors.create(4, "vs_other")
    left = [folder / f".new-{NAME}", folder / f".dropped-{NAME}"]
    for place in left:
        place.mkdir()
        (place / "edge_config.json").write_text("{")
    if is_reopened:
        await vectors.stop()
        vectors = Asked(adapter(built_in("inline::qdrant"), {}, tmp_path))
    await vectors.create(4)
    await vectors.put([1], drawn(1, 4))
    await vectors.drop()
    await vectors.create(4)
    assert (await vectors.search(drawn(1, 4)[0])).numbers == []
    await vectors.stop()
    assert not any(place.exists() for place in left)
