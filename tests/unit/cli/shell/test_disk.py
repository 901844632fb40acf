"""Sizes, what removing a distribution takes along, and what nobody needs: in a home with a bit of everything."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_cli.disk import leftovers
from llama_cli.disk.sizes import Measured, size_of
from llama_cli.packages.environment import Environment
from llama_cli.servers import records
from llama_cli.servers.records import Record
from tests.support.command_runner import Cli
from tests.support.schemas import conform

RUN_YAML = "version: 2\ndistro_name: mine\n"
MB = 1_000_000


def put(path: Path, size_bytes: int = 10, *, age_s: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)
    aged(path, age_s)
    return path


def aged(path: Path, age_s: float) -> None:
    when = time.time() - age_s
    os.utime(path, (when, when), follow_symlinks=False)


@pytest.fixture
def mine(cli: Cli) -> Path:
    """A distribution that was built, and has served."""
    folder = cli.home / "distributions" / "mine"
    put(folder / ".venvs" / "a-1" / "lib" / "torch.so", 3 * MB)
    (folder / ".venv").symlink_to(".venvs/a-1")
    put(folder / "state" / "kv.sqlite", MB)
    put(folder / "pylock.toml")
    put(folder / "notes.txt")
    (folder / "run.yaml").write_text(RUN_YAML)
    (folder / ".rendered").write_text(hashlib.sha256(RUN_YAML.encode()).hexdigest() + "\n")
    put(folder / "logs" / "mine.log")
    return folder


def made(name: str = "mine", **facts: Any) -> Record:
    record = records.reserve(name, lambda _: {"state_dir": f"/state/{name}"})
    record.path.write_text(json.dumps(json.loads(record.path.read_text()) | facts))
    found = records.read(record.path)
    assert found is not None
    return found


@contextmanager
def running(record: Record) -> Iterator[None]:
    with record.path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def checked(cli: Cli, *arguments: str) -> Any:
    result = cli("stack", *arguments, "--json")
    assert result.code == 0, result.out
    conform(result.json(), f"stack-{arguments[0]}")
    return result.json()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_with_several_names_counts_once_and_is_shared_while_one_is_elsewhere(tmp_path: Path) -> None:
    one = put(tmp_path / "here" / "one", MB)
    os.link(one, tmp_path / "here" / "two")
    (tmp_path / "here" / "loop").symlink_to(".")
    measured = Measured()
    assert MB <= measured.add(tmp_path / "here") < 1.2 * MB and measured.shared_bytes == 0
    os.link(one, tmp_path / "elsewhere")
    apart = Measured()
    apart.add(tmp_path / "here")
    assert MB <= apart.shared_bytes < 1.2 * MB
    assert apart.add(tmp_path / "elsewhere") == 0 and apart.shared_bytes == 0
    assert size_of([tmp_path / "nowhere"]) == 0


def test_what_takes_how_much_is_said_by_kind(cli: Cli, mine: Path) -> None:
    put(cli.home / "models" / "weights", 2 * MB)
    assert {row["name"]: row["size_bytes"] for row in checked(cli, "list")}["mine"] is None, "it was never measured"
    document = checked(cli, "df")
    sizes = {(row["distribution"], row["kind"]): row["size_bytes"] for row in document["holdings"]}
    assert set(sizes) == {
        *(("mine", kind) for kind in ("environment", "state", "config", "logs", "other")),
        (None, "models"),
    }
    assert 3 * MB <= sizes["mine", "environment"] < 3.2 * MB and 2 * MB <= sizes[None, "models"] < 2.2 * MB
    assert document["total_bytes"] == sum(sizes.values())
    rows = {row["name"]: row["size_bytes"] for row in checked(cli, "list")}
    assert 4 * MB <= rows["mine"] < 4.3 * MB and rows["starter"] is None


def test_what_was_measured_apart_comes_to_the_same_together(tmp_path: Path) -> None:
    one = put(tmp_path / "here" / "one", MB)
    put(tmp_path / "here" / "alone", MB)
    (tmp_path / "there").mkdir()
    os.link(one, tmp_path / "there" / "two")
    here, there, together, read = Measured(), Measured(), Measured(), Measured()
    sizes = [measured.add(tmp_path / name) for measured, name in ((here, "here"), (there, "there"))]
    assert here.shared_bytes >= MB and there.shared_bytes >= MB
    assert together.include(here) == sizes[0] and together.include(there) == sizes[1] - here.shared_bytes
    assert together.shared_bytes == 0, "all its names are here"
    assert together.size_bytes == read.add(tmp_path / "here") + read.add(tmp_path / "there")
    assert (here.size_bytes, there.size_bytes) == tuple(sizes), "what was included is as it was"


def test_a_listing_has_the_whole_of_an_environment_that_shares_files_with_another(cli: Cli, mine: Path) -> None:
    other = put(cli.home / "distributions" / "other" / "run.yaml").parent
    (other / ".venvs" / "0").mkdir(parents=True)
    os.link(mine / ".venvs" / "a-1" / "lib" / "torch.so", other / ".venvs" / "0" / "torch.so")
    sizes = {(row["distribution"], row["kind"]): row["size_bytes"] for row in checked(cli, "df")["holdings"]}
    assert sizes["mine", "environment"] >= 3 * MB > MB > sizes["other", "environment"], "the file is counted once"
    assert {row["name"]: row["size_bytes"] for row in checked(cli, "list")}["other"] >= 3 * MB


def test_what_servers_have_kept_stays_unless_told_otherwise(cli: Cli, mine: Path) -> None:
    made(state="stopped")
    [would] = checked(cli, "remove", "mine", "--dry-run")
    assert (mine / ".venvs").is_dir() and would["servers"] == ["mine"]
    [did] = checked(cli, "remove", "mine", "--yes")
    assert {row["kind"] for row in did["removed"]} == {row["kind"] for row in would["removed"]}
    assert 3 * MB <= did["freed_bytes"] < 3.2 * MB
    assert names(mine) == {"state", "notes.txt"} and records.records() == []
    assert checked(cli, "remove", "mine", "--yes")[0]["removed"] == []
    [did] = checked(cli, "remove", "mine", "--state", "--yes")
    assert not mine.exists()


def test_a_run_yaml_that_was_edited_stays(cli: Cli, mine: Path) -> None:
    (mine / "run.yaml").write_text(RUN_YAML + "# mine\n")
    put(mine / "run.yaml.20260101T000000.bak")
    result = cli("stack", "remove", "mine", "--yes")
    assert result.code == 0 and "stays: " in result.err and "run.yaml (" in result.err
    assert names(mine) == {"run.yaml", ".rendered", "run.yaml.20260101T000000.bak", "state", "notes.txt"}
    assert cli("stack", "remove", "mine", "--state", "--yes").code == 0 and not mine.exists()


def test_nothing_is_removed_while_it_is_used(cli: Cli, mine: Path) -> None:
    before = names(mine)
    with running(made(state="ready", pid=os.getpid(), url="http://127.0.0.1:1")):
        result = cli("stack", "remove", "mine", "--yes")
        assert (result.code, result.err.splitlines()[-1]) == (
            5,
            "hint: stop it first: `llama stack stop mine`",
        )
    with Environment(mine).held():
        result = cli("stack", "remove", "mine", "--yes")
        assert result.code == 5 and "is being built by" in result.err
    assert names(mine) == before | {".build.lock"}


def test_what_is_not_here_is_nothing_to_remove_or_no_name(cli: Cli, mine: Path) -> None:
    assert cli("stack", "remove", "starter").code == 0
    result = cli("stack", "remove", "mien", "--yes")
    assert (result.code, result.err) == (
        2,
        "error: there is no distribution `mien` here\n\nhint: did you mean `mine`?\n",
    )
    asked = cli("stack", "remove", "mine")
    assert asked.code == 2 and "remove `mine` and free 3.0 MB: that needs a yes" in asked.err.replace(
        "3.1 MB", "3.0 MB"
    )
    assert (mine / ".venvs").is_dir()
    renamed = cli("stack", "rm", "mine", "--yes")
    assert renamed.code == 0 and "`llama stack rm` is the older name of `llama stack remove`" in renamed.err


def test_what_nobody_needs_is_found_and_goes(
    cli: Cli, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    week = 8 * 86_400.0
    lock = tmp_path / "tmp"
    goes = [
        made("gone", state="failed").path,
        put(mine / "instances" / "mine-2" / "kv").parent,
        put(mine / ".venvs" / ".new-1" / "x").parent,
        put(mine / ".venvs" / "b-1" / "x").parent,
        put(mine / ".removed-1" / "x").parent,
        put(mine / "logs" / "mine-2.log", age_s=week),
        put(mine / "logs" / "mine-2.log.1", age_s=week),
        put(mine / "run.yaml.20260101T000000.bak", age_s=week),
        put(cli.home / "logs" / "cli-20260101T000000-1234.log", age_s=week),
        put(mine / ".run.yaml.0123456789ab", age_s=week),
        put(lock / "llama-lock-999999999-abc" / "x").parent,
        put(lock / "llama-lock-abc" / "x").parent,
    ]
    aged(mine / ".venvs" / "b-1", 120)
    aged(lock / "llama-lock-abc", week)
    alive = made("mine", state="ready", pid=os.getpid())
    stays = [
        *(alive.path, mine / ".venvs" / "a-1", mine / "state", mine / "run.yaml"),
        put(mine / "logs" / "mine.log", age_s=week),
        put(mine / "logs" / "mine-3.log"),
        put(mine / "run.yaml.20260201T000000.bak"),
        put(mine / ".run.yaml.0123456789ac"),
        put(lock / f"llama-lock-{os.getpid()}-abc" / "x").parent,
        put(lock / "llama-lock-def" / "x").parent,
    ]
    with running(alive):
        would = checked(cli, "prune", "--dry-run")
        assert {row["path"] for row in would["removed"]} == set(map(str, goes))
        assert "would remove 12 things" in cli("stack", "prune", "--dry-run").err
        assert cli("stack", "prune").code == 2
        assert len(checked(cli, "prune", "--dry-run", "--older-than", "7d")["removed"]) == 6
        assert all(path.exists() for path in goes)
        did = checked(cli, "prune", "--yes")
        assert did == would | {"dry_run": False}
        assert [path for path in goes if path.exists()] == []
        assert [path for path in stays if not path.exists()] == []
        assert cli("stack", "prune").err == "there is nothing to remove\n"


def test_what_a_server_keeps_is_no_leftover_by_whatever_name_the_home_is_reached(
    cli: Cli, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = put(mine / "instances" / "mine-2" / "kv").parent
    (tmp_path / "link").symlink_to(cli.home)
    with running(made("mine", state="ready", pid=os.getpid(), state_dir=str(kept))):
        monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "link"))
        assert checked(cli, "prune", "--yes")["removed"] == []
    assert (kept / "kv").exists()


def test_what_has_come_to_be_used_while_somebody_was_asked_stays(cli: Cli, mine: Path) -> None:
    kept = put(mine / "instances" / "mine-2" / "kv").parent
    log = put(mine / "logs" / "mine.log", age_s=8 * 86_400)
    found = leftovers.find()
    assert {one.path for one in found} == {kept, log}
    with running(made("mine", state="ready", pid=os.getpid(), state_dir=str(kept))):
        assert leftovers.remove(found) == []
    assert (kept / "kv").exists() and log.exists()
    record = records.records()[0]
    assert {one.path for one in leftovers.remove(leftovers.find())} == {record.path, kept, log}
    assert names(mine / "instances") == set()


def test_records_go_also_where_the_folder_was_removed_by_hand(cli: Cli, mine: Path) -> None:
    made(state="stopped")
    shutil.rmtree(mine)
    made("starter", state="failed")
    assert checked(cli, "remove", "starter", "--yes")[0]["servers"] == ["starter"]
    assert [record.id for record in records.records()] == ["mine"]
    assert not (cli.home / "distributions" / "starter").exists()


def test_a_folder_that_was_moved_elsewhere_is_emptied_there(cli: Cli, mine: Path, tmp_path: Path) -> None:
    mine.rename(tmp_path / "elsewhere")
    mine.symlink_to(tmp_path / "elsewhere")
    put(tmp_path / "data" / "kept")
    (mine / "linked").symlink_to(tmp_path / "data")
    result = cli("stack", "remove", "mine", "--state", "--yes")
    assert result.code == 0, result.err
    assert names(tmp_path / "elsewhere") == set() and names(tmp_path / "data") == {"kept"}


def test_an_environment_that_is_being_made_is_nobodys_leftover(cli: Cli, mine: Path) -> None:
    half = put(mine / ".venvs" / ".new-1" / "x").parent
    with Environment(mine).held():
        assert checked(cli, "prune", "--yes")["removed"] == []
    assert half.is_dir()
