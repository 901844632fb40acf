"""What a folder alone does: whole blocks past the cache, the rest through it; what a full or closed disk gets."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Iterable
from mmap import PAGESIZE, mmap
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.files.subject import assert_nothing_is_left, upload, uploaded
from runtime.conformance.form import HEADERS, field, file, form
from runtime.conformance.stacks import run_config, serving
from runtime.errors import Unavailable
from runtime.providers.files._shared import durable
from runtime.providers.files._shared.durable import DurableFile
from runtime.storage.sql import SqlStore
from tests.conformance.files.subjects import localfs

SIZES = [0, 1, 4095, 4096, 4097, 4 * 1024**2 - 1, 4 * 1024**2, 4 * 1024**2 + 4097, 9 * 1024**2 + 5]


def write_file(path: Path, chunks: Iterable[bytes]) -> None:
    written = DurableFile(path)
    for chunk in chunks:
        rest = written.take(memoryview(chunk))
        while rest:
            written.write()
            rest = written.take(rest)
    written.finish()
    written.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunk_bytes", [700, 65536, 5 * 1024**2])
def test_every_byte_is_in_its_place(tmp_path: Path, size: int, chunk_bytes: int) -> None:
    content = os.urandom(size)
    chunks = [content[at : at + chunk_bytes] for at in range(0, size, chunk_bytes)]
    path = tmp_path / "a" / "b" / "file"
    write_file(path, chunks)
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_system_that_refuses_direct_writes_gets_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    refused = []

    def write(handle: int, data: memoryview) -> int:
        if not refused:
            refused.append(len(data))
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(handle, data)

    monkeypatch.setattr(os, "write", write)
    content = os.urandom(2 * 1024**2 + 3)
    monkeypatch.setattr(durable, "_created", lambda path: (os.open(path, os.O_WRONLY | os.O_CREAT), True))
    write_file(tmp_path / "file", [content])
    assert (tmp_path / "file").read_bytes() == content and refused


@pytest.mark.skipif(sys.platform != "linux", reason="there are no such pages elsewhere")
def test_a_system_without_large_pages_has_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = mmap(-1, PAGESIZE)
    monkeypatch.setattr(durable, "_MADV_COLLAPSE", 9999)
    with pytest.raises(OSError, match="Invalid argument"):
        asked.madvise(durable._MADV_COLLAPSE)
    content = os.urandom(9 * 1024**2)
    write_file(tmp_path / "file", [content])
    assert (tmp_path / "file").read_bytes() == content


async def test_without_room_for_what_arrives_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file before its purpose is stored until that is known."""
    run = run_config(providers={"files": [{"provider_id": "files", "provider_type": "inline::localfs"}]})
    body = form(file(b"x" * 3_000_000), field("purpose", "vision"))
    async with serving(run, tmp_path) as served:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
        answer = await served.client.post("/v1/files", body=body, headers=HEADERS)
        assert (answer.status, answer.error["code"]) == (503, "storage_unavailable")
        assert "no such folder" in answer.error["message"]


def test_buffers_are_used_again(tmp_path: Path) -> None:
    for place in range(20):
        write_file(tmp_path / str(place), [b"x"])
    assert len(durable._spare) <= 4


async def test_a_full_disk_is_a_503_that_leaves_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        localfs.subject(tmp_path, request) as subject,
        serving(subject.run_config, tmp_path / "state") as served,
    ):
        real = os.write

        def write(handle: int, data: memoryview) -> int:
            if len(data) > 1000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(handle, data)

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            answer = await upload(served, b"x" * 2_000_000)
        assert (answer.status, answer.error["code"]) == (503, "storage_unavailable")
        assert "`files`" in answer.error["message"] and "No space left on device" in answer.error["message"]
        await assert_nothing_is_left(served, subject)
        await uploaded(served, b"x" * 2_000_000)


async def test_what_cannot_be_deleted_keeps_its_bytes(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a full disk has them go first. A file whose database was locked was listed still, without its bytes."""

    async def locked(*_: Any) -> None:
        raise Unavailable("the database is locked by another process")

    async with (
        localfs.subject(tmp_path, request) as subject,
        serving(subject.run_config, tmp_path / "state") as served,
    ):
        kept = await uploaded(served, b"still here")
        with monkeypatch.context() as patched:
            patched.setattr(SqlStore, "write", locked)
            assert (await served.client.request("DELETE", f"/v1/files/{kept['id']}")).status == 503
        assert (await served.client.get(f"/v1/files/{kept['id']}/content")).body == b"still here"


async def test_bytes_that_somebody_removed_are_a_503_and_no_half_answer(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with (
        localfs.subject(tmp_path, request) as subject,
        serving(subject.run_config, tmp_path / "state") as served,
    ):
        kept = await uploaded(served)
        [path] = (tmp_path / "content").rglob("file-*")
        path.unlink()
        answer = await served.client.get(f"/v1/files/{kept['id']}/content")
        assert (answer.status, answer.error["code"]) == (503, "storage_unavailable")
        assert (await served.client.request("DELETE", f"/v1/files/{kept['id']}")).status == 200


async def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    config = {"storage_dir": str(tmp_path / "file" / "below")}
    entry = {"provider_id": "files", "provider_type": "inline::localfs", "config": config}
    async with serving(run_config(providers={"inference": [], "files": [entry]}), tmp_path / "state") as served:
        answer = await upload(served)
        assert answer.status == 503 and str(tmp_path / "file") in answer.error["message"]
        shown = (await served.client.get("/v1/providers/files")).json()["health"]
        assert shown["state"] == "degraded"
