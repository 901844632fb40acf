"""Downloads as processes: killed and gone on with, interrupted, served by name; and our hub held to the hub's own
library.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub import GOOD_TOKEN, Hub, Repo, running_hub
from tests.support.stack_home import Home
from tests.support.tiny_model import write_tiny_chat_model

WEIGHTS = random.Random(11).randbytes(80 * 2**20)
LIMIT_S = 60.0


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        running.repos["org/large"] = Repo({"config.json": b"{}", "model.safetensors": WEIGHTS})
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Home:
    """A home of this test alone: nothing is built in it."""
    found = Home(tmp_path / "home")
    found.environment["HF_HOME"] = str(tmp_path / "hf")
    return found


def noted_bytes(home: Home) -> int:
    """How much of what is being downloaded is noted as come."""
    total = 0
    for note in (home.folder / "models" / ".incomplete").glob("*/parts/*.json"):
        total += sum(json.loads(note.read_text())["came"].values())
    return total


def begin(own: Home, hub: Hub) -> subprocess.Popen[str]:
    """A download that is somewhere in the middle."""
    hub.bytes_per_s = 60e6  # of each connection
    process = own.start("model", "download", "org/large", HF_ENDPOINT=hub.url)
    until = time.monotonic() + LIMIT_S
    while noted_bytes(own) < 16 * 2**20:
        assert time.monotonic() < until and process.poll() is None, "it did not get to its middle"
        time.sleep(0.01)
    return process


def test_what_was_killed_goes_on_and_ends_right(own: Home, hub: Hub) -> None:
    process = begin(own, hub)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)
    come = noted_bytes(own)
    assert not (own.folder / "models" / "large").exists()
    hub.bytes_per_s = None
    again = own("model", "download", "org/large", "--json", HF_ENDPOINT=hub.url)
    assert again.code == 0, again.err
    [document] = json.loads(again.out)
    assert document["downloaded_bytes"] == document["size_bytes"] - come < len(WEIGHTS)
    assert (own.folder / "models" / "large" / "model.safetensors").read_bytes() == WEIGHTS
    assert own("model", "verify", "large").code == 0


def test_an_interruption_ends_at_once_and_loses_nothing(own: Home, hub: Hub) -> None:
    process = begin(own, hub)
    hub.bytes_per_s = 1e5  # so that every connection waits for more
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130 and "interrupted" in err and "goes on from there" in err
    assert time.monotonic() - began < 10
    assert own("model", "list", "--downloaded").out.split("\t")[:2] == ["large", "incomplete"]
    removed = own("model", "remove", "large", "--yes")
    assert removed.code == 0 and own("model", "list", "--downloaded").out == ""


@pytest.mark.e2e
def test_what_was_downloaded_is_served_by_its_name(home: Home, hub: Hub, tmp_path: Path) -> None:
    folder = write_tiny_chat_model(tmp_path / "tiny")
    hub.repos["org/tiny-chat"] = Repo({file.name: file.read_bytes() for file in folder.iterdir()})
    got = home("model", "download", "org/tiny-chat", HF_ENDPOINT=hub.url)
    assert got.code == 0, got.err
    try:
        with home.served("ci-tests", "--model", "org/tiny-chat") as server:
            assert server.chat("tiny-chat")["usage"]["completion_tokens"] <= 8
            listed = json.loads(home("models", "--url", server.url, "--json").out)
            tiny = next(row for row in listed if row["id"] == "meta-reference/tiny-chat")
            assert (tiny["is_loaded"], tiny["context_length"], tiny["kind"]) == (True, 512, "llm")
            assert [row["is_loaded"] for row in listed if row["kind"] == "embedding"] == [True]
        # By a run config's own setting too.
        run_yaml = tmp_path / "run.yaml"
        engine = {"provider_id": "mine", "provider_type": "inline::meta-reference", "config": {"model": "tiny-chat"}}
        config = {"version": 2, "distro_name": "own", "apis": ["inference"], "providers": {"inference": [engine]}}
        run_yaml.write_text(json.dumps(config))
        with home.served(str(run_yaml)) as server:
            assert server.models() == ["mine/tiny-chat"]
    finally:
        assert home("model", "remove", "tiny-chat", "--yes").code == 0


def test_our_hub_is_one_that_the_hubs_own_library_downloads_from(hub: Hub, tmp_path: Path) -> None:
    import huggingface_hub

    api = huggingface_hub.HfApi(endpoint=hub.url, token=GOOD_TOKEN)
    repo = Repo({"config.json": b"{}", "model.safetensors": WEIGHTS[:200_000]}, is_gated=True)
    hub.repos["org/gated"] = repo
    files = {sibling.rfilename: sibling for sibling in api.model_info("org/gated", files_metadata=True).siblings or []}
    assert {path: file.size for path, file in files.items()} == {"config.json": 2, "model.safetensors": 200_000}
    assert files["model.safetensors"].lfs is not None
    place = api.hf_hub_download("org/gated", "model.safetensors", cache_dir=tmp_path, revision=repo.sha)
    assert Path(place).read_bytes() == repo.files["model.safetensors"]
    with pytest.raises(huggingface_hub.errors.GatedRepoError):
        huggingface_hub.HfApi(endpoint=hub.url, token=False).model_info("org/gated")
