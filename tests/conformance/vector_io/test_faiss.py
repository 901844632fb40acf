"""What only FAISS has: files of ours, which are written anew when most of them no longer counts."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from runtime.conformance.vector_io.asking import NAME, Asked, drawn, numbered
from runtime.conformance.vector_io.subject import adapter
from runtime.errors import Unavailable
from runtime.providers.vector_io.faiss import log_file
from tests.conformance.vector_io.subject import built_in

DIMENSION = 64


async def test_a_file_with_much_waste_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_SPARE_BYTES", 4096)
    vectors, file = Asked(adapter(built_in("inline::faiss"), {}, tmp_path)), tmp_path / "faiss" / f"{NAME}.vectors"
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
    again = Asked(adapter(built_in("inline::faiss"), {}, tmp_path))
    assert sorted((await again.search(given[0], 1000)).numbers) == [*numbered(1, 100), *numbered(3, 1)]
    await again.stop()


async def test_a_disk_without_room_for_that_fails_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_SPARE_BYTES", 4096)
    write, part = log_file._write_all, tmp_path / "faiss" / f"{NAME}{log_file.PART}"
    tries = 0

    def write_some(file: int, content: bytes) -> None:
        nonlocal tries
        if part.exists():
            tries += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, content)

    vectors, given = Asked(adapter(built_in("inline::faiss"), {}, tmp_path)), drawn(100, DIMENSION)
    await vectors.create(DIMENSION)
    with monkeypatch.context() as full:
        full.setattr(log_file, "_write_all", write_some)
        for _ in range(30):
            await vectors.put([*numbered(1, 20)], given[:20])
            assert not part.exists()
    assert 1 < tries < 30
    await vectors.stop()
    again, file = Asked(adapter(built_in("inline::faiss"), {}, tmp_path)), part.with_suffix(".vectors")
    assert sorted((await again.search(given[0], 1000)).numbers) == numbered(1, 20)
    part.write_bytes(b"left by a process that was killed")
    before = file.stat().st_size
    await again.put(numbered(1, 20), given[:20])
    assert file.stat().st_size < before / 2
    await again.stop()
    assert {path.name for path in part.parent.iterdir()} == {file.name, ".lock"}


async def test_a_damaged_file_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    vectors, file = Asked(adapter(built_in("inline::faiss"), {}, tmp_path)), tmp_path / "faiss" / f"{NAME}.vectors"
    await vectors.create(DIMENSION)
    for group in (1, 2):
        await vectors.put(numbered(group, 10), drawn(10, DIMENSION))
    await vectors.stop()
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    again = Asked(adapter(built_in("inline::faiss"), {}, tmp_path))
    with pytest.raises(Unavailable, match="damaged at byte 16"):
        await again.search(drawn(1, DIMENSION)[0])
    await again.stop()
    assert file.read_bytes() == content
