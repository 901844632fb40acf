"""Models on this disk: taken in, listed, described, verified and removed."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from llama_cli.servers.choices import checked_model
from llama_cli.weights import room
from llama_cli.weights.held import held
from llama_cli.weights.hidden import sweep
from tests.support.command_runner import Cli, Result
from tests.support.schemas import conform

GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(100)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user's models lie: a GGUF file, a Hugging Face folder, Meta's; and an empty cache."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    folder = tmp_path / "places"
    (folder / "hugging").mkdir(parents=True)
    (folder / "hugging" / "config.json").write_text('{"model_type": "llama"}')
    (folder / "hugging" / "model.safetensors").write_bytes(b"weights")
    (folder / "meta").mkdir()
    (folder / "meta" / "params.json").write_text('{"dim": 64}')
    (folder / "meta" / "consolidated.00.pth").write_bytes(b"weights")
    (folder / "small.gguf").write_bytes(GGUF)
    return folder


def document(result: Result, command: str) -> Any:
    assert result.code == 0, result
    conform(result.json(), f"model-{command}")
    return result.json()


def failed(result: Result, code: int) -> str:
    assert (result.code, result.out) == (code, ""), result
    return result.err


def rows(cli: Cli, *options: str) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in document(cli("model", "list", "--json", *options), "list")}


@pytest.mark.parametrize(
    ("place", "kind", "files"),
    [
        ("small.gguf", "GGUF file", ["small.gguf"]),
        ("hugging", "Hugging Face folder", ["config.json", "model.safetensors"]),
        ("hugging/model.safetensors", "Hugging Face folder", ["config.json", "model.safetensors"]),
        ("meta", "Meta checkpoint", ["consolidated.00.pth", "params.json"]),
    ],
)
def test_each_kind_is_taken_in_without_a_copy(place: str, kind: str, files: list[str], places: Path, cli: Cli) -> None:
    found = document(cli("model", "import", str(places / place), "--name", "mine", "--json"), "import")
    assert (found["kind"], found["files"], found["result"]) == (kind, files, "imported")
    folder = cli.home / "models" / "mine"
    source = places / place if place.endswith(".gguf") else places / place.split("/")[0] / files[0]
    assert (folder / files[0]).samefile(source)
    again = document(cli("model", "import", str(places / place), "--name", "mine", "--json"), "import")
    assert again["result"] == "already_there"
    assert checked_model("mine") == str(folder)
    assert cli("model", "verify", "mine").code == 0
    assert rows(cli, "--downloaded")["mine"]["state"] == "imported"


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ("BertModel", "imported an embedding model of"),
        ("BertForSequenceClassification", "imported a reranking model of"),
    ],
)
def test_an_encoder_is_called_what_it_is_and_not_offered_for_a_chat(
    architecture: str, said: str, places: Path, cli: Cli
) -> None:
    facts = {"model_type": "bert", "architectures": [architecture]}
    (places / "hugging" / "config.json").write_text(json.dumps(facts))
    result = cli("model", "import", str(places / "hugging"), "--name", "mine")
    assert result.code == 0 and said in result.err and "stack run" not in result.err, result


def test_on_another_disk_it_is_copied(places: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refuse)
    usage = room.shutil.disk_usage(places)
    with monkeypatch.context() as full:
        full.setattr(room.shutil, "disk_usage", lambda place: usage._replace(free=50))
        said = failed(cli("model", "import", str(places / "hugging"), "--name", "mine"), 1)
        assert "`config.json` needs 23 bytes, and 50 bytes are free" in said
    assert not list((cli.home / "models").glob("*/*"))
    assert cli("model", "import", str(places / "hugging"), "--name", "mine").code == 0
    copy = cli.home / "models" / "mine" / "model.safetensors"
    assert copy.read_bytes() == b"weights" and copy.stat().st_nlink == 1 and copy.stat().st_mode & 0o777 == 0o600
    assert cli("model", "verify", "mine").code == 0


def test_a_link_takes_no_room_and_leaves_the_files_where_they_are(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "small.gguf"), "--link").code == 0
    assert rows(cli)["small"]["size_bytes"] < 1000
    assert cli("model", "remove", "small", "--yes").code == 0
    assert (places / "small.gguf").read_bytes() == GGUF
    assert "small" not in rows(cli, "--all")


def test_a_dry_run_of_an_import_writes_nothing(places: Path, cli: Cli) -> None:
    found = document(cli("model", "import", str(places / "hugging"), "--dry-run", "--json"), "import")
    assert (found["name"], found["result"]) == ("hugging", "would_import")
    assert not cli.home.exists()
    assert cli("model", "import", str(places / "meta"), "--name", "hugging").code == 0
    assert "is another model" in failed(cli("model", "import", str(places / "hugging"), "--dry-run"), 5)


def test_another_model_of_that_name_is_a_conflict(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "hugging"), "--name", "mine").code == 0
    assert "`mine` is another model" in failed(cli("model", "import", str(places / "meta"), "--name", "mine"), 5)
    assert (cli.home / "models" / "mine" / "config.json").is_file()


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("a.gguf", b"not one", "is no GGUF file"),
        ("a.gguf", b"version https://git-lfs.github.com/spec/v1", "git-lfs pointer"),
        ("a.bin", b"pickle", "PyTorch pickle"),
        ("f/config.json", b"{}", "`model.safetensors` is missing"),
        ("f/notes.txt", b"", "holds no checkpoint"),
        ("f/params.json", b"[]", "does not hold a JSON object"),
        ("f/params.json", b"{}", "`consolidated.00.pth` is missing"),
    ],
)
def test_what_the_engine_would_refuse_is_refused(
    path: str, content: bytes, said: str, tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / path).write_bytes(content)
    given = tmp_path / (path if not path.startswith("f/") else "f")
    assert said in failed(cli("model", "import", str(given)), 1)
    assert not cli.home.exists()


def test_a_folder_that_lacks_a_file_of_its_index_is_refused(places: Path, cli: Cli) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (places / "hugging" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "`model-2.safetensors` is missing" in failed(cli("model", "import", str(places / "hugging")), 1)


def test_the_cache_of_hugging_face_is_listed_and_served_and_taken_in(tmp_path: Path, cli: Cli) -> None:
    repository = tmp_path / "hf" / "hub" / "models--org--tiny"
    snapshot = repository / "snapshots" / "abc"
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    snapshot.mkdir(parents=True)
    for name, content in (("config.json", b"{}"), ("model.safetensors", b"weights")):
        (repository / "blobs" / name).write_bytes(content)
        (snapshot / name).symlink_to(f"../../blobs/{name}")
    assert rows(cli, "--downloaded")["org/tiny"]["state"] == "cached"
    assert checked_model("org/tiny") == str(repository)
    [here] = document(cli("model", "describe", "org/tiny", "--json"), "describe")["on_disk"]
    assert (here["state"], here["folder"]) == ("cached", str(repository))
    for command in ("verify", "remove"):
        assert "`org/tiny` lies in Hugging Face's cache" in failed(cli("model", command, "org/tiny"), 2)
    assert cli("model", "import", str(repository)).code == 0
    assert (cli.home / "models" / "tiny" / "model.safetensors").read_bytes() == b"weights"
    assert not (cli.home / "models" / "tiny" / "model.safetensors").is_symlink()


# List


def test_the_list_has_what_people_want_and_all_has_all(cli: Cli) -> None:
    usual, everything = rows(cli), rows(cli, "--all")
    assert {
        "SmolLM2-135M-Instruct",
        "all-MiniLM-L6-v2",
        "Llama3.2-1B-Instruct",
        "Llama-4-Scout-17B-16E",
    } <= usual.keys()
    assert not any(name.startswith(("Llama-2-", "Llama-3-")) for name in usual)
    assert len(everything) == 50 and usual.keys() < everything.keys()
    assert everything["Llama3.2-1B-Instruct"]["context_length"] == 131072
    assert cli("model", "list", "--all", "-q").out.split() == list(everything)
    assert len(cli("model", "list").out.splitlines()) == len(usual)


def test_the_list_is_searched(cli: Cli) -> None:
    assert set(rows(cli, "--search", "META-LLAMA-3-8b")) == {"Llama-3-8B", "Llama-3-8B-Instruct"}
    nothing = cli("model", "list", "--search", "xyzzy")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no model is like that\n")


def test_what_is_on_this_disk_comes_first_and_once(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "hugging"), "--name", "Llama-2-7b-chat").code == 0
    assert cli("model", "import", str(places / "small.gguf"), "--name", "mine").code == 0
    assert list(rows(cli))[:3] == ["Llama-2-7b-chat", "mine", "SmolLM2-135M-Instruct"]
    row = rows(cli)["Llama-2-7b-chat"]
    assert (row["state"], row["params"], row["folder"]) == ("imported", "7B", f"{cli.home}/models/Llama-2-7b-chat")


# Describe, prompt-format


def test_describe_says_all_that_is_known(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "hugging"), "--name", "Llama3.3-70B-Instruct").code == 0
    found = document(cli("model", "describe", "meta-llama/Llama-3.3-70B-Instruct", "--json"), "describe")
    assert found["architecture"]["layers"] == 80 and found["vendors"]["ollama"]["name"] == "llama3.3:70b"
    assert [file["path"] for file in found["on_disk"][0]["files"]] == ["config.json", "model.safetensors"]
    shown = cli("model", "describe", "-m", "Llama3.3-70B-Instruct").out
    assert "context length     131072\n" in shown and "at groq " in shown and str(places / "hugging") in shown
    assert cli("model", "describe", "Llama3.3-70B-Instruct", "-q").out == f"{cli.home}/models/Llama3.3-70B-Instruct\n"


def test_describe_of_a_model_of_the_user_s_own(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "small.gguf")).code == 0
    found = document(cli("model", "describe", "small", "--json"), "describe")
    assert found["architecture"] is None and found["on_disk"][0]["state"] == "imported"
    assert "did you mean `small`" in failed(cli("model", "describe", "smal"), 2)


@pytest.mark.parametrize("name", ["SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"])
def test_what_comes_with_us_is_described_and_its_name_is_taken(name: str, places: Path, cli: Cli) -> None:
    assert document(cli("model", "describe", name, "--json"), "describe")["shipped_with"].startswith("inline::")
    assert f"`{name}` comes with us" in failed(cli("model", "import", str(places / "hugging"), "--name", name), 2)
    for command in ("verify", "remove"):
        assert "comes with a distribution's packages" in failed(cli("model", command, name), 2)


def test_a_prompt_format_is_markdown(cli: Cli) -> None:
    assert cli("model", "prompt-format", "Llama3.1-8B").out.startswith("# Llama 3.1")
    document(cli("model", "prompt-format", "Llama3.1-8B", "--json"), "prompt-format")
    assert "did you mean" in failed(cli("model", "prompt-format", "Llama3.1-8"), 2)


# Verify


def test_verify_tells_file_by_file(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "hugging"), "--name", "mine", "--link").code == 0
    (places / "hugging" / "model.safetensors").write_bytes(b"others!")
    result = cli("model", "verify", "mine")
    assert (result.code, result.out) == (9, "ok\tconfig.json\ndiffers\tmodel.safetensors\n")
    (places / "hugging" / "model.safetensors").unlink()
    missing = cli("model", "verify", "mine", "--json")
    assert missing.code == 9
    conform(missing.json(), "model-verify")
    assert [file["state"] for file in missing.json()["files"]] == ["ok", "missing"]
    assert cli("verify-download", "--model-id", "mine", "-q").out == "model.safetensors\n"


def test_verify_leaves_no_file_out(places: Path, cli: Cli) -> None:
    (places / "hugging" / "a:b.json").write_text("{}")  # a name that Windows does not have
    assert cli("model", "import", str(places / "hugging"), "--name", "mine", "--link").code == 0
    (places / "hugging" / "a:b.json").write_text("[]")
    assert cli("model", "verify", "mine", "-q").out == "a:b.json\n"


def test_verify_by_metas_checklist(places: Path, cli: Cli) -> None:
    folder = cli.home / "models" / "byhand"
    folder.parent.mkdir(parents=True)
    (places / "meta").rename(folder)
    assert "there are no checksums of `byhand`" in failed(cli("model", "verify", "byhand"), 1)
    (folder / "checklist.chk").write_text(
        "60a6c1d2b91f2fd8ed3a5b5c6b9c1d5e  params.json\n"
        "9d68e2f2b7d7a6e0b9b1a6a3f8c7e5d4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8 *consolidated.00.pth\nnonsense\n"
    )
    assert cli("model", "verify", "byhand").out == "differs\tparams.json\ndiffers\tconsolidated.00.pth\n"
    assert rows(cli, "--downloaded")["byhand"]["state"] == "unrecorded"


def test_verify_of_what_is_not_here_says_how_to_get_it(cli: Cli) -> None:
    assert "`llama model download Llama3.2-1B`" in failed(cli("model", "verify", "meta-llama/Llama-3.2-1B"), 2)
    assert "which model?" in failed(cli("model", "verify"), 2)


# Remove


def test_remove_says_how_much_and_asks(places: Path, cli: Cli) -> None:
    assert cli("model", "import", str(places / "hugging"), "--name", "mine").code == 0
    would = document(cli("model", "remove", "mine", "--dry-run", "--json"), "remove")
    failure = failed(cli("model", "remove", "mine"), 2)
    assert "this removes `mine` (" in failure and "--yes" in failure
    done = document(cli("model", "remove", "mine", "--yes", "--json"), "remove")
    assert [{**row, "result": ""} for row in would] == [{**row, "result": ""} for row in done]
    assert not (cli.home / "models" / "mine").exists()
    assert "no model `mine` is on this disk" in failed(cli("model", "remove", "mine", "--yes"), 2)
    # Nobody gets a model to remove it.
    assert "`llama model download" not in failed(cli("model", "remove", "Llama3.2-1B-Instruct", "--yes"), 2)


def test_of_a_folder_that_is_a_link_the_link_goes(places: Path, cli: Cli) -> None:
    (cli.home / "models").mkdir(parents=True)
    (cli.home / "models" / "mine").symlink_to(places / "hugging")
    [would] = document(cli("model", "remove", "mine", "--dry-run", "--json"), "remove")
    assert would["size_bytes"] == 0
    assert cli("model", "remove", "mine", "--yes").code == 0
    assert "mine" not in rows(cli) and (places / "hugging" / "config.json").is_file()


def test_what_a_killed_process_has_left_goes_with_the_next_that_is_taken_in(places: Path, cli: Cli) -> None:
    incomplete = cli.home / "models" / ".incomplete"
    left, working = incomplete / ".mine.abc", incomplete / ".other.def"
    for folder in (left, working):
        folder.mkdir(parents=True)
        (folder / "half").touch()
    with held(working):
        assert cli("model", "import", str(places / "small.gguf")).code == 0
        assert [folder for folder in (left, working) if folder.exists()] == [working]


def test_what_is_just_put_in_place_is_not_swept_away(places: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another import or download, which takes away what nobody holds."""
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if target.name == "mine":
            sweep()
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    assert cli("model", "import", str(places / "hugging"), "--name", "mine").code == 0
    assert cli("model", "verify", "mine").code == 0
    assert [*(cli.home / "models" / ".incomplete").glob(".*")] == []


def test_what_is_being_downloaded_is_not_removed(cli: Cli) -> None:
    folder = cli.home / "models" / ".incomplete" / "tiny"
    with held(folder):
        assert f"process {os.getpid()} is at work on `tiny`" in failed(cli("model", "remove", "tiny", "--yes"), 5)
        assert folder.is_dir()
    assert cli("model", "remove", "tiny", "--yes").code == 0


# What `--model` takes


def test_a_model_of_the_catalog_that_is_not_here_names_the_command() -> None:
    from llama_cli.exits import Failure

    with pytest.raises(Failure) as raised:
        checked_model("meta-llama/Llama-3.2-1B-Instruct")
    assert raised.value.hint == "`llama model download Llama3.2-1B-Instruct`, then again"
