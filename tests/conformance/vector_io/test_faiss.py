"""What only FAISS has: files of ours, which are written anew when most of them no longer counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import Unavailable
from runtime.providers.vector_io.faiss import log_file
from tests.conformance.vector_io.asking import NAME, Asked, drawn, numbered
from tests.conformance.vector_io.subject import adapter

DIMENSION = 64


async def test_a_file_with_much_waste_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_SPARE_BYTES", 4096)
    vectors, file = Asked(adapter("inline::faiss", {}, tmp_path)), tmp_path / "faiss" / f"{NAME}.vectors"
    await vectors.create(DIMENSION)
    given = drawn(100, DIMENSION)
    await vectors.put(numbered(1, 100), given)
    least = file.stat().st_size
    for _ in range(20):
        await vectors.put(numbered(2, 100), given)
        assert file.stat().st_size <= 2 * 2 * least + 4096
    await vectors.remove(2)
    await vectors.put(numbered(3, 1), given[:1])
    await vectors.stop()
    again = Asked(adapter("inline::faiss", {}, tmp_path))
    assert sorted((await again.search(given[0], 1000)).numbers) == [*numbered(1, 100), *numbered(3, 1)]
    await again.stop()


async def test_a_damaged_file_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    vectors, file = Asked(adapter("inline::faiss", {}, tmp_path)), tmp_path / "faiss" / f"{NAME}.vectors"
    await vectors.create(DIMENSION)
    for group in (1, 2):
        await vectors.put(numbered(group, 10), drawn(10, DIMENSION))
    await vectors.stop()
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    again = Asked(adapter("inline::faiss", {}, tmp_path))
    with pytest.raises(Unavailable, match="damaged at byte 12"):
        await again.search(drawn(1, DIMENSION)[0])
    await again.stop()
    assert file.read_bytes() == content
