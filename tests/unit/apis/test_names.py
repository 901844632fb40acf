"""Names in requests are bounded at the door: whichever field, route or size, it is a 400 that shows how it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.similar import LONGEST_NAME
from tests.support.stacks import openai_at, serving

LONG = "abc" * LONGEST_NAME
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", {"model": LONG, "messages": MESSAGES}),
        ("POST", "/v1/completions", {"model": LONG, "prompt": "x"}),
        ("POST", "/v1/embeddings", {"model": LONG, "input": "x"}),
        ("POST", "/v1/models", {"model_id": LONG, "provider_id": "vendor"}),
        ("POST", "/v1/models", {"model_id": "m", "provider_id": LONG}),
        ("POST", "/v1/models", {"model_id": "m", "provider_id": "vendor", "provider_model_id": LONG}),
        ("GET", f"/v1/models/{LONG}", None),
        ("DELETE", f"/v1/models/{LONG}", None),
        ("GET", f"/v1/providers/{LONG}", None),
        ("GET", f"/v1/providers/vendor?api={LONG}", None),
    ],
)
async def test_a_name_of_no_reasonable_length_is_refused(tmp_path: Path, method: str, path: str, body: Any) -> None:
    async with serving(run_config(openai_at("http://127.0.0.1:9/v1")), tmp_path, settled=False) as served:
        answer = await served.client.request(method, path, json=body)
        assert answer.status == 400
        assert "abcabcabc" in answer.error["message"] and len(answer.body) < 1000


async def test_a_name_of_20_megabytes_costs_nothing(tmp_path: Path) -> None:
    async with serving(run_config(openai_at("http://127.0.0.1:9/v1")), tmp_path, settled=False) as served:
        body = {"model": "a" * 20_000_000, "messages": MESSAGES}
        assert (await served.client.post("/v1/chat/completions", body)).status == 400
