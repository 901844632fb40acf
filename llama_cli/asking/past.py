"""What a running stack was asked before, and has kept: chat completions and responses, the newest first.

Knows their lists' routes and filters, not what becomes of them. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal.progress import working

_PAGE = 100
_READ_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which of them. model: that was asked; since: not older than that, in seconds since 1970; metadata: that they
    have.
    """

    model: str | None = None
    since: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def completions(url: str, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Chat completions with what they were asked. Raises Failure as `ask.get` does."""
    named = {f"metadata[{name}]": value for name, value in wanted.metadata.items()}
    return _kept(url, "/v1/chat/completions", wanted, named, "created")


def responses(url: str, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Responses with what they were asked. Raises Failure as `ask.get` does."""
    for response in _kept(url, "/v1/responses", wanted, {}, "created_at"):
        said = response.get("metadata") or {}
        if all(said.get(name) == value for name, value in wanted.metadata.items()):
            yield response


def _kept(url: str, path: str, wanted: Wanted, more: Mapping[str, str], time: str) -> Iterator[dict[str, Any]]:
    query = {"limit": str(_PAGE), "order": "desc", **more}
    if wanted.model is not None:
        query["model"] = wanted.model
    with working("reading what was asked") as step:
        while True:
            page = ask.get(url, f"{path}?{urlencode(query)}", timeout_s=_READ_S)
            if not (isinstance(page, dict) and isinstance(page.get("data"), list)):
                raise Failure(f"{url}{path} answered with JSON that is no list", code=ExitCode.NETWORK)
            for one in page["data"]:
                if wanted.since is not None and one[time] < wanted.since:
                    return
                step.done += 1
                yield one
            if not (page.get("has_more") and page["data"] and page.get("last_id") != query.get("after")):
                return
            query["after"] = page["last_id"]
