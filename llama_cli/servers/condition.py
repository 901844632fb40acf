"""How a server is. What it says itself is in its record, which it keeps right: what has become of a provider is written
there before anybody is told. So whoever reads the record and whoever asks the server say the same.

Only whether it answers at all cannot stand in its record, and is asked here. Of a server elsewhere, whose record is
not here, its providers tell the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import named, records
from llama_cli.servers.records import Record

UNREACHABLE = "unreachable"
"""The state of a server whose record says that it serves, and which does not answer."""

_HEALTH_LIMIT_S = 5.0
_PROVIDERS_LIMIT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Condition:
    """record: after the server has answered; of one elsewhere, what it would say. state, reason: as the record says
    them, or `unreachable` and why. providers: as `provider_health` gives them; empty where nobody was asked.
    """

    record: Record
    state: str
    reason: str | None
    providers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it was not started here, so that nothing but its address is known of it."""
        return self.record.id == self.record.url


def of(given: str | None) -> Condition:
    """How the server is that a name or an address means. Raises what `named.find` raises but for an address, of which
    what it refuses is a Failure.
    """
    try:
        return asked(named.find(given, or_crashed=True))
    except named.Elsewhere:
        return asked_at(str(given))


def asked(record: Record) -> Condition:
    """How a server is now: what its record says once each of its providers has been asked."""
    if not record.url or not record.can_be_asked:
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


def asked_at(url: str) -> Condition:
    """The same of a server that was not started here. Its record is what can be known of it from outside: its id is its
    address. Raises Failure for what is no address, and for a server that answers and does not say how it is.
    """
    seen = Record(id=url, name=url, state=UNREACHABLE, url=url, path=Path(), alive=False)
    try:
        version = ask.get(url, "/v1/version", timeout_s=_HEALTH_LIMIT_S)
        providers = provider_health(url, timeout_s=_PROVIDERS_LIMIT_S)
    except Failure as failure:
        if failure.code != ExitCode.UNHEALTHY:
            raise
        return Condition(record=seen, state=UNREACHABLE, reason=failure.message)
    degraded = {row["provider_id"]: str(row["message"] or "") for row in providers if row["status"] == "error"}
    seen = replace(
        seen,
        state="degraded" if degraded else "ready",
        alive=True,
        version=str(version["version"]) if isinstance(version, dict) and "version" in version else None,
        degraded=degraded,
        loading=[row["provider_id"] for row in providers if row["status"] == "loading"],
    )
    return _stated(seen, providers)


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
