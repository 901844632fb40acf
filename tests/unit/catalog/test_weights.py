"""Models named by their folder in a Hugging Face cache: found at the snapshot in use, served under their own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.catalog.weights import find_model
from runtime.errors import Unavailable
from runtime.providers.inference.meta_reference.weights import find_weights

OLD, NEW = "1" * 40, "2" * 40


def cached(cache: Path, *revisions: str, main: str | None = None, repository: str = "models--tiny--llama-1B") -> Path:
    folder = cache / repository
    (folder / "snapshots").mkdir(parents=True)
    for revision in revisions:
        (folder / "snapshots" / revision).mkdir()
    if main is not None:
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(main)
    return folder


@pytest.mark.parametrize("below", ["", "snapshots", f"snapshots/{NEW}"])
@pytest.mark.parametrize(
    ("repository", "name"), [("models--tiny--llama-1B", "tiny/llama-1B"), ("models--gpt2", "gpt2")]
)
def test_a_cached_model_is_found_at_the_snapshot_in_use(tmp_path: Path, below: str, repository: str, name: str) -> None:
    folder = cached(tmp_path, OLD, NEW, main=f"{NEW}\n", repository=repository)
    assert find_model(str(folder / below), {}, what="a folder") == (name, folder / "snapshots" / NEW)
    assert find_weights("mine", str(folder / below)) == ("mine", folder / "snapshots" / NEW)


def test_the_only_snapshot_needs_no_reference(tmp_path: Path) -> None:
    folder = cached(tmp_path, OLD, main="gone")
    assert find_model(str(folder), {}, what="a folder")[1] == folder / "snapshots" / OLD


def test_a_path_inside_a_snapshot_means_itself(tmp_path: Path) -> None:
    file = cached(tmp_path, OLD, NEW, main=NEW) / "snapshots" / OLD / "Mine.gguf"
    file.touch()
    assert find_model(str(file), {}, what="a file") == ("Mine", file)
    file.unlink()
    assert find_model(str(file.parent), {}, what="a folder") == ("tiny/llama-1B", file.parent)


@pytest.mark.parametrize("main", [None, "3" * 40, "../../..", "../snapshots/" + OLD, "\x00", ""])
def test_of_several_snapshots_none_is_guessed(tmp_path: Path, main: str | None) -> None:
    folder = cached(tmp_path, OLD, NEW, main=main)
    with pytest.raises(Unavailable, match="2 snapshots of `tiny/llama-1B`") as failed:
        find_model(str(folder), {}, what="a folder")
    assert failed.value.hint == "give the path of one snapshot"


def test_a_download_that_never_came_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="0 snapshots") as failed:
        find_model(str(cached(tmp_path)), {}, what="a folder")
    assert "hf download tiny/llama-1B" in str(failed.value.hint)


@pytest.mark.parametrize("below", ["", "hub"])
def test_a_whole_cache_names_its_models(tmp_path: Path, below: str) -> None:
    folder = cached(tmp_path / "hub", OLD)
    with pytest.raises(Unavailable, match="whole Hugging Face cache") as failed:
        find_model(str(tmp_path / below), {}, what="a folder")
    assert str(folder) in str(failed.value.hint)


def test_a_home_that_is_nobody_s_is_a_path_like_any_other() -> None:
    with pytest.raises(Unavailable, match="is neither a path nor a model"):
        find_model("~nobody_here/model.gguf", {}, what="a file")
    with pytest.raises(Unavailable, match="which does not exist"):
        find_weights("mine", "~nobody_here/model")
