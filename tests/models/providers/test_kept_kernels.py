"""Where compiled kernels are kept: once for all stacks that share a cache, else with a stack's state."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.stacks import run_config, serving
from tests.support.tiny_model import write_tiny_chat_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_chat_model(tmp_path_factory.mktemp("tiny") / "Tiny", context_length=256, head_dim=16)


async def answer(folder: Path, state: Path, cache: Path | None) -> None:
    config = {"model": str(folder), "device": "cpu", "dtype": "quantized", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), state, cache_dir=cache) as served:
        answered = await served.client.post("/v1/completions", {"model": "llama/Tiny", "prompt": "x", "max_tokens": 1})
        assert answered.status == 200


async def test_what_one_stack_has_compiled_another_reads(folder: Path, tmp_path: Path) -> None:
    kept = []
    for state in ("one", "two"):
        await answer(folder, tmp_path / state, tmp_path / "cache")
        kept.append({file.name: file.stat().st_ino for file in (tmp_path / "cache" / "kernels").iterdir()})
    assert kept[0] and kept[0] == kept[1]
    assert not list(tmp_path.glob("*/inference/llama/kernels"))


async def test_without_a_cache_they_are_kept_with_the_state(folder: Path, tmp_path: Path) -> None:
    await answer(folder, tmp_path, None)
    assert list((tmp_path / "inference" / "llama" / "kernels").iterdir())
