"""Files in a folder: no id leads out of it, whoever wrote it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.errors import RequestError
from runtime.providers.files._shared.backend import NewFile
from runtime.providers.files._shared.folder import Folder


async def some(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.mark.parametrize("form", ["{victim}", "../../{name}", "..", "", "a/b", "file-1\0", "file-1\n", "f" * 201])
async def test_an_id_that_is_a_path_is_refused_whatever_is_done_with_it(form: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    folder = Folder(tmp_path / "state" / "files", name="localfs")
    file_id = form.format(victim=victim, name=victim.name)
    with pytest.raises(RequestError, match="not the id of one"):
        await folder.put(NewFile(id=file_id, filename="x", purpose="assistants"), some(b"evil"))
    with pytest.raises(RequestError, match="not the id of one"):
        await folder.remove(file_id)
    with pytest.raises(RequestError, match="not the id of one"):
        await anext(folder.read(file_id, 0, 4))
    assert victim.read_text() == "precious"


async def test_an_id_of_ours_is_written_and_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path, name="localfs")
    new = NewFile(id="file-0123456789abcdef", filename="x", purpose="assistants")
    assert await folder.put(new, some(b"text")) == new.id
    assert [piece async for piece in folder.read(new.id, 0, 4)] == [b"text"]
