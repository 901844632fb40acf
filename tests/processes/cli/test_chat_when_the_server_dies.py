"""`llama chat` against a real server of ours that ends in the middle of an answer, which its upstream holds back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import web

from runtime.conformance.upstream import CHAT_MODEL, started_stream, upstream_server
from tests.support.server_process import ROOT, server_process
from tests.support.stacks import openai_at

pytestmark = pytest.mark.e2e
LIMIT_S = 60.0


async def says_half(request: web.Request) -> web.StreamResponse:
    """In place of what the upstream does: half of an answer, and then nothing for as long as anybody listens."""
    answer = await started_stream(request)
    choice = {"index": 0, "delta": {"role": "assistant", "content": "half"}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": CHAT_MODEL, "choices": [choice]}
    await answer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    await asyncio.Event().wait()
    return answer


@pytest.mark.parametrize("how", ["killed", "stopped by force"])
async def test_half_an_answer_is_a_failure(tmp_path: Path, how: str) -> None:
    async with upstream_server() as upstream:
        run = {"version": 2, "distro_name": "test", "providers": {"inference": [openai_at(upstream.url)]}}
        async with asyncio.timeout(LIMIT_S), server_process(run, tmp_path) as server:
            await server.until("serving")
            while f"vendor/{CHAT_MODEL}" not in str(await server.ask("GET", "/v1/models")):
                await asyncio.sleep(0.02)
            upstream.misbehaves = says_half
            chat = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "llama_cli.main", "chat", "hi"),
                *("--url", server.url, "--model", f"vendor/{CHAT_MODEL}"),
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            assert chat.stdout is not None
            assert await chat.stdout.readexactly(4) == b"half"
            if how == "killed":
                server.signal(signal.SIGKILL)
            else:
                server.signal(signal.SIGINT)
                await server.until("draining")
                server.signal(signal.SIGINT)
            out, err = await chat.communicate()
    assert out == b"" and err.startswith(b"error: ")
    if how == "killed":
        assert b"stopped in the middle of an answer" in err
    else:
        assert b"stopping" in err
    assert chat.returncode == 6
