"""The log of a command's server, for whoever wonders why the command has failed: its last warnings, or a copy of it.

Knows how a server's log is read. Decides nothing about when.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Literal

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import log
from llama_cli.servers.process import ManagedServer
from llama_cli.servers.starting import LAST_LINES
from llama_cli.terminal import console
from runtime.config.user_file import UserFile

Logs = Literal["failure", "always", "never"]
"""When a server's log is shown beside its command: afterwards where that failed, as it is written, or not at all."""


def show_warnings(server: ManagedServer, server_id: str, *, since: datetime) -> None:
    """The last warnings and worse that it has logged since, with what it wrote outside of its log."""
    warnings = deque(log.follow(server.log_file, log.Wanted(since=since, level="warning")), maxlen=LAST_LINES)
    lines = [*map(log.describe, warnings), *log.last_lines(server.error_file, LAST_LINES)][-LAST_LINES:]
    said = "the last warnings of" if lines else "no warnings in"
    console.say("\n  ".join([f"{said} the log of `{server_id}`, {server.log_file}", *lines]))


def copy(log_file: Path, file: UserFile, *, since: datetime) -> None:
    """Write what it has logged since to a file of the user's. Raises Failure where that fails."""
    try:
        file.write(log.lines(log_file, log.Wanted(since=since)))
    except OSError as error:
        code = ExitCode.ACCESS if isinstance(error, PermissionError) else ExitCode.FAILED
        raise Failure(f"cannot write the log to {file.name}: {error.strerror}", code=code) from error
