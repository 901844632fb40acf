"""The application of a stack that was opened by need: what it finds by itself means what it means to a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.conformance.asgi import Client, living
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, Upstream
from runtime.server.app import make_app
from runtime.server.by_need import app_by_need
from tests.support.stacks import openai_at


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("end", ["", "/", "%2F", "/?a=1"])
async def test_a_path_that_is_not_written_plainly_means_what_it_means_to_a_server(
    upstream: Upstream, tmp_path: Path, method: str, end: str
) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        path = f"/v1/models/vendor/{CHAT_MODEL}{end}"
        ours = await Client(app_by_need(served.stack)).request(method, path)
        assert ours.status == (await served.client.request(method, path)).status


async def test_a_server_opens_and_closes_it_as_any_other(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        app = app_by_need(served.stack)
        async with living(app) as client:
            assert (await client.get("/v1/health")).status == 200
        with pytest.raises(RuntimeError, match="closed"):
            await served.stack._stores.analytics().query("SELECT 1")


async def test_it_answers_for_the_hosts_that_it_is_addressed_as(upstream: Upstream, tmp_path: Path) -> None:
    async with serving(run_config(openai_at(upstream.url)), tmp_path) as served:
        for app in (app_by_need(served.stack, hosts=["mine.example"]), make_app(served.stack, hosts=["mine.example"])):
            for host, status in (("mine.example", 200), ("evil.example", 403)):
                assert (await Client(app).get("/v1/health", headers={"host": host})).status == status
