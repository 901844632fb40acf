"""Several encoders in one provider, and what is checked of one before its weights are read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from runtime.conformance.stacks import run_config, serving
from runtime.engine.encoders.memory import encoder_bytes
from runtime.engine.memory.needs import DoesNotFit
from runtime.engine.memory.plan import Hardware
from tests.support.tiny_encoder import write_cross_encoder, write_embedder


async def test_encoders_take_turns_too(tmp_path: Path) -> None:
    for name, write in (("E", write_embedder), ("Judge", write_cross_encoder), ("F", write_embedder)):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    weights = tmp_path / "F" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    models = [str(tmp_path / "Judge"), {"model": str(tmp_path / "F"), "preload": True}]
    config = {"model": str(tmp_path / "E"), "models": models, "max_loaded_models": 1, "device": "cpu", "threads": 1}
    provider = {"provider_id": "st", "provider_type": "inline::sentence-transformers", "config": config}
    async with serving(run_config(provider), tmp_path / "state") as running:
        texts = {"input": ["cat", "dog"], "keep_alive": "5m"}
        ranking = {"query": "cat", "documents": ["red", "cat"]}
        answers = await asyncio.gather(
            running.client.post("/v1/embeddings", {"model": "st/E", **texts}),
            running.client.post("/v1/rerank", {"model": "st/Judge", **ranking}),
            running.client.post("/v1/rerank", {"model": "st/E-maxsim", **ranking}),
        )
        assert [answer.status for answer in answers] == [200] * 3
        assert "x-llama-warnings" not in answers[0].headers
        for action, state in (("load", "loaded"), ("unload", "unloaded")):
            assert (await running.client.post(f"/models/{action}", {"model": "st/E-maxsim"})).status == 200
            async with asyncio.timeout(10):
                while (await running.client.get("/v1/models/st/E")).json()["metadata"]["state"] != state:
                    await asyncio.sleep(0)
        damaged = await running.client.post("/v1/embeddings", {"model": "st/F", **texts})
        assert (damaged.status, damaged.error["code"]) == (503, "checkpoint_invalid")
        found = (await running.client.get("/v1/providers/st")).json()["health"]
        assert found["state"] == "degraded" and "`F` could not be loaded" in found["message"]


async def test_an_encoder_without_room_is_refused_before_its_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime.engine.encoders import weights as encoder_weights

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the weights were read")

    monkeypatch.setattr(encoder_weights, "probe_hardware", lambda: Hardware(available_bytes=1000))
    monkeypatch.setattr(encoder_weights, "safe_open", read)
    with pytest.raises(DoesNotFit, match=r"needs .* for weights as float32.* cpu has 0\.0 MiB free"):
        encoder_weights.load_encoder(write_embedder(tmp_path), "cpu")


def test_an_encoder_s_size_is_counted_from_its_config(tmp_path: Path) -> None:
    from runtime.engine.checkpoints.encoder_config import EncoderConfig
    from runtime.engine.encoders.weights import load_encoder

    folder = write_embedder(tmp_path)
    weights = load_encoder(folder, "cpu")._states.model.state_dict().values()
    assert encoder_bytes(EncoderConfig.read(folder)) == sum(weight.nbytes for weight in weights)
