"""The command line in a Llama home of its own, as if in a pipe; and a hub on this machine for it to download from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_runner import cli
from tests.support.command_world import world
from tests.support.hub import TINY, Hub, Repo, running_hub

__all__ = ["cli", "world"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """With a tiny model, `org/tiny`, that comes in many pieces. No token is set."""
    from llama_cli.downloads import part, transfer, web

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    # Small pieces, so that a small file has many; no pauses, since nothing here gets better by waiting.
    monkeypatch.setattr(part, "PIECE_BYTES", 10_000)
    monkeypatch.setattr(transfer, "_NOTED_EVERY_BYTES", 1000)
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.001)
    with running_hub() as running:
        running.repos["org/tiny"] = Repo(TINY)
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def quick_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest of a secret takes 30 ms, so that none is found by trying."""
    monkeypatch.setattr("llama_cli.servers.secret_digest._ROUNDS", 1_000)
