"""A real PgBouncer in front of a PostgreSQL server, that pools transactions. https://www.pgbouncer.org/config.html"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.postgres import PostgresServer
from tests.support.stack_home import reserved_port

_LIMIT_S = 30.0


@contextmanager
def pgbouncer(server: PostgresServer) -> Iterator[int]:
    """Its port. Skips where it is not installed."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("there is no PgBouncer: install Debian's `pgbouncer`")
    folder = server.folder.parent
    with reserved_port() as port:
        users, settings = folder / "users", folder / "pgbouncer.ini"
        users.write_text('"postgres" ""\n')
        lines = ["[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]", "listen_addr = 127.0.0.1"]
        lines += [f"listen_port = {port}", "unix_socket_dir =", "auth_type = trust", f"auth_file = {users}"]
        settings.write_text("\n".join([*lines, "pool_mode = transaction", ""]))
        for file in (users, settings):
            file.chmod(0o644)
        process = subprocess.Popen(
            [program, "-q", str(settings)], user=server.user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(int(_LIMIT_S * 20)):
                with socket.socket() as client:
                    if client.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert not _ended(process, 0.05), f"PgBouncer ended with {process.returncode}"
            yield port
        finally:
            process.terminate()
            process.wait(_LIMIT_S)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
