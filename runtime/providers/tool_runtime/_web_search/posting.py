"""Searches that are asked for in a JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.http.transport import Outgoing, json_request
from runtime.providers.tool_runtime._web_search.asked import WebSearchArguments


def searched(url: str, asked: WebSearchArguments, count: int, *, country: str | None, **more: str) -> Outgoing:
    """A search under the names that several vendors have for its parts. more: fields of one's own."""
    body = {
        "query": asked.query,
        "max_results": count,
        "include_domains": asked.allowed_domains,
        "exclude_domains": asked.blocked_domains,
        "country": country,
    }
    return posted(url, {**body, **more})


def posted(url: str, body: Mapping[str, Any]) -> Outgoing:
    """A POST of what is not empty."""
    return json_request(url, {name: value for name, value in body.items() if value not in (None, [])})
