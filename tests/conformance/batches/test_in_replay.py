"""Batches of a cluster, with files of a bucket, in a replay: neither is there, nor what asks them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import upstream_server
from runtime.recording.session import Mode, RecordingChoice, Session
from runtime.stack.interposed import Interposed
from tests.conformance.batches.asking import CHAT, Asking, line
from tests.support.stacks import openai_at

NOWHERE = "http://127.0.0.1:9"
S3 = {
    "provider_id": "s3",
    "provider_type": "remote::s3",
    "config": {"bucket_name": "b", "endpoint_url": NOWHERE},
}
RAY = {
    "provider_id": "ray",
    "provider_type": "remote::ray",
    "config": {"address": "ray://127.0.0.1:9", "base_url": NOWHERE},
}


async def test_they_are_done_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stack(mode: Mode, url: str, **more: Any) -> Any:
        session = Session(RecordingChoice(mode=mode, folder=tmp_path / "recordings"))
        run = run_config(providers={"inference": [openai_at(url)], **more})
        return serving(run, tmp_path / mode, interposed=Interposed(session))

    asked = line("1", "Hello", store=False)
    async with upstream_server() as vendor, stack("record", vendor.url) as served:
        told = await served.client.post(CHAT, asked["body"])
    for package in ("obstore", "ray"):
        monkeypatch.setitem(sys.modules, package, None)
    async with stack("replay", f"{NOWHERE}/v1", files=[S3], batches=[RAY]) as served:
        asking = Asking(served, vendor)
        [answered] = await asking.content((await asking.completed(asked))["output_file_id"])
    assert answered["response"]["body"]["choices"] == told.json()["choices"]
