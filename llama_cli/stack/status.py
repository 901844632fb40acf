"""Say how a server is, and what is wrong with which provider."""

from __future__ import annotations

from typing import Any

import typer

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.options import Json, Quiet, ServerName


def command(name: ServerName = None, json: Json = False, quiet: Quiet = False) -> None:
    """Say how a server is, and explain what is degraded. The exit code is 0 when it is ready, 7 when it is
    not, or only in part.

    Examples:
      llama stack status starter
      llama stack status starter --json
    """
    from llama_cli.servers import ask, records
    from llama_cli.servers.ready import provider_health
    from runtime.stdio import one_line

    record = records.find(name, or_crashed=True)
    state, reason = record.seen_state, record.explanation
    providers: list[dict[str, Any]] = []
    if state in records.HEALTHY and record.url:
        try:
            ask.get(record.url, "/v1/health", timeout_s=5)
            providers = provider_health(record.url, timeout_s=15)
        except Failure as failure:
            now = records.read(record.path) or record
            # It can have ended since its record was read.
            state, reason = ("unreachable", failure.message) if now.alive else (now.seen_state, now.explanation)
    awaited = [provider["provider_id"] for provider in providers if provider["status"] == "loading"]
    if awaited and reason is None:
        # They can have come and gone between the record and the answer.
        reason = f"loading: {', '.join(awaited)}"
    if state == "ready" and any(provider["status"] == "error" for provider in providers):
        state = "degraded"
    if json:
        facts = {"state": state, "reason": reason, "load_timeout_s": record.load_timeout_s, "providers": providers}
        console.document(record.summary() | facts)
    elif quiet:
        console.out(state)
    else:
        uptime = console.duration(record.uptime_s) if record.uptime_s is not None else None
        lines = [f"{record.id} is {state}" + (f": {' '.join(reason.split())}" if reason else "")]
        for label, value in (("address", record.url), ("up for", uptime), ("log", record.log_file)):
            lines += [f"  {label:8} {value}"] if value else []
        for provider in providers:
            mark = {"ok": "  ", "error": "! "}.get(provider["status"], "- ")
            message = f": {provider['message']}" if provider["message"] else ""
            lines.append(f"  {mark}{provider['api']} {provider['provider_id']} {provider['status']}{message}")
        for line in lines:
            # One line, whatever it says: nothing in it can pass for an address or another provider.
            console.out(one_line(line))
        if state not in records.HEALTHY:
            console.hint(f"see `llama stack logs {record.id}`, then `llama stack restart {record.id}`")
    if state != "ready":
        raise typer.Exit(ExitCode.UNHEALTHY)
