"""What README, help and the block after a start propose to ask is answered well by what a newcomer runs: the shipped
model in its 4-bit form, computed by our kernels, with its own sampling defaults.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.stacks import run_config, serving

pytestmark = pytest.mark.smollm2

PROPOSED = {
    "What is the capital of Japan?": "The capital of Japan is Tokyo.",
    "Hi": "Hello! How can I assist you today?",
}
"""Question and answer. Another question is tried here before it is proposed anywhere."""


async def test_what_we_propose_to_ask_is_answered_well_whatever_the_seed(tmp_path: Path) -> None:
    config = {"model": "SmolLM2-135M-Instruct", "device": "cpu", "threads": 1}
    provider = {"provider_id": "llama", "provider_type": "inline::meta-reference", "config": config}
    async with serving(run_config(provider), tmp_path) as running:
        for question, expected in PROPOSED.items():
            for seed in range(3):
                messages = [{"role": "user", "content": question}]
                body = {"model": "llama/SmolLM2-135M-Instruct", "messages": messages, "seed": seed, "max_tokens": 30}
                answer = (await running.client.post("/v1/chat/completions", body)).json()
                assert answer["choices"][0]["message"]["content"] == expected
