"""List the servers that run, with state, address and memory."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.options import Json, Quiet, Wide
from llama_cli.terminal import words
from llama_cli.terminal.tables import Column, listing


def command(
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also servers that have ended.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    wide: Wide = False,
) -> None:
    """List the servers that run. One that is gone without having been stopped shows as crashed.

    Examples:
      llama stack ps
      llama stack ps --all --json
    """
    from llama_cli.servers.records import ENDED, Record, records
    from llama_cli.servers.tidy import sweep

    def memory_bytes(record: Record) -> int | None:
        if not record.alive or record.pid is None:
            return None
        from llama_cli.servers import process_group  # with psutil, a third of what the rest costs

        return process_group.memory_bytes(record.pid)

    sweep()
    rows = [
        {**record.summary(), "memory_bytes": memory_bytes(record)}
        for record in records()
        if all_ or record.seen_state not in ENDED
    ]
    columns = [
        Column("id", "Name"),
        Column("state", "State"),
        Column("url", "Address"),
        Column("pid", "PID", spare=1),
        Column("version", "Version", spare=2),
        Column("uptime_s", "Uptime", show=words.duration, spare=1),
        Column("memory_bytes", "Memory", show=words.size, spare=1),
        Column("reason", "Reason", gives_way=True),
    ]
    listing(rows, columns, name="id", wide=wide, empty="no server is running; start one with `llama stack run starter`")
