"""Which distribution a name leads to once it was built, and that `build`, `run`, `show` and `list` agree on it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.command_runner import Cli
from tests.support.schemas import conform

RUN_YAML = "version: 2\ndistro_name: {name}\napis: [inspect]\nproviders: {{}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(path: Path, name: str) -> Path:
    path.write_text(RUN_YAML.format(name=name))
    return path


def would_run(cli: Cli, *words: str) -> dict[str, object]:
    result = cli("stack", "run", *words, "--dry-run", "--json")
    assert result.code == 0, result.err
    document = result.json()
    conform(document, "stack-run")
    return dict(document)


def hinted(err: str) -> list[str]:
    """The words after `next: llama stack run`."""
    return shlex.split(err.splitlines()[-1].removeprefix("next: llama stack run "))


def test_what_was_built_from_a_file_runs_by_its_name(cli: Cli, here: Path) -> None:
    file = write(here / "run.yaml", "mine")
    built = cli.at_terminal("stack", "build", "--config", "run.yaml", "--no-install")
    assert (built.code, hinted(built.err)) == (0, ["mine"])
    assert would_run(cli, "mine")["run_yaml"] == str(file)
    assert cli("stack", "show", "mine").out.startswith(f"# {file}\n")
    rows = {row["name"]: row for row in cli("stack", "list", "--json").json()}
    assert (rows["mine"]["source"], rows["mine"]["state"], rows["mine"]["config"]) == ("built", "configured", str(file))
    again = cli.at_terminal("stack", "build", "mine", "--no-install")
    assert (again.code, hinted(again.err)) == (0, ["mine"])
    assert "llama stack run mine" in cli().out


def test_a_name_given_to_it_counts_for_more_than_the_one_in_it(cli: Cli, here: Path) -> None:
    write(here / "run.yaml", "mine")
    built = cli.at_terminal("stack", "build", "--config", "run.yaml", "--name", "other", "--no-install")
    assert hinted(built.err) == ["other"]
    assert would_run(cli, "other")["name"] == "other"


@pytest.mark.parametrize("taken", ["remote", "own"])
def test_a_name_that_means_something_else_already_is_not_taken_over(taken: str, cli: Cli, here: Path) -> None:
    cli("stack", "build", "remote", "--name", "own", "--no-install")
    before = would_run(cli, taken)
    file = write(here / "run.yaml", taken)
    built = cli.at_terminal("stack", "build", "--config", "run.yaml", "--no-install")
    assert hinted(built.err) == [str(file)]
    assert would_run(cli, taken) == before
    assert would_run(cli, *hinted(built.err))["run_yaml"] == str(file)


def test_a_file_beside_the_user_that_is_called_like_it_is_not_run_instead(cli: Cli, here: Path) -> None:
    write(here / "run.yaml", "mine")
    write(here / "mine", "another")
    built = cli.at_terminal("stack", "build", "--config", "run.yaml", "--no-install")
    assert hinted(built.err) == [f"{here}/run.yaml"]


def test_an_older_build_file_with_the_name_of_a_template_is_run_by_what_was_rendered(cli: Cli, here: Path) -> None:
    (here / "build.yaml").write_text(
        "version: '2'\ndistribution_spec:\n  providers:\n    inference: [remote::ollama]\nimage_name: remote\n"
    )
    built = cli.at_terminal("stack", "build", "--config", "build.yaml", "--no-install")
    assert hinted(built.err) == [f"{cli.home}/distributions/remote/run.yaml"]


def test_run_and_build_say_the_same_name_for_a_choice_of_providers(cli: Cli, here: Path) -> None:
    words = ("--providers", "inference=remote::ollama", "--dry-run", "--json")
    build, run = cli("stack", "build", "remote", *words).json(), cli("stack", "run", "remote", *words).json()
    assert build["name"].startswith("remote-")
    assert [build[key] for key in ("name", "folder", "run_yaml")] == [
        run[key] for key in ("name", "folder", "run_yaml")
    ]
    assert not run["is_built"]


def test_offline_and_state_reach_the_plan(cli: Cli, here: Path) -> None:
    options = would_run(cli, "remote", "--offline", "--state", "kept")["options"]
    assert isinstance(options, dict)
    assert (options["offline"], options["state"]) == (True, f"{here}/kept")


def test_help_says_which_meaning_wins(cli: Cli) -> None:
    assert "A file comes first, then a template, then what was built under that name" in " ".join(
        cli("stack", "run", "--help", "--all").out.split()
    )


def test_a_name_that_a_file_gives_wrongly_is_the_files_to_mend(cli: Cli, here: Path) -> None:
    spec = "distribution_spec: {providers: {inference: remote::ollama}}\n"
    for text in (f"name: a/b\n{spec}", RUN_YAML.format(name="a/b")):
        (here / "named.yaml").write_text(text)
        refused = cli("stack", "build", "--config", "named.yaml", "--dry-run")
        assert (refused.code, "`a/b`" in refused.err) == (3, True), refused.err
        assert "cannot name a distribution" in refused.err and "up to 128 letters" in refused.err
    (here / "not a name.yaml").write_text(spec)
    unnamed = cli("stack", "build", "--config", "not a name.yaml", "--dry-run")
    assert (unnamed.code, "names no distribution" in unnamed.err, "--name NAME" in unnamed.err) == (2, True, True)
    assert cli("stack", "build", "--config", "not a name.yaml", "--name", "x", "--dry-run").code == 0
