"""What `--model` may be: refused before a start, with the nearest that there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llama_cli.console import ExitCode, Failure
from llama_cli.servers.own_models import checked_models, refuse_model, shipped_models
from runtime.errors import AccessDenied
from runtime.providers.inference.meta_reference.weights import _SHIPPED


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a GGUF file, a Hugging Face folder and something that is neither."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.gguf").write_bytes(b"GGUF rest")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "config.json").write_text("{}")
    (tmp_path / "checkpoint" / "model.safetensors").touch()
    (tmp_path / "notes.txt").write_text("not a model")
    (tmp_path / "papers").mkdir()
    return tmp_path


def refused(name: str) -> tuple[str, str | None]:
    with pytest.raises(Failure) as raised:
        checked_models([name])
    assert raised.value.code == ExitCode.USAGE
    return raised.value.message, raised.value.hint


def test_names_of_shipped_models_are_those_that_the_engine_finds() -> None:
    assert set(shipped_models()) == set(_SHIPPED)
    assert checked_models(shipped_models()) == shipped_models()


def test_paths_become_absolute(folder: Path) -> None:
    given = ["small.gguf", "./checkpoint", "papers/../small.gguf"]
    assert checked_models(given) == (f"{folder}/small.gguf", f"{folder}/checkpoint", f"{folder}/small.gguf")


def test_a_symbolic_link_keeps_its_name(folder: Path) -> None:
    (folder / "blob").write_bytes(b"GGUF rest")
    (folder / "linked.gguf").symlink_to("blob")
    assert checked_models(["linked.gguf"]) == (f"{folder}/linked.gguf",)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("smal.gguf", "`smal.gguf` does not exist", "did you mean `small.gguf`?"),
        ("./checkpont", "`./checkpont` does not exist", "did you mean `checkpoint`?"),
        ("SmolLM2-135M-Instrct", "`SmolLM2-135M-Instrct` is neither", "did you mean `SmolLM2-135M-Instruct`?"),
        (
            "nonesuch",
            "`nonesuch` is neither a path nor a model that comes",
            "`SmolLM2-135M-Instruct` is; or give the path",
        ),
        ("notes.txt", "`notes.txt` is no GGUF file", "give the path of a GGUF file"),
        ("papers", "the folder `papers` holds no checkpoint", "a checkpoint has a config.json"),
        (".", "the folder `.` holds no checkpoint", "did you mean `small.gguf`?"),
        ("checkpoint/model.safetensors", "is a part of a checkpoint", "give its folder, `--model checkpoint`"),
    ],
)
def test_what_is_no_model_is_usage_with_the_nearest(name: str, message: str, hint: str) -> None:
    said, advised = refused(name)
    assert message in said
    assert hint in (advised or "")


@pytest.mark.parametrize("name", ["cache", "home", "cache/models--a--b", "cache/models--a--b/snapshots"])
def test_a_folder_of_a_hugging_face_cache_is_left_to_the_server(folder: Path, name: str) -> None:
    """Which snapshot is in use it finds out, and says what to do where none is."""
    (folder / "cache" / "models--a--b" / "snapshots").mkdir(parents=True)
    (folder / "home").mkdir()
    (folder / "home" / "hub").symlink_to("../cache")
    assert checked_models([name]) == (f"{folder}/{name}",)


def test_a_file_that_cannot_be_read_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions stop nobody who is root, as tests in containers are.
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(AccessDenied, match=r"`--model`: you may not read `small\.gguf`"):
        checked_models(["small.gguf"])


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Failure, match="is no regular file"):
        checked_models([str(tmp_path / "pipe")])


@pytest.mark.parametrize("target", ["small.gguf", "checkpoint"])
def test_a_model_in_the_place_of_a_distribution_is_reported_with_its_place(target: str) -> None:
    with pytest.raises(Failure) as raised:
        refuse_model(target)
    assert raised.value.code == ExitCode.USAGE
    assert f"llama stack run starter --model {target}" in str(raised.value.hint)


@pytest.mark.parametrize("target", ["starter", "notes.txt", "papers", "absent.gguf", "-", ""])
def test_what_is_no_model_may_be_a_distribution(target: str) -> None:
    refuse_model(target)
