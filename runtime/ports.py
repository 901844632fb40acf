"""Whether a port of this machine is free, and who listens on it. Standard library only, since the command line imports
it.
"""

from __future__ import annotations

import errno
import socket
from pathlib import Path

TAKEN_HINT = "choose another with --port, or --port 0"


def bound(host: str, port: int, *, backlog: int | None = None) -> socket.socket:
    """A socket that has the port. backlog: it also listens. Raises OSError where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        if backlog is not None:
            made.listen(backlog)
    except OSError:
        made.close()
        raise
    return made


def in_use(host: str, port: int) -> str:
    """That a port is taken, in words, with the process that has it where that can be known."""
    by = holder_of(port)
    return f"port {port} on {host} is in use{f' by {by}' if by else ''}"


def taken(host: str, port: int) -> str | None:
    """That another process has the port, in words; None where it is free, or something else is wrong with it."""
    try:
        bound(host, port).close()
    except OSError as error:
        return in_use(host, port) if error.errno == errno.EADDRINUSE else None
    return None


def holder_of(port: int) -> str | None:
    """The process that listens on a port, as `name (pid N)`; None if /proc does not show it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            return None
        for line in lines:
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None
