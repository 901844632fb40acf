"""The application for callers in its own process: what it finds by itself means what it means to a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.server.in_process import in_process_app
from tests.support.stacks import openai_at


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("end", ["", "/", "%2F", "/?a=1"])
async def test_a_path_that_is_not_written_plainly_means_what_it_means_to_a_server(
    upstream: Upstream, tmp_path: Path, method: str, end: str
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        path = f"/v1/models/vendor/{CHAT_MODEL}{end}"
        ours = await Client(in_process_app(served.stack)).request(method, path)
        assert ours.status == (await served.client.request(method, path)).status
