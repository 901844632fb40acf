"""A Ray cluster of one machine, in processes of its own that listen on this machine alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.descendants import descendants
from tests.support.mcp_server import free_port

START_S, END_S = 150.0, 15.0
TOKEN = "the-token-of-the-tests-own-cluster"
_OBJECTS_BYTES = 100_000_000
_SAYS_IT_IS_UP = b"block forever"


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """port: for clients. pid: of the process that has started all others."""

    port: int
    pid: int

    def processes(self) -> list[psutil.Process]:
        return descendants(self.pid)


@contextmanager
def ray_cluster(cpus: int = 2) -> Iterator[RayCluster]:
    """A new one, which wants `TOKEN`. It takes up to half a minute to start."""
    port, client_port = free_port(), free_port()
    settings = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "10",  # of 30: now and then a client is in vain
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # otherwise a loopback address is replaced by that of a network
    }
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:  # sockets have short paths
        said = Path(folder, "said")
        command = [
            *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--include-dashboard", "false"),
            *("--node-ip-address", "127.0.0.1", "--port", str(port), "--ray-client-server-port", str(client_port)),
            *("--min-worker-port", "0", "--max-worker-port", "0", "--num-cpus", str(cpus), "--num-gpus", "0"),
            *("--object-store-memory", str(_OBJECTS_BYTES), "--temp-dir", folder, "--disable-usage-stats"),
        ]
        with said.open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **settings}, start_new_session=True
            )
        try:
            _wait(process, said, client_port)
            yield RayCluster(port=client_port, pid=process.pid)
        finally:
            _end(process)


def _wait(process: subprocess.Popen[bytes], said: Path, port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if _SAYS_IT_IS_UP in said.read_bytes() and _listens(port):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            break
    raise AssertionError(f"Ray has not started: {said.read_text()[-2000:]}")


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the processes that it has started too, in the order in which Ray does."""
    below = descendants(process.pid) if process.poll() is None else []
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    process.kill()
    process.wait()
    for left in psutil.wait_procs(below, 5)[1]:
        left.kill()
