"""A Llama home with something in it to show: what was built, a server that runs, one that crashed, a log.

What differs from run to run (pids, times, memory) is always the same here, so that outputs can be compared.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from llama_cli.servers import records
from llama_cli.weights.manifest import FileRecord, Manifest
from runtime.catalog.on_disk import MANIFEST
from tests.support.command_runner import Cli
from tests.support.recordings import keep_two, peer_recording

RUN_YAML = "version: 2\ndistro_name: mine\napis: [inspect]\nproviders: {}\n"
LOG = [
    {"time": "2026-01-02T03:04:05.678Z", "level": "info", "logger": "runtime", "message": "ready"},
    {
        "time": "2026-01-02T03:04:06.789Z",
        "level": "warning",
        "logger": "runtime",
        "message": "slow",
        "request_id": "r1",
    },
]
GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
MANIFEST_TEXT = Manifest(
    model_id="",
    source="import",
    origin="/somewhere/small.gguf",
    revision=None,
    added_at="2026-01-02T03:04:05Z",
    files=(FileRecord(path="small.gguf", size_bytes=len(GGUF), sha256=hashlib.sha256(GGUF).hexdigest()),),
).text()


@pytest.fixture
def world(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The command line where the distribution `mine` is built, `starter` runs, `gone` has crashed, and a model `own`
    was imported, whose folder is the current one. Two answers were recorded, of which one is used, and llama-stack has
    recorded another.
    """
    models = cli.home / "models"
    (models / "own").mkdir(parents=True)
    (models / "own" / "small.gguf").write_bytes(GGUF)
    (models / "own" / MANIFEST).write_text(MANIFEST_TEXT)
    monkeypatch.setenv("HF_HOME", str(cli.home / "none"))
    monkeypatch.chdir(models / "own")
    beside = cli.home.parent
    monkeypatch.setenv("LLAMA_STACK_TEST_RECORDING_DIR", str(beside / "recordings"))
    keep_two(beside / "recordings")
    (beside / "peer").mkdir()
    (beside / "peer" / "one.json").write_text(json.dumps(peer_recording()))
    built = cli.home / "distributions" / "mine"
    (built / ".venv" / "bin").mkdir(parents=True)
    (built / "run.yaml").write_text(RUN_YAML)
    config = str(built / "run.yaml")
    log = cli.home / "logs" / "starter.log"
    log.parent.mkdir()
    log.write_text("".join(json.dumps(entry) + "\n" for entry in LOG))
    started_at = (datetime.now(UTC) - timedelta(seconds=75)).isoformat(timespec="seconds")
    facts = {"state": "ready", "started_at": started_at, "version": "1.2.3", "log_file": str(log)}
    for name, place in (
        ("gone", {"pid": 4711}),
        ("starter", {"pid": 4712, "port": 8321, "url": "http://127.0.0.1:8321"}),
    ):
        reserved = records.reserve(name, lambda server_id: {"state_dir": f"/state/{server_id}", "config": config})
        reserved.path.write_text(json.dumps(json.loads(reserved.path.read_text()) | facts | place))
    monkeypatch.setattr("llama_cli.disk.sizes.on_disk", lambda found: 1_000)
    monkeypatch.setattr("llama_cli.servers.process_group.memory_bytes", lambda pid: 123_456_789)
    with reserved.path.open("r+") as file:  # as its server holds it
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield cli
