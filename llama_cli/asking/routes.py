"""The routes of a server: as it lists them, and what a path that a user typed means among them.

Knows how a path looks and where a server lists its routes. Knows no route's meaning.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from llama_cli.asking import ask
from llama_cli.exits import Failure
from runtime.similar import suggestion

_STATED = ("method", "route", "api", "provider_types", "deprecated")

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

_AT_THE_ROOT = ("docs", "openapi.json", "health")
"""First words of paths that no version stands before."""

_AS_TYPED = "/:?#[]@!$&'()*+,;=%~"  # what has a meaning in an address, or is escaped already


def full_path(path: str) -> str:
    """`models`, `/models` and `/v1/models` are one path; blanks and letters that no address has are escaped."""
    path = quote(os.fsencode(f"/{path.lstrip('/')}"), safe=_AS_TYPED)
    first = re.split(r"[/?]", path[1:], maxsplit=1)[0]
    return path if re.match(r"v\d", first) or first in _AT_THE_ROOT else f"/v1{path}"


def mounted(url: str) -> list[dict[str, Any]]:
    """Every route of a server: method, route, api, provider_types, deprecated. Raises Failure as `ask.listed` does."""
    rows = ask.listed(url, "/v1/inspect/routes", by="route")
    return [{name: row.get(name) for name in _STATED} for row in rows]


def nearest_to(method: str, path: str, url: str) -> str | None:
    """A hint with the server's routes that are closest to one that it does not have; None where it has it, or lists
    none.
    """
    try:
        known = mounted(url)
    except Failure:
        return None
    bare = path.partition("?")[0]
    if any(row["method"] == method and _fits(str(row["route"]), bare) for row in known):
        return None
    return suggestion(_close(f"{method} {bare}", known)) or "`llama api --list` shows every route"


def _close(asked: str, known: Sequence[Mapping[str, Any]]) -> list[str]:
    spelled = {f"{row['method']} {row['route']}": f"llama api {row['method']} {row['route']}" for row in known}
    return [spelled[match] for match in get_close_matches(asked, spelled, n=3, cutoff=0.75)]


def _fits(route: str, path: str) -> bool:
    """Whether a path is one of a route's, whose fields stand in braces."""
    parts = re.split(r"(\{\w+(?::path)?\})", route)
    pattern = "".join(
        re.escape(part) if not part.startswith("{") else ".+" if ":path" in part else "[^/]+" for part in parts
    )
    return re.fullmatch(pattern, path) is not None
