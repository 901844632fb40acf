"""How the plugin of pytest starts a stack: marks, the command line, the environment and the configuration together."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from llama_cli.testing.settings import Settings, SettingsInvalid, settings_of

INI = {
    "llama_stack": "run.yaml",
    "llama_stack_mode": "replay",
    "llama_stack_recordings": "recs",
    "llama_stack_options": ["--offline"],
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LLAMA_STACK_TEST_INFERENCE_MODE", "LLAMA_STACK_TEST_RECORDING_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "run.yaml").touch()
    (tmp_path / "tests").mkdir()
    return tmp_path


def settings(root: Path, *marks: dict[str, Any], options: dict[str, str] | None = None) -> Settings:
    """Of a test with these marks, the closest first, where pytest was called in `tests`."""
    config = SimpleNamespace(
        rootpath=root,
        invocation_params=SimpleNamespace(dir=root / "tests"),
        getini=INI.__getitem__,
        getoption=lambda name: (options or {}).get(name),
    )
    return settings_of(cast(pytest.Config, config), [pytest.mark.llama_stack(**mark).mark for mark in marks])


def test_the_configuration_is_of_the_root_wherever_pytest_is_called(root: Path) -> None:
    found = settings(root)
    assert (found.target, found.recordings) == (str(root / "run.yaml"), str(root / "recs"))
    assert found.words() == ["--replay", str(root / "recs"), "--offline"]
    assert settings(root, {"target": "starter"}).target == "starter", "the name of a distribution stays one"


def test_the_command_line_and_the_environment_are_of_the_folder_of_the_call(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(root, options={"--llama-stack-recordings": "there"}).recordings == str(root / "tests/there")
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", "here")
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", " Record ")
    found = settings(root)
    assert (found.mode, found.recordings, found.folder) == ("record", str(root / "tests/here"), str(root / "tests"))
    assert settings(root, {"replay": "other"}).mode == "replay"
    assert settings(root, {"replay": "other"}, options={"--llama-stack-mode": "record"}).mode == "record"


def test_a_mark_adds_to_that_of_its_class(root: Path) -> None:
    found = settings(root, {"inject": "*: 429"}, {"target": "starter", "record": "far", "inject": "*: 500"})
    assert (found.inject, found.target, found.mode) == ("*: 429", "starter", "record")
    assert found.recordings == str(root / "far")
    closest = settings(root, {"live": True}, {"replay": "far"})
    assert (closest.mode, closest.recordings) == ("live", str(root / "recs"))
    assert settings(root, {"record": True}).recordings == str(root / "recs")
    assert settings(root, {"options": "--alias 'a=b c'"}).options == ("--offline", "--alias", "a=b c")


@pytest.mark.parametrize(
    ("marks", "error"),
    [
        ([{"replays": "x"}], "has no `replays`: llama_stack(target=, record=, replay="),
        ([{"replay": "x", "live": True}], "`replay` and `live` exclude each other"),
    ],
)
def test_marks_that_make_no_sense_are_refused(marks: list[dict[str, Any]], error: str, root: Path) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        settings(root, *marks)
    assert error in str(raised.value)


def test_a_mode_that_there_is_not_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_STACK_TEST_INFERENCE_MODE", "play")
    with pytest.raises(SettingsInvalid, match="`play` is no mode of recordings"):
        settings(root)
