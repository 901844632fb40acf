"""How many responses may wait in the background."""

from __future__ import annotations

import asyncio
from pathlib import Path

from runtime.conformance.stacks import adapter_of, run_config, serving
from runtime.conformance.upstream import Upstream
from tests.conformance.responses.asking import MODEL
from tests.support.stacks import openai_at

LIMIT_S = 30.0


async def test_no_more_wait_than_there_is_room_for(upstream: Upstream, tmp_path: Path) -> None:
    """Beyond it, the keys that the oldest one's caller had sent were forgotten."""
    builtin = {"provider_id": "builtin", "provider_type": "inline::builtin", "config": {"background_workers": 1}}
    providers = {"inference": [openai_at(upstream.url)], "responses": [builtin]}
    body = {"model": MODEL, "input": "Go on", "background": True}
    upstream.gate.clear()
    async with serving(run_config(providers=providers), tmp_path) as served:
        background = adapter_of(served.stack, "responses")._background
        background._most_waiting = 1
        follower = asyncio.create_task(served.client.post("/v1/responses", {**body, "stream": True}))
        async with asyncio.timeout(LIMIT_S):
            await upstream.waiting_at_gate.wait()
        waiting = (await served.client.post("/v1/responses", body)).json()
        refused = await served.client.post("/v1/responses", body)
        assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
        listed = (await served.client.get("/v1/responses")).json()["data"]
        assert len(listed) == 2, "nothing is left of the one that was refused"
        await served.client.post(f"/v1/responses/{waiting['id']}/cancel")
        background._waiting["resp_of_another_process"] = None
        assert (await served.client.post("/v1/responses", body)).json()["status"] == "queued"
        upstream.gate.set()
        assert (await follower).status == 200
