"""Say how a server is, and what is wrong with which provider."""

from __future__ import annotations

from typing import Any

import typer

from llama_cli.exits import ExitCode
from llama_cli.options import Json, Quiet, ServerName, Url, one_server
from llama_cli.terminal import console, words


def command(name: ServerName = None, url: Url = None, json: Json = False, quiet: Quiet = False) -> None:
    """Say how a server is, and explain what is degraded. The exit code is 0 when it is ready, 7 when it is
    not, or only in part.

    Examples:
      llama stack status starter
      llama stack status http://127.0.0.1:8321 --json
    """
    from llama_cli.servers import busyness, condition, records
    from runtime.stdio import one_line

    found = condition.of(one_server(name, url))
    record = found.record
    if json:
        facts: dict[str, Any] = {"state": found.state, "reason": found.reason, "load_timeout_s": record.load_timeout_s}
        facts["last_hour"] = record.last_hour if record.alive else None
        facts |= {"name": None} if found.is_elsewhere else {}
        console.document(record.summary() | facts | {"providers": found.providers})
    elif quiet:
        console.out(found.state)
    else:
        uptime = words.duration(record.uptime_s) if record.uptime_s is not None else None
        reason = " ".join(found.reason.split()) if found.reason else None
        lines = [f"{record.id} is {found.state}"]
        labelled = (
            ("reason", reason),
            ("address", None if found.is_elsewhere else record.url),
            ("up for", uptime),
            ("log", record.log_file),
            ("last h", busyness.line(record.last_hour) if record.alive else None),
        )
        for label, value in labelled:
            lines += [f"  {label:8} {value}"] if value else []
        for provider in found.providers:
            mark = {"ok": "  ", "error": "! "}.get(provider["status"], "- ")
            message = f": {provider['message']}" if provider["message"] else ""
            status = words.spelt(provider["status"])
            lines.append(f"  {mark}{provider['api']} {provider['provider_id']} {status}{message}")
        for line in lines:
            # One line, whatever it says: nothing in it can pass for an address or another provider.
            console.out(one_line(line))
        if found.state not in records.HEALTHY and not found.is_elsewhere:
            console.hint(f"see `llama stack logs {record.id}`, then `llama stack restart {record.id}`")
    if found.state != "ready":
        raise typer.Exit(ExitCode.UNHEALTHY)
