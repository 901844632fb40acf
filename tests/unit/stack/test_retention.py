"""`storage.retention`: read from a run config, refused where it means nothing, and carried out by a stack that runs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from runtime import discovery
from runtime.conformance.stacks import run_config
from runtime.errors import ConfigInvalid, Unavailable
from runtime.providers.conversations.builtin import tables as conversations_tables
from runtime.providers.files._shared import tables as files_tables
from runtime.providers.prompts.builtin import tables as prompts_tables
from runtime.routing import stored_completions
from runtime.stack import retention
from runtime.stack.placing import every_ageing_kind, every_store
from runtime.stack.plan import plan, read_run_config
from runtime.stack.retention import Retention
from runtime.stack.stack import Stack
from runtime.storage.jobs.records import JOBS, SCHEMA
from runtime.storage.placement import StorageConfig
from runtime.storage.sql import Insert, Schema, Select, SqlStore
from runtime.storage.stores import Stores
from tests.support.analytics import NOTES, USAGE
from tests.support.stacks import serving

DAY_S = 86_400.0


def read(retained: str) -> Any:
    text = f"version: 2\ndistro_name: t\nproviders: {{}}\nstorage:\n  retention:\n    {retained}\n"
    return read_run_config("run.yaml", {}, text=text)


@pytest.mark.parametrize(("given", "seconds"), [("30d", 30 * DAY_S), ("90s", 90.0), ("1h30m", 5400.0)])
def test_an_age_has_a_unit_and_is_shown_as_it_reads_best(given: str, seconds: float) -> None:
    run = read(f"jobs: {given}")
    assert run.storage.retention == {"jobs": seconds}
    shown = run.storage.model_dump(mode="json")["retention"]["jobs"]
    assert StorageConfig.model_validate({"retention": {"jobs": shown}}).retention == {"jobs": seconds}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("jobs: soon", "`soon` is not a duration"),
        ("jobs: 0s", "greater than 0"),
        ("jobs: 30", "`30` has no unit; write `30d` for days, `30s` for seconds"),
        ("jobs: -3d", "is not a duration"),
    ],
)
def test_what_is_no_age_is_refused_with_its_line(given: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        read(given)
    [problem] = caught.value.problems
    assert said in problem.message
    assert (problem.path, problem.line) == ("storage.retention.jobs", 6)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        plan(read("job: 1d"), file="run.yaml")
    [problem] = caught.value.problems
    assert (problem.path, problem.line, problem.hint) == ("storage.retention.job", 6, "did you mean `jobs`?")


@pytest.mark.parametrize("kind", ["registrations", "prompts"])
def test_what_does_not_age_is_refused(kind: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"`{kind}`, or it does not age"):
        plan(read(f"{kind}: 1d"))


def test_a_kind_that_nothing_here_keeps_has_no_effect() -> None:
    [noted] = plan(read("files: 1d")).noted
    assert (noted.path, noted.message) == (
        "storage.retention.files",
        "has no effect: nothing that is mounted keeps any",
    )
    assert plan(read("jobs: 1d")).noted == ()


def test_null_is_for_ever() -> None:
    assert read("jobs: null").storage.retention == {}


def test_every_store_of_tables_says_what_it_holds() -> None:
    assert [
        store.name for store in every_store(discovery.built_in()) if "sql" in store.families and not store.kinds
    ] == []


def test_completion_knows_the_kinds_that_age() -> None:
    assert discovery.kept_kinds() == sorted(every_ageing_kind(discovery.built_in()))


def test_completion_knows_the_analytics_of_an_api_that_it_does_not_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (tmp_path / "apis" / "usage.py", tmp_path / "storage" / "placement.py"):
        file.parent.mkdir()
        file.write_text('API = Api("usage", Usage, analytics=("requests",))')
    built_in = discovery.kept_kinds()
    monkeypatch.setattr(discovery, "_ROOT", tmp_path)
    assert set(discovery.kept_kinds()) - set(built_in) == {"requests"}


def job(name: str, ended_at: float | None) -> dict[str, Any]:
    facts = {"id": name, "position": 1, "kind": "batch", "state": "queued", "attempts": 0, "created_at": 0.0}
    return {**facts, "ended_at": ended_at}


async def jobs_in(folder: Path, *jobs: dict[str, Any]) -> tuple[Stores, SqlStore]:
    stores = Stores(StorageConfig(), folder)
    store = stores.sql("jobs", SCHEMA)
    await stores.open_tables()
    for each in jobs:
        await store.write(Insert(JOBS, each))
    return stores, store


async def test_what_is_too_old_goes_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stores, store = await jobs_in(tmp_path, job("old", 10.0), job("new", 90.0), job("runs", None))
    with caplog.at_level(logging.INFO):
        gone = await Retention(stores, {"jobs": 50.0, "files": 1.0}, clock=lambda: 100.0).turn()
    assert gone == {"jobs": 1}
    assert [row["id"] for row in await store.select(Select(JOBS, order=("id",)))] == ["new", "runs"]
    [record] = [record for record in caplog.records if record.message == "removed what was too old"]
    assert (record.__dict__["kind"], record.__dict__["count"], record.__dict__["older_than"]) == ("jobs", 1, "50s")
    await stores.close()


async def test_analytics_age_too(tmp_path: Path) -> None:
    stores = Stores(StorageConfig(), tmp_path)
    analytics = stores.analytics(USAGE, NOTES)
    await analytics.append(USAGE, [{"at": at} for at in (10, 49, 51, 99)])
    await analytics.append(NOTES, [{"text": "is kept"}])
    limits = {"usage": 50.0, "notes": 1.0, "jobs": 1.0}
    assert await Retention(stores, limits, clock=lambda: 100.0).turn() == {"usage": 2}
    counts = [(await analytics.query(f"SELECT count(*) FROM {name}")).rows for name in ("usage", "notes")]
    assert counts == [[(2,)], [(1,)]]
    await stores.close()


FAILURES = [
    (Unavailable("the database is down"), "the database is down"),
    (RuntimeError("a fault of ours"), "RuntimeError; the server's log says why"),
]


@pytest.mark.parametrize(("failure", "said"), FAILURES)
async def test_a_failure_is_told_logged_once_and_tried_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: Exception, said: str
) -> None:
    stores, store = await jobs_in(tmp_path, job("old", 10.0))
    waits: list[float] = []
    real = store.select

    async def select(query: Select) -> Any:
        if len(waits) < 2:
            raise failure
        return await real(query)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if retention.EVERY_S in waits:
            raise StopAsyncIteration

    monkeypatch.setattr(store, "select", select)
    monkeypatch.setattr(retention.asyncio, "sleep", sleep)
    told: list[str] = []
    removing = Retention(stores, {"jobs": 50.0}, clock=lambda: 100.0, changed=lambda: told.append(removing.trouble))
    with caplog.at_level(logging.WARNING), pytest.raises(StopAsyncIteration):
        await removing.run()
    assert [wait for wait in waits if wait >= 1] == [retention.AGAIN_S, retention.AGAIN_S, retention.EVERY_S]
    assert told == [f"what is too old is not removed: jobs: {said}", ""]
    assert [record.message for record in caplog.records].count("what is too old is removed later") == 1
    assert (str(failure) in caplog.text) == isinstance(failure, RuntimeError)
    monkeypatch.undo()
    assert await store.select(Select(JOBS)) == []
    await stores.close()


async def test_one_kind_that_fails_keeps_no_other_from_being_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores, store = await jobs_in(tmp_path, job("old", 10.0))
    monkeypatch.setattr(store, "select", failing)
    analytics = stores.analytics(USAGE)
    await analytics.append(USAGE, [{"at": at} for at in (10, 99)])
    removing = Retention(stores, {"usage": 50.0, "jobs": 50.0}, clock=lambda: 100.0)
    assert await removing.turn() == {"usage": 1}
    assert removing.trouble == "what is too old is not removed: jobs: the database is down"
    await stores.close()


async def failing(*_: object) -> Any:
    raise Unavailable("the database is down")


async def test_a_stack_says_that_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqlStore, "select", failing)
    run = run_config(storage={"retention": {"jobs": "2d"}})
    stack = Stack(plan(run), run, state_dir=tmp_path)
    stack._stores.sql("jobs", SCHEMA)  # as a provider with jobs asks for it
    told = asyncio.Event()
    stack.on_change = told.set
    try:
        await stack.open()
        assert stack.degraded() == {}
        stack.start()
        async with asyncio.timeout(5):
            await told.wait()
        expected = "what is too old is not removed: jobs: the database is down"
        assert stack.degraded() == {"storage.retention": expected}
    finally:
        await stack.close()


async def test_a_stack_that_runs_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[dict[str, float]] = []

    async def run(self: Retention) -> None:
        begun.append(dict(self._limits))

    monkeypatch.setattr(Retention, "run", run)
    async with serving(run_config(storage={"retention": {"jobs": "2d"}}), tmp_path) as served:
        await served.stack.settled.wait()
    assert begun == [{"jobs": 2 * DAY_S}]


SCHEMAS = [SCHEMA, stored_completions.SCHEMA, files_tables.SCHEMA, prompts_tables.SCHEMA, conversations_tables.SCHEMA]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda one: one.name)
def test_a_store_holds_the_kinds_that_it_is_declared_with(schema: Schema) -> None:
    [store] = [store for store in every_store(discovery.built_in()) if store.name == schema.name]
    held = [table for table in schema.tables if table.holds]
    assert {table.holds for table in held} == {*store.kinds}
    assert {table.aged_by is not None for table in held} == {store.ages}
