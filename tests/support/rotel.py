"""A real OpenTelemetry collector on free ports: Rotel, from PyPI's `rotel`. https://github.com/streamfold/rotel

It takes OTLP over HTTP and gRPC, and passes on what it took to another collector. Where it is not installed, what needs
it is skipped with the reason.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stack_home import reserved_port

_LIMIT_S = 20.0


@dataclass(frozen=True)
class Rotel:
    """http, grpc: addresses. log: what it says, with all that it took."""

    http: str
    grpc: str
    log: Path


def program() -> Path:
    """Skips the test where there is none."""
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        pytest.skip("there is no OpenTelemetry collector: install `rotel` from PyPI")
    return Path(found.origin).with_name("rotel-agent")


@contextmanager
def rotel(folder: Path, passes_on_to: str) -> Iterator[Rotel]:
    """A running one. passes_on_to: the address of a collector that takes OTLP over HTTP."""
    with reserved_port() as http, reserved_port() as grpc:
        log, options = (
            folder / "rotel.log",
            {
                "otlp-http-endpoint": f"127.0.0.1:{http}",
                "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
                "exporter": "otlp",
                "otlp-exporter-endpoint": passes_on_to,
                "otlp-exporter-protocol": "http",
                "debug-log": "traces",
                "debug-log-verbosity": "detailed",
                "batch-timeout": "20ms",
                "log-file": str(folder / "agent.log"),
                "pid-file": str(folder / "agent.pid"),
            },
        )
        command = [str(program()), "start", *(f"--{name}={value}" for name, value in options.items())]
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, cwd=folder)
        try:
            for port in (http, grpc):
                _wait_for(port, process, log)
            yield Rotel(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}", log)
        finally:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(int(_LIMIT_S * 20)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    raise AssertionError(f"Rotel did not start: {log.read_text()[-2000:]}")
