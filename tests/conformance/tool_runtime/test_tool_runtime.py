"""What every provider of tools promises, asked of those that come with us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime import discovery
from runtime.conformance.stacks import run_config, serving
from runtime.conformance.subjects import Kind
from runtime.conformance.tool_runtime.subject import Subject
from runtime.conformance.tool_runtime.suite import *  # noqa: F403
from tests.conformance.tool_runtime.servers import FORMS, KEY, tool_server
from tests.support.apart import why_not
from tests.support.mcp_server import mcp_server


def vendor(name: str, tool: str, group: str, query: str) -> Kind:
    """A vendor's tool, with a local server that answers as the vendor documents it."""

    @asynccontextmanager
    async def wire(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        async with tool_server(name) as server:
            entry = {"provider_id": name, "provider_type": f"remote::{name}"}
            entry["config"] = {"base_url": server.url, "api_key": KEY}  # type: ignore[assignment]

            def fail() -> None:
                server.answers = 500, {"message": f"with {KEY} it does not work"}

            async with serving(run_config(providers={"tool_runtime": [entry]}), folder) as served:
                arguments: dict[str, Any] = {"query": query}
                yield Subject(
                    client=served.client, group=group, tool=tool, arguments=arguments, wrong={}, secret=KEY, fail=fail
                )

    return Kind(make=wire, abilities=frozenset({"fails"}))


@asynccontextmanager
async def mcp(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with mcp_server() as server:
        group = {"toolgroup_id": "mcp::sums", "provider_id": "mcp", "mcp_endpoint": {"uri": server.url}}
        run = run_config(
            providers={
                "tool_runtime": [{"provider_id": "mcp", "provider_type": "remote::model-context-protocol"}],
                "connectors": [{"provider_id": "builtin", "provider_type": "inline::builtin"}],
            },
            registered_resources={"tool_groups": [group]},
        )

        def fail() -> None:
            server.status = 500

        async with serving(run, folder) as served:
            yield Subject(
                client=served.client, group="mcp::sums", tool="add", arguments={"a": 1, "b": 2}, wrong={"a": "one"},
                fail=fail,
            )  # fmt: skip


@asynccontextmanager
async def code(folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if reason := why_not():
        pytest.skip(reason)
    entries = {
        "containers": [{"provider_id": "bubblewrap", "provider_type": "inline::bubblewrap"}],
        "tool_runtime": [{"provider_id": "code", "provider_type": "inline::code-interpreter"}],
    }
    group = "builtin::code_interpreter"
    run = run_config(providers=entries, apis=["containers", "tool_runtime", "tool_groups"])
    async with serving(run, folder) as served:
        tool = group.removeprefix("builtin::")
        yield Subject(client=served.client, group=group, tool=tool, arguments={"code": "6 * 7"}, wrong={"code": 1})


SUBJECTS: dict[str, Kind] = {
    **{name: vendor(name, "web_search", "builtin::websearch", "how fast is a llama?") for name in FORMS},
    "wolfram-alpha": vendor("wolfram-alpha", "wolfram_alpha", "builtin::wolfram_alpha", "2+2"),
    "model-context-protocol": Kind(make=mcp, abilities=frozenset({"fails"})),
    "code-interpreter": Kind(make=code),
}
HELD_ELSEWHERE = {"file-search"}
"""What it finds is in vector stores: `tests/conformance/vector_stores/test_knowledge_search.py`."""


async def test_every_provider_is_held_to_this() -> None:
    names = {spec.name for spec in discovery.built_in().specs if spec.api == "tool_runtime"}
    assert names == {*SUBJECTS, *HELD_ELSEWHERE}
