"""A stack with one vendor's provider, and the vendor behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runtime import discovery
from tests.conformance.inference.vendor import vendor_of
from tests.support.asgi import Client
from tests.support.stacks import run_config, serving
from tests.support.upstream import CHAT_MODEL, Upstream, upstream_server

SPECS = {spec.name: spec for spec in discovery.specs() if spec.api == "inference"}
HI = [{"role": "user", "content": "Say JSON."}]
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("add", "mul")]


@asynccontextmanager
async def at(name: str, folder: Path, **config: Any) -> AsyncIterator[tuple[Client, Upstream]]:
    """A client of a stack with the provider `vendor`, and the vendor. config: in place of the usual settings."""
    spec = SPECS[name]
    vendor = vendor_of(spec)
    async with upstream_server(make=vendor.make) as upstream:
        upstream.key = vendor.key
        settings = {"base_url": upstream.url, "api_key": vendor.key, **vendor.config, **config}
        provider = {"provider_id": "vendor", "provider_type": spec.provider_type, "config": settings}
        async with serving(run_config(provider), folder) as served:
            yield served.client, upstream


def chat(**fields: Any) -> dict[str, Any]:
    """A request to the vendor's chat model."""
    return {"model": f"vendor/{CHAT_MODEL}", "messages": HI, "max_tokens": 5, **fields}


def asked(upstream: Upstream) -> list[Any]:
    """The bodies that the vendor was sent."""
    return [seen.json() for seen in upstream.seen if seen.method == "POST"]
