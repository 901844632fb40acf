"""Servers that run a real model behind the remote adapter: llama.cpp's, where this machine can run it, and our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.conformance.inference.subject import TEXT, Subject, within
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from tests.conformance.inference.subjects.meta_reference import FORMS
from tests.support.llama_cpp import Serve, shipped_gguf
from tests.support.server_process import server_process


@asynccontextmanager
async def behind(url: str, folder: Path, running: Callable[[], int]) -> AsyncIterator[Subject]:
    """A stack whose one provider is the server at `url`, which tells how many requests it works on."""
    config = {"base_url": f"{url}/v1"}
    provider = {"provider_id": "cpp", "provider_type": "remote::llama-cpp-server", "config": config}

    async def idle() -> None:
        while await asyncio.to_thread(running):
            pass

    async with serving(run_config(provider), folder) as served:
        listed = (await served.client.get("/v1/models")).json()["data"]
        yield Subject(client=served.client, chat=listed[0]["id"], ended=lambda: within(idle()))


@asynccontextmanager
async def llama_cpp(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    serve: Serve = request.getfixturevalue("llama_cpp")
    options = ("-c", "2048", "-np", "4", "-t", "1", "--no-warmup", "--slots")
    with serve(shipped_gguf(), *options) as server:
        async with behind(server.url, folder, server.running) as subject:
            yield subject


@asynccontextmanager
async def our_server(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    pytest.importorskip("torch")
    from tests.support.tiny_model import write_tiny_chat_model
    from tests.support.upstreams import running_at

    model = write_tiny_chat_model(folder / "tiny", context_length=4096)
    provider = {
        "provider_id": "meta-reference",
        "provider_type": "inline::meta-reference",
        "config": {"model": str(model), "device": "cpu", "dtype": "float32", "threads": 1},
    }
    document = {"version": 2, "distro_name": "upstream", "providers": {"inference": [provider]}}
    async with server_process(document, folder / "upstream") as server:
        await server.until("serving")
        async with behind(server.url, folder / "behind", lambda: running_at(server.url)) as subject:
            yield subject


SUBJECTS = {
    # Its refusal of a long prompt has a type of its own, which is passed on as it comes.
    "llama_cpp": Kind(make=llama_cpp, abilities=TEXT - {"limits"} | {"closes"}, marks=(pytest.mark.llamacpp,)),
    "our_server": Kind(make=our_server, abilities=TEXT | FORMS | {"closes"}),
}
