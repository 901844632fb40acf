"""Show the log of a server, also of one that has ended, or never became ready."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from llama_cli import console
from llama_cli.console import Failure
from llama_cli.options import Json, parse_duration
from runtime.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from llama_cli.servers.records import Record


def command(
    name: Annotated[
        str | None, typer.Argument(help="The server; may be left out where only one runs.", show_default=False)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the server ends.")] = False,
    since: Annotated[
        float | None,
        typer.Option(
            help="Only the last stretch of time, as in `10m`.",
            metavar="DURATION",
            parser=parse_duration,
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option(help="Only this level and worse: debug, info, warning, error, critical.", show_default=False),
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="Only this request, by its id.", metavar="ID", show_default=False)
    ] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", help="Only the last lines.", min=0, show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show the log of a server. With --json, one object a line, as the server wrote it.

    Examples:
      llama stack logs starter --tail 50
      llama stack logs starter -f --level warning
      llama stack logs starter --request req_4711 --json
    """
    from llama_cli.servers import log as server_log

    least = server_log.checked_level(level, option="--level")
    record, log_file = _log_of(name)
    wanted = server_log.Wanted(
        since=_before_now(since) if since is not None else None,
        level=least,
        request_id=request,
    )
    show = console.event if json else lambda entry: console.out(server_log.describe(entry))
    if not follow:
        entries = server_log.read(log_file, wanted)
        for entry in entries if tail is None else entries[max(0, len(entries) - tail) :]:
            show(entry)
        return
    old = len(server_log.read(log_file, wanted)) - tail if tail is not None else 0
    for number, entry in enumerate(server_log.follow(log_file, wanted, is_running=lambda: _is_running(record))):
        if number >= old:
            show(entry)


def _before_now(seconds: float) -> datetime | None:
    """None for longer than there are years."""
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds)
    except OverflowError:
        return None


def _log_of(name: str | None) -> tuple[Record | None, Path]:
    """A server with its log; without a record, the log of a start that never became ready."""
    from pathlib import Path

    from llama_cli.servers import log as server_log
    from llama_cli.servers import records

    try:
        record = records.find(name, or_crashed=True)
    except NotFound:
        left = server_log.left_behind(name) if name else None
        if left is None:
            raise
        return None, left
    log_file = Path(record.log_file or "")
    if record.log_file is None or not (log_file.exists() or record.alive):
        raise Failure(f"`{record.id}` has no log", hint=record.reason)
    return record, log_file


def _is_running(record: Record | None) -> bool:
    from llama_cli.servers.records import read

    now = read(record.path) if record is not None else None
    return now is not None and now.alive
