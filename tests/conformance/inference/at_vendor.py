"""A stack with one vendor's provider, and the vendor behind it; and what is checked of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runtime import discovery
from runtime.conformance.asgi import Client
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.upstream import CHAT_MODEL, EMBEDDING_MODEL, RERANK_MODEL, Upstream, upstream_server
from tests.conformance.inference.vendor import vendor_of

SPECS = {spec.name: spec for spec in discovery.built_in().specs if spec.api == "inference"}
HI = [{"role": "user", "content": "Say JSON."}]
ABSENT = object()
"""In place of a value: there is none."""
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("add", "mul")]


@asynccontextmanager
async def at(name: str, folder: Path, **config: Any) -> AsyncIterator[tuple[Client, Upstream]]:
    """A client of a stack with the provider `vendor`, and the vendor. config: in place of the usual settings."""
    spec = SPECS[name]
    vendor = vendor_of(spec)
    async with upstream_server(make=vendor.make) as upstream:
        upstream.key = vendor.key
        settings = {**vendor.settings(upstream), **config}
        provider = {"provider_id": "vendor", "provider_type": spec.provider_type, "config": settings}
        async with serving(run_config(provider), folder) as served:
            yield served.client, upstream


def chat(**fields: Any) -> dict[str, Any]:
    """A request to the vendor's chat model."""
    return {"model": f"vendor/{CHAT_MODEL}", "messages": HI, "max_tokens": 5, **fields}


def asked(upstream: Upstream) -> list[Any]:
    """The bodies that the vendor was sent, in OpenAI's form, without those that asked for a token."""
    sent = (seen for seen in upstream.seen if seen.method == "POST")
    sent = (seen for seen in sent if seen.headers.get("content-type") == "application/json")
    return [upstream.read(seen.path, seen.json()) for seen in sent]


def completion(**fields: Any) -> dict[str, Any]:
    """A request for a text completion."""
    return {"model": f"vendor/{CHAT_MODEL}", "prompt": "Once", "max_tokens": 5, **fields}


def embedding(**fields: Any) -> dict[str, Any]:
    """A request to the vendor's embedding model."""
    return {"model": f"vendor/{EMBEDDING_MODEL}", "input": "a cat", **fields}


def reranking(**fields: Any) -> dict[str, Any]:
    """A request to the vendor's reranking model."""
    return {"model": f"vendor/{RERANK_MODEL}", "query": "cat", "documents": ["a dog", "a cat"], **fields}


PATHS = {chat: "/chat/completions", completion: "/completions", embedding: "/embeddings", reranking: "/rerank"}


async def check_sent(
    name: str,
    folder: Path,
    request: Callable[..., dict[str, Any]],
    fields: dict[str, Any],
    *,
    sent: dict[str, Any],
    warned: Sequence[str] | None = (),
) -> Any:
    """The answer to a request with these fields, of which the vendor gets those in `sent`. warned: parts of the
    warnings, of which there are no others; None: any.
    """
    async with at(name, folder) as (client, upstream):
        answer = await client.post(f"/v1{PATHS[request]}", request(**fields))
        assert answer.status == 200, answer.body
        body = asked(upstream)[-1]
        assert {field: body.get(field, ABSENT) for field in sent} == sent
        warnings = answer.headers.get("x-llama-warnings", "")
        if warned is not None:
            assert all(words in warnings for words in warned) and bool(warnings) == bool(warned), warnings
        return answer.json()


async def check_refused(
    name: str, folder: Path, request: Callable[..., dict[str, Any]], fields: dict[str, Any], param: str
) -> None:
    """A request with these fields is refused, and the vendor is not asked."""
    async with at(name, folder) as (client, upstream):
        answer = await client.post(f"/v1{PATHS[request]}", request(**fields))
        assert (answer.status, answer.error["param"], answer.error["code"]) == (400, param, "unsupported_parameter")
        assert "`vendor`" in answer.error["message"]
        assert asked(upstream) == []
