"""What `--model` may be: refused before a start, with the nearest that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.choices import checked_model, refuse_model, shipped_models
from llama_cli.weights import places
from runtime.providers.inference.meta_reference.weights import SHIPPED
from runtime.providers.inference.sentence_transformers.weights import SHIPPED as SHIPPED_ENCODERS


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a GGUF file, a Hugging Face folder and something that is neither; nothing downloaded."""
    monkeypatch.setenv("LLAMA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
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
        checked_model(name)
    assert raised.value.code == ExitCode.USAGE
    return raised.value.message, raised.value.hint


def test_names_of_shipped_models_are_those_that_the_engine_finds() -> None:
    assert set(shipped_models()) == set(SHIPPED)
    assert [checked_model(name) for name in shipped_models()] == shipped_models()
    assert set(places.shipped_models()) == set(SHIPPED) | set(SHIPPED_ENCODERS)


def test_paths_become_absolute(folder: Path) -> None:
    given = ["small.gguf", "./checkpoint", "papers/../small.gguf"]
    assert [checked_model(name) for name in given] == [
        f"{folder}/small.gguf",
        f"{folder}/checkpoint",
        f"{folder}/small.gguf",
    ]


def test_a_symbolic_link_keeps_its_name(folder: Path) -> None:
    (folder / "blob").write_bytes(b"GGUF rest")
    (folder / "linked.gguf").symlink_to("blob")
    assert checked_model("linked.gguf") == f"{folder}/linked.gguf"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("smal.gguf", "did you mean `small.gguf`?"),
        ("./checkpont", "did you mean `checkpoint`?"),
        ("papers/../checkpont", "did you mean `papers/../checkpoint`?"),
        ("SmolLM2-135M-Instrct", "did you mean `SmolLM2-135M-Instruct`?"),
        ("nonesuch", "give `SmolLM2-135M-Instruct`, or the path of a GGUF file or of a checkpoint's folder"),
        ("no/such/folder.gguf", "give `SmolLM2-135M-Instruct`, or the path of a GGUF file or of a checkpoint's folder"),
    ],
)
def test_what_is_no_model_is_usage_with_the_nearest(name: str, hint: str) -> None:
    message = f"`--model`: `{name}` is neither a path nor a model that comes with us or was downloaded"
    assert refused(name) == (message, hint)


@pytest.mark.parametrize("target", ["small.gguf", "checkpoint"])
def test_a_model_in_the_place_of_a_distribution_is_reported_with_its_place(target: str) -> None:
    with pytest.raises(Failure) as raised:
        refuse_model(target)
    assert raised.value.code == ExitCode.USAGE
    assert f"llama stack run starter --model {target}" in str(raised.value.hint)


@pytest.mark.parametrize("target", ["starter", "notes.txt", "papers", "absent.gguf", "-", ""])
def test_what_is_no_model_may_be_a_distribution(target: str) -> None:
    refuse_model(target)
