"""Which requests only look how the server is.

`llama` asks so whenever it shows, awaits or follows a server, often twice a second, and Prometheus for ever: such lines
would bury those of its users.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime import PROBE
from runtime.server.asgi import HTTP, Scope
from runtime.server.middleware.hosts import is_this_machine

METRICS = "/metrics"
_READS = ("GET", "HEAD")
_ROUTES = ("/v1/health", "/v1/models", "/v1/providers", "/v1/version", "/v1/inspect/routes")
_QUESTIONS = tuple(f"/v1/telemetry/{what}" for what in ("traces", "spans", "query"))
"""These are posted, and change nothing."""


def is_scrape(scope: Scope) -> bool:
    """Whether metrics are asked for."""
    return scope["path"] == METRICS and scope["method"] in _READS


def is_probe(scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
    """Whether metrics are asked for, or `llama` itself sends it, on this machine, with a GET that says what is there or
    a question about what has happened. Anyone on this machine can pass for `llama`; no other request can, so none can
    be hidden.
    """
    path = scope["path"]
    if path == METRICS:
        return scope["type"] == HTTP and is_scrape(scope)
    is_question = path in _QUESTIONS
    if not is_question and path not in _ROUTES and not path.startswith("/v1/models/"):
        return False
    if scope["type"] != HTTP or scope["method"] != ("POST" if is_question else "GET"):
        return False
    client = scope["client"]
    return headers.get(b"user-agent") == PROBE.encode() and client is not None and is_this_machine(client[0])
