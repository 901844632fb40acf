"""Searches that are asked for in a JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.http.transport import Outgoing, json_request


def posted(url: str, body: Mapping[str, Any]) -> Outgoing:
    """A POST of what is not empty."""
    return json_request(url, {name: value for name, value in body.items() if value not in (None, [])})
