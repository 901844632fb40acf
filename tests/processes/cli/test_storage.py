"""`llama stack storage`: what a distribution keeps, as its own interpreter reads it; here that of these tests."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_cli.servers import records
from runtime.apis import agents, inference, prompts
from runtime.providers.agents.builtin.tables import AGENTS, SESSIONS
from runtime.providers.agents.builtin.tables import SCHEMA as AGENTS_SCHEMA
from runtime.providers.prompts.builtin.tables import PROMPTS
from runtime.providers.prompts.builtin.tables import SCHEMA as PROMPTS_SCHEMA
from runtime.routing.stored_completions import COMPLETIONS
from runtime.routing.stored_completions import SCHEMA as COMPLETIONS_SCHEMA
from runtime.storage import state_folder
from runtime.storage.jobs.records import JOBS
from runtime.storage.jobs.records import SCHEMA as JOBS_SCHEMA
from runtime.storage.placement import StorageConfig
from runtime.storage.sql import AddColumn, Column, Insert, Schema, Select, SqlStore, Table
from runtime.storage.stores import Stores
from tests.support.analytics import NOTES, USAGE
from tests.support.built_distribution import built_distribution
from tests.support.command_runner import Cli
from tests.support.schemas import conform

DAY_S = 86_400
RUN_YAML = """version: 2
distro_name: mine
apis: [inspect, inference]
providers: {}
storage:
  retention: {completions: 90d}
"""


def completion(number: int, *, days: int) -> dict[str, Any]:
    facts = {"id": f"chatcmpl-{number}", "position": number, "created": int(time.time()) - days * DAY_S - 60}
    texts = {"model": "m", "request_id": "r", "metadata": {"a": "b"}, "request": b"x" * 5000, "answer": b"y" * 5000}
    return {**facts, **texts}


def job(name: str, ended_at: float | None) -> dict[str, Any]:
    facts = {"id": name, "position": 1, "kind": "batch", "state": "queued", "attempts": 0, "created_at": 0.0}
    return {**facts, "ended_at": ended_at}


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def opened(state: Path) -> Stores:
    return Stores(StorageConfig(), state, (*agents.API.stores, *inference.API.stores, *prompts.API.stores))


async def kept(state: Path) -> None:
    stores = opened(state)
    await stores.kv("metadata").set("model:x", b"{}")
    completions, jobs = stores.sql("inference", COMPLETIONS_SCHEMA), stores.sql("jobs", JOBS_SCHEMA)
    for number, days in enumerate((100, 40, 40, 1)):
        await completions.write(Insert(COMPLETIONS, completion(number, days=days)))
    await jobs.write(Insert(JOBS, job("old", 5.0)), Insert(JOBS, job("runs", None)))
    prompt = {"id": "pmpt_1", "position": 1, "latest": 1, "version": 1, "prompt": b"x", "variables": []}
    await stores.sql("prompts", PROMPTS_SCHEMA).write(Insert(PROMPTS, prompt))
    await stores.close()


async def ids(state: Path, store: str, schema: Schema, table: Table) -> list[str]:
    stores = opened(state)
    rows = await stores.sql(store, schema).select(Select(table, order=("id",)))
    await stores.close()
    return [row["id"] for row in rows]


def built(cli: Cli, name: str = "mine", run_yaml: str = RUN_YAML) -> Path:
    """Returns its state folder."""
    return built_distribution(cli.home, name, run_yaml) / "state"


@pytest.fixture
def state(cli: Cli) -> Path:
    folder = built(cli)
    run(kept(folder))
    return folder


def document(cli: Cli, schema: str, *arguments: str) -> Any:
    """What a command prints with `--json`. schema: its name, and so the command's."""
    result = cli(*schema.split("-"), *arguments, "--json")
    assert result.code == 0, result.out
    conform(result.json(), schema)
    return result.json()


def test_what_is_kept_is_shown_by_kind(cli: Cli, state: Path) -> None:
    rows = {row["kind"]: row for row in document(cli, "stack-storage-show", "mine")["kept"]}
    assert {kind: row["count"] for kind, row in rows.items()} == {
        "completions": 4, "jobs": 2, "prompts": 1, "registrations": 1
    }  # fmt: skip
    assert (rows["completions"]["size_bytes"] - 4 * 10_000) in range(1, 1000)
    assert rows["completions"]["retention_s"] == 90 * DAY_S
    assert rows["jobs"]["oldest"] == "1970-01-01T00:00:05Z"
    assert [kind for kind, row in rows.items() if row["can_be_pruned"]] == ["completions", "jobs"]
    said = cli("stack", "storage", "show", "mine")
    assert said.out.splitlines()[0].split("\t")[:3] == ["completions", "4", "40.1 kB"]
    assert f"in {state}/sql_store.db" in said.err
    assert cli("stack", "storage", "show", "mine", "-q").out == "completions\njobs\nprompts\nregistrations\n"


async def counted(state: Path) -> None:
    stores = opened(state)
    analytics = stores.analytics(USAGE, NOTES)
    days = (100, 40, 1)
    await analytics.append(USAGE, [{"at": time.time() - day * DAY_S, "model": "m"} for day in days])
    await analytics.append(NOTES, [{"text": "is kept"}])
    await stores.close()


def test_analytics_are_kept_too(cli: Cli, state: Path) -> None:
    run(counted(state))
    found = document(cli, "stack-storage-show", "mine")
    rows = {row["kind"]: row for row in found["kept"] if row["store"] == "analytics"}
    facts = ("count", "can_be_pruned", "backend")
    assert {kind: tuple(row[name] for name in facts) for kind, row in rows.items()} == {
        "notes": (1, False, "analytics"),
        "usage": (3, True, "analytics"),
    }
    assert found["backends"][-1]["file"] == str(state / "analytics" / "analytics.duckdb")
    asked = ("mine", "--kind", "usage", "--kind", "jobs", "--older-than", "30d")
    would = document(cli, "stack-storage-prune", *asked, "--dry-run")
    assert [(row["kind"], row["count"]) for row in would["removed"]] == [("usage", 2), ("jobs", 1)]
    assert document(cli, "stack-storage-prune", *asked, "--yes")["removed"] == would["removed"]
    assert document(cli, "stack-storage-prune", *asked, "--dry-run")["removed"][0]["count"] == 0
    refused = cli("stack", "storage", "prune", "mine", "--kind", "notes", "--older-than", "1d", "--yes")
    assert "nothing that ages is called `notes` here\n\nhint: " in refused.err


def test_to_look_where_nothing_is_makes_nothing(cli: Cli) -> None:
    folder = built(cli)
    said = cli("stack", "storage", "show", "mine")
    assert (said.code, said.out) == (0, "")
    assert "`mine` has kept nothing" in said.err
    assert [*folder.iterdir()] == []


def test_what_is_too_old_goes_once_one_agrees(cli: Cli, state: Path) -> None:
    asked = ("mine", "--kind", "completions", "--kind", "jobs", "--older-than", "30d")
    would = document(cli, "stack-storage-prune", *asked, "--dry-run")
    assert [(row["kind"], row["count"]) for row in would["removed"]] == [("completions", 3), ("jobs", 1)]
    refused = cli("stack", "storage", "prune", *asked)
    assert (refused.code, refused.out) == (2, "")
    assert "completions: 3, 30.1 kB, from " in refused.err
    assert "remove what is older than 30d of `mine` (completions: 3, jobs: 1; 30.2 kB)" in refused.err
    assert run(ids(state, "jobs", JOBS_SCHEMA, JOBS)) == ["old", "runs"]
    done = document(cli, "stack-storage-prune", *asked, "--yes")
    assert (done["removed"], done["dry_run"]) == (would["removed"], False)
    assert done["freed_bytes"] > 20_000
    assert run(ids(state, "jobs", JOBS_SCHEMA, JOBS)) == ["runs"]
    assert run(ids(state, "inference", COMPLETIONS_SCHEMA, COMPLETIONS)) == ["chatcmpl-3"]
    assert document(cli, "stack-storage-prune", *asked, "--yes")["freed_bytes"] == 0
    assert "there is nothing to remove" in cli("stack", "storage", "prune", *asked).err


def test_of_what_has_more_elsewhere_it_says_when_that_goes(cli: Cli) -> None:
    vendor = "providers: {inference: [{provider_id: local, provider_type: 'remote::ollama'}]}"
    with_agents = RUN_YAML.replace("inference]", "inference, agents]").replace("providers: {}", vendor)
    state = built(cli, run_yaml=with_agents)

    async def with_session() -> None:
        stores = opened(state)
        agent = {"id": "agent_1", "position": 1, "config": {}}
        session = {"id": "s1", "agent_id": "agent_1", "position": 1, "used": 1, "name": "one", "has_documents": False}
        await stores.sql("agents", AGENTS_SCHEMA).write(Insert(AGENTS, agent), Insert(SESSIONS, session))
        await stores.close()

    run(with_session())
    asked = ("stack", "storage", "prune", "mine", "--kind", "sessions", "--older-than", "30d", "--yes")
    said = cli(*asked)
    assert said.code == 0 and "what belongs to `sessions` goes when a server starts the next time" in said.err
    assert "there is nothing to remove" in cli(*asked).err
    assert run(ids(state, "agents", AGENTS_SCHEMA, SESSIONS)) == ["s1"], "its provider deletes it with the rest"


def test_while_a_server_runs_nobody_waits_for_its_file_to_become_smaller(cli: Cli, state: Path) -> None:
    state_folder.hold(state, holder="a server")
    asked = ("mine", "--kind", "completions", "--older-than", "30d", "--yes")
    said = cli("stack", "storage", "prune", *asked)
    assert said.code == 0
    assert "with the server stopped, it is given back to the disk" in said.err
    assert run(ids(state, "inference", COMPLETIONS_SCHEMA, COMPLETIONS)) == ["chatcmpl-3"]


def test_what_is_to_go_has_to_be_said(cli: Cli, state: Path) -> None:
    for said in ((), ("--kind", "jobs"), ("--older-than", "1d")):
        refused = cli("stack", "storage", "prune", "mine", *said)
        assert (refused.code, "say what is to go with `--kind` and `--older-than`" in refused.err) == (2, True)
    assert cli("stack", "storage", "restore", "mine").code == 2


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("completion", "nothing that ages is called `completion` here\n\nhint: did you mean `completions`?"),
        ("registrations", "nothing that ages is called `registrations` here\n\nhint: there are completions, jobs"),
        ("prompts", "nothing that ages is called `prompts` here\n\nhint: there are completions, jobs"),
    ],
)
def test_a_kind_that_cannot_be_pruned_is_refused(cli: Cli, state: Path, kind: str, said: str) -> None:
    refused = cli("stack", "storage", "prune", "mine", "--kind", kind, "--older-than", "1d", "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err


@contextmanager
def running(name: str, **facts: Any) -> Iterator[records.Record]:
    """The record of a server of the distribution, held as that would."""
    record = records.reserve(name, lambda server_id: facts, beside=True)
    with record.path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield record


def test_a_server_is_known_by_its_record(cli: Cli, state: Path, tmp_path: Path) -> None:
    facts = {"config": str(state.parent / "run.yaml"), "state_dir": str(tmp_path / "own"), "pid": os.getpid()}
    run(kept(tmp_path / "own"))
    run(migrated(tmp_path / "own"))

    def shown(*arguments: str) -> tuple[str, str, int]:
        found = document(cli, "stack-storage-show", *arguments)
        jobs = next(row for row in found["kept"] if row["kind"] == "jobs")
        return found["name"], found["state_dir"], jobs["count"]

    with running("mine", **facts), running("mine", **facts) as second:
        assert second.id == "mine-2"
        for name in ("mine", "mine-2"):
            assert shown(name) == (name, str(tmp_path / "own"), 3)
        assert shown("mine-2", "--state", str(state)) == ("mine-2", str(state), 2)
        assert shown(str(state.parent / "run.yaml")) == ("mine", str(state), 2)
    records.rewrite(second, state="stopped")
    assert shown("mine") == ("mine", str(state), 2)
    assert shown("mine-2") == ("mine-2", str(tmp_path / "own"), 3)
    asked = ("mine-2", "--kind", "completions", "--older-than", "30d")
    assert "remove what is older than 30d of `mine-2`" in cli("stack", "storage", "prune", *asked).err


def test_what_is_not_built_cannot_be_read(cli: Cli, state: Path) -> None:
    (state.parent / ".venv" / "bin" / "python").unlink()
    refused = cli("stack", "storage", "show", "mine")
    assert (refused.code, "hint: build it: `llama stack build mine`" in refused.err) == (1, True)


def test_a_database_that_is_none_is_told_in_one_line(cli: Cli, state: Path) -> None:
    (state / "sql_store.db").write_bytes(b"not a database" * 100)
    refused = cli("stack", "storage", "show", "mine")
    assert refused.code == 1
    assert refused.err.startswith(f"error: the database `{state / 'sql_store.db'}` could not be opened: file is not")


def test_a_run_config_that_is_wrong_is_told_as_everywhere(cli: Cli) -> None:
    built(cli, run_yaml=RUN_YAML.replace("completions", "completion"))
    refused = cli("stack", "storage", "show", "mine")
    assert (refused.code, "storage.retention.completion" in refused.err) == (3, True)


async def migrated(state: Path) -> None:
    note = Column("note", "text", nullable=True)
    newer = Schema(
        name="jobs",
        tables=(Table(name="", columns=(*JOBS.columns, note), key=("id",), has_owners=False),),
        migrations=(*JOBS_SCHEMA.migrations, (AddColumn("", note),)),
    )
    stores = opened(state)
    store: SqlStore = stores.sql("jobs", newer)
    await store.open()
    await store.write(Insert(newer.tables[0], job("later", None)))
    await stores.close()


def test_what_sql_finds_in_analytics(cli: Cli, state: Path) -> None:
    refused = cli("stack", "storage", "query", "mine", "SELECT 1")
    assert (refused.code, "there is nothing in analytics yet" in refused.err) == (2, True)
    run(counted(state))
    sql = "SELECT model, count(*) AS times FROM usage GROUP BY ALL"
    found = document(cli, "stack-storage-query", "mine", sql)
    assert found == {"name": "mine", "columns": ["model", "times"], "rows": [["m", 3]], "has_more": False}
    assert cli("stack", "storage", "query", "mine", sql).out == "m\t3\n"
    assert cli("stack", "storage", "query", "mine", sql, "-q").out == "m\n"
    some = cli("stack", "storage", "query", "mine", 'SELECT "at" FROM usage', "--limit", "1")
    assert (some.out.count("\n"), "there are more than 1 rows" in some.err) == (1, True), some.err
    assert "the query finds nothing" in cli("stack", "storage", "query", "mine", "SELECT 1 WHERE false").err
    refusals = {"SELECT x FROM usages": "its tables are `notes`, `usage`", "DROP TABLE usage": "one SELECT"}
    for wrong, words in refusals.items():
        refused = cli("stack", "storage", "query", "mine", wrong)
        assert (refused.code, words in refused.err) == (1, True), refused.err


def test_a_copy_leads_back(cli: Cli, state: Path) -> None:
    run(migrated(state))
    [copy] = document(cli, "stack-storage-show", "mine")["copies"]
    assert (copy["backend"], copy["of"]) == ("sql_default", f"everything in `{state / 'sql_store.db'}`")
    asked = ("mine", "--copy", copy["name"])
    assert document(cli, "stack-storage-restore", *asked, "--dry-run") == {
        "name": "mine",
        "copy": copy,
        "dry_run": True,
    }
    refused = cli("stack", "storage", "restore", *asked)
    assert (refused.code, "and lose what was written since" in refused.err) == (2, True)
    assert document(cli, "stack-storage-restore", *asked, "--yes")["dry_run"] is False
    assert run(ids(state, "jobs", JOBS_SCHEMA, JOBS)) == ["old", "runs"]
    assert document(cli, "stack-storage-show", "mine")["copies"] == []
    assert cli("stack", "storage", "restore", *asked, "--yes").code == 2


def test_nothing_goes_back_below_a_server_that_runs(cli: Cli, state: Path) -> None:
    run(migrated(state))
    [copy] = document(cli, "stack-storage-show", "mine")["copies"]
    state_folder.hold(state, holder="a server")
    refused = cli("stack", "storage", "restore", "mine", "--copy", copy["name"], "--yes")
    assert (refused.code, "is in use by another process: a server" in refused.err) == (5, True)
    assert len(document(cli, "stack-storage-show", "mine")["copies"]) == 1
