"""Show the log of a server, also of one that has ended."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Level, LocalUrl, ServerName, one_server, parse_duration
from llama_cli.terminal import console
from runtime.clock import local_now, utc_now
from runtime.errors import NotFound


def command(
    name: ServerName = None,
    url: LocalUrl = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the server ends.")] = False,
    since: Annotated[
        float | None,
        typer.Option(help="Only the last stretch of time, as in `10m`.", metavar="DURATION", parser=parse_duration),
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Only this level and worse.", case_sensitive=False)] = None,
    request: Annotated[str | None, typer.Option(help="Only this request, by its id.", metavar="ID")] = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", help="Only the last lines.", min=0)] = None,
    json: Json = False,
) -> None:
    """Show the log of a server. With --json, one object a line, as the server wrote it.

    Examples:
      llama stack logs starter --tail 50
      llama stack logs starter -f --level warning
      llama stack logs starter --request req_4711 --json
    """
    from pathlib import Path

    from llama_cli.servers import log, named, records

    path, log_file = None, None
    name = one_server(name, url)
    try:
        record = named.find(name, or_crashed=True)
    except named.Elsewhere:
        raise
    except NotFound:
        # A start that never became ready has a log and no record.
        log_file = log.left_behind(name) if name else None
        if log_file is None:
            raise
    else:
        path, log_file = record.path, Path(record.log_file or "")
        if record.log_file is None or not (log_file.exists() or record.alive):
            raise Failure(f"`{record.id}` has no log", hint=record.reason)

    def is_running() -> bool:
        now = records.read(path) if path is not None else None
        return now is not None and now.alive and console.is_read()

    # No log is older than 31 years, and a time can be longer than the calendar.
    begin = None if since is None else utc_now() - timedelta(seconds=min(since, 1e9))
    wanted = log.Wanted(since=begin, level=level, request_id=request)
    skipped = 0 if tail is None else max(0, sum(1 for _ in log.follow(log_file, wanted)) - tail)
    entries = log.follow(log_file, wanted, is_running=is_running if follow else lambda: False)
    try:
        _print(islice(entries, skipped, None), json=json)
    except KeyboardInterrupt:
        if not follow:
            raise
        raise typer.Exit(ExitCode.INTERRUPTED) from None  # the way to leave, so nothing went wrong


def _print(entries: Iterable[Mapping[str, Any]], *, json: bool) -> None:
    from llama_cli.servers import log

    is_first = True
    for entry in entries:
        if is_first and not json and console.is_terminal(sys.stderr):
            is_first = False
            console.say(f"times are local, {_zone()}")
        if json:
            console.event(entry)
        else:
            console.out(log.describe(entry))


def _zone() -> str:
    """`UTC+02:00`"""
    offset = local_now().strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"
