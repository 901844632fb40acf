"""What a server still lacks to be what is wanted of it, and when that cannot come any more. Waits for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.condition import provider_health
from llama_cli.servers.goals import Goal
from llama_cli.servers.records import Record
from llama_cli.servers.served import find, served_models, unknown_model
from runtime.similar import names_for

_LIMIT_S = 5.0


class _Never(Failure):
    """It cannot come any more, unlike what only does not answer just now."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, code=ExitCode.UNHEALTHY)


def lacking(goal: Goal, record: Record) -> str | None:
    """What a server of ours still lacks, in words; None where it is what it is waited for to be.

    Raises Failure (UNHEALTHY) where it cannot become that any more, (USAGE) for a model or a provider that it does not
    have.
    """
    if goal.kind == "stopped":
        return f"it is {record.seen_state}" if record.alive else None
    if not record.alive or record.state == "draining":
        why = f": {record.explanation}" if record.explanation else ""
        hint = f"see `llama stack logs {record.id}`, then `llama stack restart {record.id}`"
        message = f"`{record.id}` {goal.never}: it is {record.seen_state}{why}"
        raise Failure(message, hint=hint, code=ExitCode.UNHEALTHY, facts={"id": record.id})
    if record.state == records.UNREADABLE:
        raise Failure.from_error(records.unreadable(record))
    if not record.url or not record.can_be_asked:
        return f"it is {record.seen_state}"
    if goal.kind == "settled" and not record.settled:
        return record.explanation or "providers are still starting"
    if not is_asked(goal, record):
        return None
    return lacking_at(goal, record.url, off=record.off, loading=record.loading, settled=record.settled)


def is_asked(goal: Goal, record: Record) -> bool:
    """Whether the server has to be asked, since its record does not tell."""
    return goal.is_asked or record.state == records.UNKNOWN


def lacking_at(
    goal: Goal,
    url: str,
    *,
    off: Sequence[dict[str, Any]] = (),
    loading: Sequence[str] = (),
    settled: bool = True,
) -> str | None:
    """The same of the server at an address. off, loading, settled: what its record says of providers.

    Raises Failure for an address that is none, a key that is refused, and a model or a provider that it does not have.
    """
    try:
        if goal.kind == "provider":
            return _lacks_provider(goal.name, url, off)
        if goal.kind == "model":
            return _lacks_model(goal.name, url, loading, settled=settled)
        ask.get(url, "/v1/health", timeout_s=_LIMIT_S)
        if goal.kind == "settled":
            waited_for = [row for row in provider_health(url, timeout_s=3 * _LIMIT_S) if row["status"] == "loading"]
            return f"loading: {', '.join(row['provider_id'] for row in waited_for)}" if waited_for else None
    except _Never:
        raise
    except Failure as failure:
        if failure.code not in (ExitCode.UNHEALTHY, ExitCode.NETWORK):
            raise
        return None if goal.kind == "stopped" and failure.code == ExitCode.UNHEALTHY else failure.message
    return "it answers" if goal.kind == "stopped" else None


def _lacks_provider(name: str, url: str, off: Sequence[dict[str, Any]]) -> str | None:
    rows = provider_health(url, timeout_s=3 * _LIMIT_S)
    meant = [row for row in rows if name in (row["provider_id"], f"{row['api']}/{row['provider_id']}")]
    if not meant:
        message = f"no provider `{name}` is on at {url}"
        for provider in off:
            if name in (provider["provider_type"], str(provider["provider_type"]).rpartition("::")[2]):
                variables = ", ".join(map(str, provider["variables"]))
                raise _Never(message, hint=f"it is off: set {variables} and restart the server")
        raise Failure(message, hint=names_for(name, [row["provider_id"] for row in rows]), code=ExitCode.USAGE)
    for row in meant:
        if row["status"] == "needs_key":  # which nothing brings about while it runs
            raise _Never(f"`{name}` serves only who brings a key: {row['message']}")
        if row["status"] in ("error", "loading"):
            return _how(row)
    return None


def _lacks_model(name: str, url: str, loading: Sequence[str], *, settled: bool) -> str | None:
    try:
        model = ask.get(url, f"/v1/models/{quote(name)}", timeout_s=3 * _LIMIT_S)
    except ask.Refusal as refusal:
        if refusal.status not in (400, 404):
            raise
        if refusal.status == 400:  # it means several
            raise Failure(refusal.message, hint=refusal.hint, code=ExitCode.USAGE) from refusal
        return _may_list(name, url, settled=settled)
    owner = model.get("provider_id") if isinstance(model, dict) else None
    return f"loading: {owner}" if owner in loading or f"inference/{owner}" in loading else None


def _may_list(name: str, url: str, *, settled: bool) -> str:
    """Who may list a model yet that nobody serves now. Raises Failure (USAGE) where nobody is left to."""
    rows = provider_health(url, timeout_s=3 * _LIMIT_S)
    coming = [row for row in rows if row["api"] == "inference" and row["status"] in ("loading", "error")]
    models = served_models(url, timeout_s=3 * _LIMIT_S)  # after that: who has come up meanwhile has listed it
    if settled and not coming and find(name, models) is None:
        raise unknown_model(name, models)
    return "; ".join(["no provider lists it yet", *map(_how, coming)])


def _how(provider: dict[str, Any]) -> str:
    """One that does not serve now, in words."""
    how = "is loading" if provider["status"] == "loading" else "does not work"
    return f"`{provider['provider_id']}` {how}" + (f": {provider['message']}" if provider["message"] else "")
