"""A provider that searches the web, as data."""

from __future__ import annotations

from typing import Any

from runtime.spec import Spec, remote, wire


def web_search(name: str, *, summary: str, adapter: str, key_env: str, **fields: Any) -> Spec:
    """key_env: the variable with its key, which turns it on in a template."""
    return remote(
        name,
        summary=summary,
        adapter=adapter,
        **{"config": "runtime.providers.tool_runtime._web_search.config:WebSearchConfig"} | fields,
        serves=("builtin::websearch",),
        enabled_by=key_env,
        key_env=key_env,
        sample_config={"api_key": f"${{env.{key_env}:=}}"},
        evidence=wire("a local server that checks the documented request and answers in the documented form"),
    )
