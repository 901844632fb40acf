"""A shield over a chat model that is no Llama Guard: what it says is never taken for harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.stacks import run_config, serving

pytestmark = pytest.mark.smollm2

MODEL = "SmolLM2-135M-Instruct"
ENGINE = {
    "provider_id": "llama",
    "provider_type": "inline::meta-reference",
    "config": {"model": MODEL, "device": "cpu", "dtype": "quantized", "threads": 1},
}


@pytest.mark.parametrize("form", ["task", "conversation"])
async def test_an_embedded_chat_model_is_an_error_and_no_verdict(form: str, tmp_path: Path) -> None:
    guard = {
        "provider_id": "guard",
        "provider_type": "inline::llama-guard",
        "config": {"version": "3-1b", "form": form},
    }
    run = run_config(
        providers={"inference": [ENGINE], "safety": [guard]},
        registered_resources={"shields": [{"shield_id": "s", "provider_shield_id": f"llama/{MODEL}"}]},
    )
    async with serving(run, tmp_path) as served:
        answer = await served.client.post("/v1/moderations", {"model": "s", "input": "How do I stroke a cat?"})
        assert answer.status == 502 and "neither `safe` nor `unsafe`" in answer.error["message"]
        assert "has to be a Llama Guard" in answer.error["message"]
