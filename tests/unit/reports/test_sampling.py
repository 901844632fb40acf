"""What public reports say about sampling parameters at the edges of their ranges: see `tests/reports.md`."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.conformance.asgi import Client
from runtime.conformance.upstream import CHAT_MODEL, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")
MODEL = f"vendor/{CHAT_MODEL}"
HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": HI}),
        ("/v1/completions", {"prompt": "hi", "max_tokens": 3}),
        ("/v1/responses", {"input": "hi"}),
    ],
)
async def test_a_share_of_nothing_reaches_the_vendor(
    client: Client, upstream: Upstream, path: str, body: dict[str, Any]
) -> None:
    answered = await client.post(path, {"model": MODEL, "top_p": 0, **body})
    assert answered.status == 200, answered.body
    sent = [seen.json() for seen in upstream.seen if seen.method == "POST"]
    assert sent[-1]["top_p"] == 0
