"""Where everything that we write has its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import home
from runtime.errors import RequestError


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"LLAMA_HOME": "/a", "LLAMA_STACK_CONFIG_DIR": "/b", "OGX_CONFIG_DIR": "/c"}, Path("/a")),
        ({"LLAMA_HOME": "", "LLAMA_STACK_CONFIG_DIR": "/b", "OGX_CONFIG_DIR": "/c"}, Path("/b")),
        ({"OGX_CONFIG_DIR": "/c"}, Path("/c")),
        ({}, Path.home() / ".llama"),
        ({"LLAMA_HOME": "~/x"}, Path.home() / "x"),
        ({"LLAMA_HOME": "rel"}, Path.cwd() / "rel"),
    ],
)
def test_the_root_is_the_first_variable_that_is_set(env: dict[str, str], expected: Path) -> None:
    assert home.llama_home(env) == expected


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path))
    assert home.llama_home() == tmp_path


def test_everything_is_below_the_root() -> None:
    env = {"LLAMA_HOME": "/h"}
    assert home.distributions_dir(env) == Path("/h/distributions")
    assert home.distribution_dir("my-stack_1.2", env) == Path("/h/distributions/my-stack_1.2")
    assert home.servers_dir(env) == Path("/h/servers")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", ".hidden", "a b", "a\n", "a" * 129])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(RequestError) as raised:
        home.distribution_dir(name, {"LLAMA_HOME": "/h"})
    assert raised.value.message == f"`{name}` cannot name a distribution"
    assert raised.value.hint == home.NAME_HINT


@pytest.mark.parametrize(("data", "kept"), [("über", "über".encode()), (b"\x00\xff", b"\x00\xff")])
def test_atomic_write_replaces_the_file(tmp_path: Path, data: bytes | str, kept: bytes) -> None:
    path = tmp_path / "deep" / "file"
    home.atomic_write(path, b"before")
    home.atomic_write(path, data)
    assert path.read_bytes() == kept
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    home.atomic_write(path, data, mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644


def test_folders_are_made_for_their_owner_alone_and_left_as_they_are_where_they_exist(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    made = home.private_folder(tmp_path / "there" / "a" / "b")
    assert [path.stat().st_mode & 0o777 for path in (made, made.parent, tmp_path / "there")] == [0o700, 0o700, 0o755]
    assert home.private_folder(made) == made
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        home.private_folder(tmp_path / "file" / "x")


def test_the_cache_is_made_in_a_home_that_is_there_and_nowhere_else(tmp_path: Path) -> None:
    root = tmp_path / "home"
    variables = {"LLAMA_HOME": str(root)}
    assert home.usable_cache_dir(variables) is None
    assert not root.exists()
    root.mkdir()
    folder = home.usable_cache_dir(variables)
    assert folder == root / "cache" == home.cache_dir(variables)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert home.usable_cache_dir(variables) == folder


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"LLAMA_HOME": str(tmp_path)}
    (tmp_path / "cache").touch()
    assert home.usable_cache_dir(variables) is None
    (tmp_path / "cache").unlink()
    assert home.usable_cache_dir(variables) is not None
    monkeypatch.setattr("os.access", lambda *_: False)  # a file system for reading only; root may write anything else
    assert home.usable_cache_dir(variables) is None


@pytest.mark.parametrize(("mode", "is_used"), [(0o700, True), (0o755, True), (0o770, False), (0o777, False)])
def test_a_cache_that_others_can_write_is_not_used(tmp_path: Path, mode: int, is_used: bool) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    assert (home.usable_cache_dir({"LLAMA_HOME": str(tmp_path)}) is not None) == is_used


def test_without_a_home_folder_there_is_no_cache() -> None:
    assert home.usable_cache_dir({"LLAMA_HOME": "~nobody-of-this-name/x"}) is None


def test_a_distribution_is_its_own_run_yaml_or_the_file_that_it_was_built_from(tmp_path: Path) -> None:
    assert home.config_of(tmp_path / "none") is None
    (tmp_path / ".source").write_text("/x/run of mine.yaml\n")
    assert home.config_of(tmp_path) == Path("/x/run of mine.yaml")
    (tmp_path / "run.yaml").touch()
    assert home.config_of(tmp_path) == tmp_path / "run.yaml"


def test_atomic_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    home.atomic_write(path, "before")

    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        home.atomic_write(path, "after")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file", "before")]
