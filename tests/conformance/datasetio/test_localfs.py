"""What datasets in a folder do when a caller leaves, a file is damaged, or many small parts are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.conformance.datasetio.subject import DATASETS, IO, append, page, register, registered, rows_of
from runtime.conformance.stacks import Served, adapter_of, run_config, serving
from runtime.errors import NotFound

ENTRY = {"provider_id": "rows", "provider_type": "inline::localfs"}
RUN = run_config(providers={"inference": [], "datasetio": [ENTRY]}, persistent=True)
LIMIT_S = 20.0


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(RUN, tmp_path) as running:
        yield running


async def test_what_is_read_for_a_caller_who_leaves_is_interrupted(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime.providers.datasetio.localfs import reading

    await registered(served, [{"a": 1}])
    endless = "(SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b)::VARCHAR"
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    find = reading.Reading.page

    def found(*given: Any) -> Any:
        loop.call_soon_threadsafe(began.set)
        try:
            return find(*given)
        finally:
            loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(reading.Reading, "page", found)
    monkeypatch.setattr(reading, "row_as_json", lambda *_: endless)
    call = served.client.call("GET", f"{IO}/iterrows/rows", headers={}, body=b"", is_whole=True)
    asked = asyncio.create_task(call.start())
    async with asyncio.timeout(LIMIT_S):
        await began.wait()
        await call.leave()
        await ended.wait()
    asked.cancel()
    await asyncio.wait({asked})
    monkeypatch.undo()
    assert await rows_of(served) == [{"a": 1}]


async def test_rows_are_not_appended_to_what_has_taken_the_name_meanwhile(served: Served) -> None:
    """One may wait for its turn while its dataset is forgotten, and another user registers that name."""
    await registered(served, [{"a": 1}])
    adapter = adapter_of(served.stack, "datasetio")
    before = adapter._known["registered/rows"]
    assert (await served.client.request("DELETE", f"{DATASETS}/rows")).status == 204
    for _ in range(2):
        with pytest.raises(NotFound, match="removed meanwhile"):
            await adapter._append("registered/rows", before.made, [{"a": 2}])
        await registered(served, [{"b": 1}])
    assert await rows_of(served) == [{"b": 1}]


async def test_small_parts_become_few(served: Served, tmp_path: Path) -> None:
    await registered(served, [{"number": 0}])
    for number in range(1, 60):
        assert (await append(served, [{"number": number}])).status == 200
    adapter = adapter_of(served.stack, "datasetio")
    manifest = adapter._known["registered/rows"]
    assert len(manifest.parts_of(manifest.latest)) < 20
    for version in manifest.versions:
        found = await rows_of(served, version=version.digest)
        assert found == [{"number": number} for number in range(version.rows)]


async def test_rows_that_somebody_damaged_are_a_503_and_a_new_registration_mends_them(
    served: Served, tmp_path: Path
) -> None:
    await registered(served, [{"a": 1}])
    [part] = tmp_path.rglob("*.parquet")
    part.write_bytes(b"PAR1 and nothing more")
    answer = await page(served)
    assert (answer.status, answer.error["code"]) == (503, "storage_unavailable")
    assert str(tmp_path) not in answer.error["message"] and part.name in answer.error["message"]
    assert (await served.client.request("DELETE", f"{DATASETS}/rows")).status == 204
    await registered(served, [{"a": 1}])
    assert await rows_of(served) == [{"a": 1}]


@pytest.mark.parametrize("damage", ["text", "permissions", "format"])
async def test_a_manifest_that_cannot_be_read_harms_no_other_dataset(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    async with serving(RUN, tmp_path) as served:
        await registered(served, [{"a": 1}])
        [manifest] = tmp_path.rglob("manifest.json")
        await registered(served, [{"b": 1}], "other")
    if damage == "permissions":
        manifest.unlink()
        manifest.mkdir()  # what nobody may read, also where tests run as root
    else:
        manifest.write_text("{" if damage == "text" else manifest.read_text().replace('"format":1', '"format":2'))
    async with serving(RUN, tmp_path) as served:
        caplog.clear()
        answer = await page(served)
        assert answer.status == 503 and str(tmp_path) not in answer.error["message"]
        assert str(manifest) in [record.__dict__.get("path") for record in caplog.records]
        assert await rows_of(served, "other") == [{"b": 1}]
        assert manifest.exists() and [*manifest.parent.glob("*.parquet")], "nothing of it is removed"


async def test_a_folder_that_cannot_be_written_is_a_503(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "datasetio").write_text("in the way")
    async with serving(RUN, tmp_path) as served:
        answer = await register(served, {"type": "rows", "rows": [{"a": 1}]})
        assert answer.status == 503 and "datasets could not be written: Not a directory" in answer.error["message"]
        assert str(tmp_path) not in answer.error["message"]
        assert str(tmp_path / "datasetio" / "rows") in [record.__dict__.get("folder") for record in caplog.records]
        assert (await served.client.get(DATASETS)).json() == {"data": []}


async def test_nothing_is_forgotten_while_its_provider_is_down(tmp_path: Path) -> None:
    async with serving(RUN, tmp_path) as served:
        await registered(served, [{"a": 1}])
    (tmp_path / "datasetio").rename(tmp_path / "elsewhere")
    (tmp_path / "datasetio").write_text("in the way")
    async with serving(RUN, tmp_path) as served:
        answer = await served.client.request("DELETE", f"{DATASETS}/rows")
        assert answer.status == 503 and "`rows` cannot be changed while its provider is down" in answer.error["message"]
        assert len((await served.client.get(DATASETS)).json()["data"]) == 1
    (tmp_path / "datasetio").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "datasetio")
    async with serving(RUN, tmp_path) as served:
        assert await rows_of(served) == [{"a": 1}]
        assert (await served.client.request("DELETE", f"{DATASETS}/rows")).status == 204
        assert not [*tmp_path.rglob("*.parquet")]
