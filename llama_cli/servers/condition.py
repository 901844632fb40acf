"""How a server is. What it says itself is in its record, which it keeps right: what has become of a provider is written
there before anybody is told. So whoever reads the record and whoever asks the server say the same.

Only whether it answers at all cannot stand in its record, and is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llama_cli.asking import ask
from llama_cli.exits import Failure
from llama_cli.servers import records
from llama_cli.servers.records import Record

UNREACHABLE = "unreachable"
"""The state of a server whose record says that it serves, and which does not answer."""

_HEALTH_LIMIT_S = 5.0
_PROVIDERS_LIMIT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Condition:
    """record: after the server has answered. state, reason: as the record says them, or `unreachable` and why.
    providers: as `provider_health` gives them; empty where nobody was asked.
    """

    record: Record
    state: str
    reason: str | None
    providers: list[dict[str, Any]] = field(default_factory=list)


def asked(record: Record) -> Condition:
    """How a server is now: what its record says once each of its providers has been asked."""
    if record.state not in records.HEALTHY or not record.alive or not record.url:
        return _stated(record)
    try:
        ask.get(record.url, "/v1/health", timeout_s=_HEALTH_LIMIT_S)
        providers = provider_health(record.url, timeout_s=_PROVIDERS_LIMIT_S)
    except Failure as failure:
        now = records.read(record.path) or record
        if not now.alive:  # it has ended since its record was read
            return _stated(now)
        return Condition(record=now, state=UNREACHABLE, reason=failure.message)
    return _stated(records.read(record.path) or record, providers)


def provider_health(url: str, *, timeout_s: float) -> list[dict[str, Any]]:
    """The providers of a server, each asked how it is. status: `ok`, `error`, `not_implemented`, as upstream spells
    them, and more precisely `loading` for what starts yet and `needs_key` for what serves only who brings a key, both
    of which are errors for upstream. Raises Failure as `ask.listed` does.
    """
    rows = []
    for provider in ask.listed(url, "/v1/providers", by="provider_id", timeout_s=timeout_s):
        health = provider["health"] if isinstance(provider.get("health"), dict) else {}
        precisely = {"starting": "loading", "needs-key": "needs_key"}.get(str(health.get("state")))
        status = precisely or str(health.get("status") or "unknown").lower().replace(" ", "_")
        named = {name: provider.get(name) for name in ("provider_id", "provider_type", "api")}
        rows.append({**named, "status": status, "message": None if status == "loading" else health.get("message")})
    return rows


def _stated(record: Record, providers: list[dict[str, Any]] | None = None) -> Condition:
    return Condition(record=record, state=record.seen_state, reason=record.explanation, providers=providers or [])
