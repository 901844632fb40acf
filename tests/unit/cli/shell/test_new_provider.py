"""`llama stack new-provider`: a package with a provider in it, and what is refused."""

from __future__ import annotations

import json
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from llama_cli.scaffold import toolchain
from llama_cli.scaffold.kits import kinds_by_api
from tests.support.command_runner import Cli
from tests.support.schemas import conform

KITS = [(api, kind) for api, kinds in kinds_by_api().items() for kind in kinds]
every = pytest.mark.parametrize(("api", "kind"), KITS, ids=[f"{api}-{kind}" for api, kind in KITS])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    here = tmp_path / "my projects"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def document(cli: Cli, *arguments: str) -> Any:
    result = cli("stack", "new-provider", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    conform(result.json(), "stack-new-provider")
    return result.json()


def refused(cli: Cli, code: int, *arguments: str) -> str:
    """The words, which are one line and a hint; nothing is written."""
    before = sorted(Path().rglob("*"))
    result = cli("stack", "new-provider", *arguments)
    assert (result.code, result.out) == (code, ""), result.err
    error, blank, hint = result.err.splitlines()
    assert error.startswith("error: ") and blank == "" and hint.startswith("hint: ")
    assert sorted(Path().rglob("*")) == before
    return result.err


@every
def test_what_is_written_is_a_package_that_names_its_provider(api: str, kind: str, cli: Cli, folder: Path) -> None:
    made = document(cli, "Acme_Lab", "--api", api, "--kind", kind)
    assert (made["name"], made["package"], made["is_written"]) == ("acme-lab", "acme_lab", True)
    assert made["provider_type"] == f"{kind}::acme-lab" and made["folder"] == str(folder / "acme-lab")
    place = Path("acme-lab")
    assert made["files"] == sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    for source in place.rglob("*.py"):
        text = source.read_text(encoding="utf-8")
        compile(text, source, "exec")
        assert text.startswith('"""') and text.endswith("\n") and max(map(len, text.splitlines())) <= 120, source
    project = tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["llama_stack.providers"] == {"acme_lab": "acme_lab.provider"}
    assert project["dependency-groups"]["dev"] == [toolchain.requirement()]
    run = yaml.safe_load((place / "run.yaml").read_text(encoding="utf-8"))
    [entry] = run["providers"][api]
    assert entry["provider_type"] == made["provider_type"] and entry["module"] == "acme-lab==0.1.0"
    assert f"`{kind}::acme-lab`" in (place / "README.md").read_text(encoding="utf-8")


def test_an_empty_folder_is_filled_and_is_as_open_as_any_other(cli: Cli, folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "usual").mkdir()
    document(cli, "acme", "--api", "inference", "--directory", "there")
    assert (folder / "there" / "pyproject.toml").is_file()
    assert (folder / "there").stat().st_mode == (folder / "usual").stat().st_mode
    document(cli, "acme", "--api", "inference", "--directory", "far/away")
    assert sorted(path.name for path in (folder / "far").iterdir()) == ["away"]


def test_a_folder_with_something_in_it_is_left_as_it_is(cli: Cli, folder: Path) -> None:
    (folder / "acme").mkdir()
    (folder / "acme" / "mine.txt").write_text("mine")
    assert "the folder `acme` is not empty" in refused(cli, 5, "acme", "--api", "inference")
    (folder / "file").write_text("mine")
    assert "and no folder" in refused(cli, 5, "acme", "--api", "inference", "--directory", "file")
    (folder / "link").symlink_to("nowhere")
    assert "and no folder" in refused(cli, 5, "acme", "--api", "inference", "--directory", "link")


@pytest.mark.parametrize("name", ["", "a b", "1st", "../up", "ümlaut", "a--", "-", "x" * 61])
def test_what_cannot_name_a_package_is_refused(cli: Cli, name: str) -> None:
    assert "cannot name a package" in refused(cli, 2, "--api", "inference", "--", name)


@pytest.mark.parametrize("name", ["class", "json", "runtime", "llama-cli"])
def test_what_python_has_already_is_refused_with_another_name(cli: Cli, name: str) -> None:
    assert f"such as `{name}-provider`" in refused(cli, 5, name, "--api", "inference")


def test_a_provider_that_comes_with_us_is_not_made_again(cli: Cli) -> None:
    said = refused(cli, 5, "ollama", "--api", "inference", "--kind", "remote")
    assert "`remote::ollama` of inference is a provider that comes with us" in said and "`my-ollama`" in said


def test_what_cannot_be_generated_is_refused_with_what_can(cli: Cli) -> None:
    assert "there is no API `inferense`" in (said := refused(cli, 2, "acme", "--api", "inferense"))
    assert "`inference`" in said
    said = refused(cli, 2, "acme", "--api", "responses")
    assert "a provider of `responses` cannot be generated yet" in said
    assert all(f"`{api}`" in said for api in kinds_by_api())
    said = refused(cli, 2, "acme", "--api", "vector_io", "--kind", "remote")
    assert "a remote provider of vector_io cannot be generated yet" in said and "`inline`" in said


def test_an_interruption_leaves_nothing(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        assert cli("stack", "new-provider", "acme", "--api", "inference").code == 130
    assert [*folder.iterdir()] == []


def test_a_folder_that_cannot_be_made_is_said(cli: Cli, folder: Path) -> None:
    (folder / "file").write_text("")
    result = cli("stack", "new-provider", "acme", "--api", "inference", "--directory", "file/acme")
    assert result.code == 1 and f"`{folder / 'file'}" in result.err
    assert result.err.count("\n") == 1


class Installed:
    """A distribution as `importlib.metadata` has it. direct: its `direct_url.json`."""

    def __init__(self, direct: object) -> None:
        self._direct = direct

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._direct is None else json.dumps(self._direct)


@pytest.mark.parametrize(
    ("direct", "end"),
    [
        (None, ">="),
        ({"url": "file:///here/toolchain.whl", "archive_info": {}}, " @ file:///here/toolchain.whl"),
        (
            {"url": "https://app.example/toolchain", "vcs_info": {"vcs": "git", "commit_id": "0f3c"}},
            " @ git+https://app.example/toolchain@0f3c",
        ),
    ],
)
def test_the_toolchain_is_asked_for_where_this_one_came_from(
    direct: object, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain.runtime, "__file__", str(tmp_path / "runtime" / "__init__.py"))
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed(direct))
    assert toolchain.requirement().startswith(f"llama-stack-toolchain[conformance]{end}")
