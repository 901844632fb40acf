"""Downloads from servers that lie, fall short or lead astray, and beside other downloads: nothing is lost, nothing is
written elsewhere, and what is wrong is said.
"""

from __future__ import annotations

import errno
import json
import os
import types
from pathlib import Path

import pytest

from llama_cli.downloads import part
from llama_cli.terminal.step import Step
from llama_cli.weights import held
from tests.support.command_runner import Cli, Result
from tests.support.hub import TINY, WEIGHTS, Hub, Repo


def failed(result: Result, code: int) -> str:
    assert (result.code, result.out) == (code, ""), result
    assert "this is a bug" not in result.err, result.err
    return result.err


def interrupted(hub: Hub, cli: Cli) -> set[Path]:
    """A download of `org/tiny` of which 7000 bytes have come; its parts."""
    hub.breaks["model.safetensors"] = [4000, 3000, *[0] * 100]
    assert cli("model", "download", "org/tiny", "--max-parallel", "1").code == 6
    hub.breaks.clear()
    hub.asked.clear()
    return set((cli.home / "models" / ".incomplete" / "tiny" / "parts").iterdir())


# Servers that fall short


def test_a_server_without_ranges_sends_a_file_once(hub: Hub, cli: Cli) -> None:
    hub.without_ranges = True
    assert cli("model", "download", "org/tiny").code == 0
    assert (cli.home / "models" / "tiny" / "model.safetensors").read_bytes() == WEIGHTS
    assert len(hub.of("cdn", "model.safetensors")) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_another_server_than_the_hub_is_no_word_of_the_hub(status: int, hub: Hub, cli: Cli) -> None:
    hub.statuses["/lfs/"] = [(status, {})] * 50
    failure = failed(cli("model", "download", "org/tiny"), 6)
    assert f"{hub.cdn}/lfs/org/tiny/model.safetensors answered {status}: for now not" in failure


# Servers that lead astray


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://a..b/x", "file:///etc/passwd", "http://:1/", "ftp://h/x", "http://h:99999/"]
)
def test_a_redirect_to_no_address_is_the_servers_fault(location: str, hub: Hub, cli: Cli) -> None:
    hub.statuses["/resolve/"] = [(302, {"Location": location})] * 50
    failed(cli("model", "download", "org/tiny"), 6)


@pytest.mark.parametrize("path", [1, None, "\ud800", ".LLAMA-model.json"])
def test_what_is_no_name_of_a_file_is_refused(path: object, hub: Hub, cli: Cli) -> None:
    hub.listed = {"sha": "c0ffee", "siblings": [{"rfilename": path, "size": 1}]}
    failed(cli("model", "download", "org/tiny"), 6)
    assert not cli.home.exists()


@pytest.mark.parametrize("size", [-1, float("inf"), "much", None, 1.5])
def test_what_is_no_size_is_refused(size: object, hub: Hub, cli: Cli) -> None:
    hub.listed = {"sha": "c0ffee", "siblings": [{"rfilename": "a", "size": size}]}
    assert "no list of a model's files" in failed(cli("model", "download", "org/tiny"), 6)
    assert not cli.home.exists()


@pytest.mark.parametrize("paths", [("a", "a"), ("a", "A"), ("a", "a/b")])
def test_two_files_in_one_place_are_refused(paths: tuple[str, str], hub: Hub, cli: Cli) -> None:
    hub.listed = {"sha": "c0ffee", "siblings": [{"rfilename": path, "size": 1} for path in paths]}
    failure = failed(cli("model", "download", "org/tiny"), 6)
    assert f"`{paths[0]}` and `{paths[1]}`" in failure
    assert not cli.home.exists()


def test_an_address_with_a_password_is_refused_and_not_shown(hub: Hub, cli: Cli) -> None:
    failure = failed(cli("model", "download", "org/tiny", "--url", "http://me:s3cret@127.0.0.1:1"), 2)
    assert "s3cret" not in failure and "`HF_TOKEN`" in failure


@pytest.mark.parametrize("address", ["hub.example", "ftp://hub.example", "http://a..b"])
def test_what_is_no_address_says_how_one_is_written(address: str, hub: Hub, cli: Cli) -> None:
    assert "https://huggingface.co" in failed(cli("model", "download", "org/tiny", "--url", address), 2)


# Beside others


def test_a_disk_that_is_full_in_the_middle_is_named(hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, *arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for module, name in ((held, ".lock"), (part, ".part")):
        with monkeypatch.context() as full:
            full.setattr(module, "os", types.SimpleNamespace(**{**vars(os), "pwrite": refuse}))
            failure = failed(cli("model", "download", "org/tiny"), 1)
            assert f"No space left on device: `{cli.home}/models" in failure and f"{name}`" in failure
    assert cli("model", "download", "org/tiny").code == 0
    assert {path.stat().st_mode & 0o777 for path in (cli.home / "models" / "tiny").glob("*.*")} == {0o600}


def test_a_dry_run_leaves_what_has_come(hub: Hub, cli: Cli) -> None:
    parts = interrupted(hub, cli)
    hub.repos["org/tiny"] = Repo({**TINY, "model.safetensors": WEIGHTS[:50_000]}, sha="d" * 40)
    assert cli("model", "download", "org/tiny", "--dry-run").code == 0
    assert {path for path in parts if path.exists()} == parts


def test_another_model_of_the_same_name_leaves_what_has_come(hub: Hub, cli: Cli) -> None:
    parts = interrupted(hub, cli)
    hub.repos["other/tiny"] = Repo({"model.safetensors": WEIGHTS[:50_000]})
    for options in ([], ["--dry-run"]):
        failure = failed(cli("model", "download", "other/tiny", *options), 5)
        assert "`org/tiny`" in failure and "--name" in failure
    assert {path for path in parts if path.exists()} == parts


def test_what_was_interrupted_is_known_by_its_repository(hub: Hub, cli: Cli) -> None:
    interrupted(hub, cli)
    [row] = json.loads(cli("model", "list", "--downloaded", "--json").out)
    assert (row["name"], row["state"], row["hub_repo"]) == ("tiny", "incomplete", "org/tiny")
    assert "llama model download org/tiny" in cli("model", "describe", "tiny").err
    for command in (("model", "verify", "tiny"), ("stack", "run", "starter", "--model", "tiny")):
        failure = failed(cli(*command), 2)
        assert "`tiny` is not whole yet" in failure and "llama model download org/tiny" in failure
    assert cli("model", "remove", "org/tiny", "--yes").code == 0
    assert not (cli.home / "models" / ".incomplete" / "tiny").exists()


def test_names_are_looked_at_before_anything_comes(hub: Hub, cli: Cli) -> None:
    assert "did you mean" in failed(cli("model", "download", "org/tiny", "Llama3.2-1B-Instrukt"), 2)
    assert "`org/tiny` and `other/tiny`" in failed(cli("model", "download", "org/tiny", "other/tiny"), 2)
    assert not cli.home.exists()


def test_a_pause_says_why_and_how_long(hub: Hub, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr(Step, "tell", lambda step, detail: said.append(f"{step.what}: {detail}"))
    hub.statuses = {"/api/": [(429, {"Retry-After": "0"})], "/lfs/": [(503, {})]}
    hub.breaks["model.safetensors"] = [10]
    assert cli("model", "download", "org/tiny", "--max-parallel", "1").code == 0
    assert "asking the hub for org/tiny: answered 429, again in 1s" in said
    assert "downloading tiny: answered 503, again in 1s" in said
    assert "downloading tiny: it ended early, again in 1s" in said


def test_a_server_that_goes_away_in_the_middle_says_that_what_came_is_kept(hub: Hub, cli: Cli) -> None:
    hub.breaks["model.safetensors"] = [4000]
    hub.statuses["/resolve/"] = [(0, {}), *[(302, {"Location": "http://127.0.0.1:1/gone"})] * 50]
    options = ("--max-parallel", "1", "--files", "*.safetensors")
    failure = failed(cli("model", "download", "org/tiny", *options), 6)
    assert "broke off 6 times" in failure and "127.0.0.1:1" in failure and "goes on from there" in failure
