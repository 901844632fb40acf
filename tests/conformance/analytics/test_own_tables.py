"""A provider has a table of analytics: what it declares ages, is shown, pruned and moved, beside its server too."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runtime.admin.storage.export import export
from runtime.admin.storage.importing import import_archive
from runtime.admin.storage.prune import prune
from runtime.admin.storage.show import show
from runtime.conformance.stacks import Served, run_config
from runtime.errors import ConfigInvalid, Conflict, NotSupported, RequestError
from runtime.stack.plan import plan
from runtime.storage.analytics.config import AnalyticsConfig
from runtime.storage.analytics.door import is_answered
from runtime.storage.analytics.tables import AnalyticsColumn, AnalyticsTable
from tests.support.examples import meter
from tests.support.mounting import mount
from tests.support.stacks import serving


@pytest.fixture(autouse=True)
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    mount(monkeypatch, meter)


METERS = [{"provider_id": "m", "provider_type": "inline::meter"}]


def counting(**retention: str) -> Any:
    return run_config(providers={"inference": [], "meters": METERS}, storage={"retention": retention})


@pytest.fixture
def run_yaml(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    storage = {"retention": {"steps": "30d"}}
    document = {"version": 2, "distro_name": "t", "providers": {"inference": [], "meters": METERS}, "storage": storage}
    file.write_text(json.dumps(document))
    return file


async def add(served: Served, *times: float) -> None:
    for at in times:
        answer = await served.client.post("/v1/meter", {"at": at, "count": 1})
        assert answer.status == 200, answer.text


def test_what_it_declares_can_be_kept_for_a_time() -> None:
    assert plan(counting(steps="30d")).noted == ()
    with pytest.raises(ConfigInvalid, match="nothing that is kept is called `step`"):
        plan(counting(step="30d"))
    [noted] = plan(run_config(storage={"retention": {"steps": "30d"}})).noted
    assert (noted.path, noted.message) == (
        "storage.retention.steps",
        "has no effect: nothing that is mounted keeps any",
    )


def told(what: str, count: int, total: int | None = None) -> None:
    pass


async def steps_in(run_yaml: Path, state: Path) -> dict[str, Any]:
    [row] = [row for row in (await show(run_yaml, state))["kept"] if row["kind"] == "steps"]
    return row


async def test_other_processes_ask_its_server(tmp_path: Path, run_yaml: Path) -> None:
    state = tmp_path / "state"
    async with serving(counting(), state) as served:
        await add(served, 1.5, 2.5, 1e9)
        assert await is_answered(state / AnalyticsConfig().db_path)
        shown = await steps_in(run_yaml, state)
        assert (shown["count"], shown["oldest"], shown["can_be_pruned"]) == (3, "1970-01-01T00:00:01Z", True)
        assert (shown["retention_s"], shown["store"]) == (30 * 86_400, "analytics")
        asked: dict[str, Any] = {"kinds": ["steps"], "older_than_s": 86_400.0, "tell": told}
        would = await prune(run_yaml, state, is_trial=True, **asked)
        assert [(row["kind"], row["count"]) for row in would["removed"]] == [("steps", 3)]
        assert (await steps_in(run_yaml, state))["count"] == 3
        archive = io.BytesIO()
        exported = await export(run_yaml, state, stream=archive, tell=told)
        assert [(part["kind"], part["rows"]) for part in exported["parts"]] == [("steps", 3)]
        done = await prune(run_yaml, state, is_trial=False, **asked)
        assert done["removed"] == would["removed"]
        answer = await served.client.post("/v1/meter", {"at": 1, "count": 5})
        assert answer.json() == {"count": 5}


@pytest_asyncio.fixture
async def archive(tmp_path: Path, run_yaml: Path) -> io.BytesIO:
    """Of a stack with three rows, two of them alike."""
    async with serving(counting(), tmp_path / "here") as served:
        await add(served, 1.5, 1.5, 1e9)
    stream = io.BytesIO()
    await export(run_yaml, tmp_path / "here", stream=stream, tell=told)
    stream.seek(0)
    return stream


async def imported(run_yaml: Path, state: Path, archive: io.BytesIO, **choices: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {"merge": False, "skipped": (), "is_trial": False, **choices}
    [part] = (await import_archive(run_yaml, state, stream=archive, tell=told, **chosen))["parts"]
    found: dict[str, Any] = part
    return found


async def test_it_moves(tmp_path: Path, run_yaml: Path, archive: io.BytesIO) -> None:
    part = await imported(run_yaml, tmp_path / "there", archive)
    assert (part["kind"], part["rows"], part["added"], part["is_same"]) == ("steps", 3, 3, True)
    again = io.BytesIO()
    exported = await export(run_yaml, tmp_path / "there", stream=again, tell=told)
    assert exported["parts"][0]["rows_sha256"] == part["rows_sha256"]
    async with serving(counting(), tmp_path / "there") as served:
        answer = await served.client.post("/v1/meter", {"at": 1, "count": 5})
        assert answer.json() == {"count": 8}


async def test_what_is_there_is_not_added_again(tmp_path: Path, run_yaml: Path, archive: io.BytesIO) -> None:
    async with serving(counting(), tmp_path / "there") as served:
        await add(served, 1.5, 7.0)
    with pytest.raises(Conflict, match="something is kept here already: steps"):
        await imported(run_yaml, tmp_path / "there", archive, is_trial=True)
    archive.seek(0)
    part = await imported(run_yaml, tmp_path / "there", archive, merge=True)
    assert (part["added"], part["different"], part["is_same"]) == (2, 0, True)
    assert (await steps_in(run_yaml, tmp_path / "there"))["count"] == 4


async def test_a_damaged_archive_adds_nothing(tmp_path: Path, run_yaml: Path, archive: io.BytesIO) -> None:
    damaged = io.BytesIO(archive.getvalue().replace(b'{"at":1000000000.0', b'{"at":1000000001.0'))
    with pytest.raises(RequestError, match="the archive is damaged: `analytics-steps` is not as its end says"):
        await imported(run_yaml, tmp_path / "there", damaged)
    assert (await steps_in(run_yaml, tmp_path / "there"))["count"] == 0


async def test_what_nothing_here_counts_is_refused(tmp_path: Path, run_yaml: Path, archive: io.BytesIO) -> None:
    run_yaml.write_text(json.dumps({"version": 2, "distro_name": "t", "apis": ["inspect"], "providers": {}}))
    for is_trial in (True, False):
        archive.seek(0)
        with pytest.raises(
            NotSupported, match="nothing in this run config keeps what the archive has of steps"
        ) as caught:
            await imported(run_yaml, tmp_path / "there", archive, is_trial=is_trial)
        assert str(caught.value.hint).endswith("or leave it out: `--skip steps`")


async def test_a_table_that_is_another_here_is_refused(
    tmp_path: Path, run_yaml: Path, archive: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "STEPS", AnalyticsTable(name="steps", columns=(AnalyticsColumn("at", "time"),)))
    with pytest.raises(Conflict, match="the table `steps` of analytics has other columns in the archive"):
        await imported(run_yaml, tmp_path / "there", archive)
