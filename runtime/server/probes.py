"""Which requests only look how the server is.

`llama` asks so whenever it shows or awaits a server, often twice a second, and Prometheus for ever: such lines would
bury those of its users.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime import PROBE
from runtime.server.asgi import HTTP, Scope
from runtime.server.middleware.hosts import is_this_machine

METRICS = "/metrics"
_READS = ("GET", "HEAD")
_ROUTES = ("/v1/health", "/v1/models", "/v1/providers", "/v1/version", "/v1/inspect/routes")


def is_scrape(scope: Scope) -> bool:
    """Whether metrics are asked for."""
    return scope["path"] == METRICS and scope["method"] in _READS


def is_probe(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether metrics are asked for, or `llama` itself sends it, on this machine, with a GET that says what is there.
    Anyone on this machine can pass for `llama`; no other request can, so none can be hidden.
    """
    path = scope["path"]
    if path == METRICS:
        return scope["type"] == HTTP and is_scrape(scope)
    if path not in _ROUTES and not path.startswith("/v1/models/"):
        return False
    if scope["type"] != HTTP or scope["method"] != "GET":
        return False
    client = scope["client"]
    return headers.get(b"user-agent") == PROBE.encode() and client is not None and is_this_machine(client[0])
