"""A real Chroma server, a tenant's database for each folder."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from runtime.conformance.vector_io.subject import Kind, Subject, adapter
from tests.conformance.vector_io.subject import built_in
from tests.support.stack_home import reserved_port

_LIMIT_S = 60.0
SPEC = built_in("remote::chromadb")


@contextmanager
def started(folder: Path) -> Iterator[Subject]:
    databases: dict[Path, str] = {}
    with reserved_port() as port, (folder / "log").open("wb") as log:
        command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--host", "127.0.0.1"]
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=subprocess.STDOUT)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_it_answers(url, process, folder / "log")

            def config(place: Path) -> dict[str, Any]:
                if place not in databases:
                    databases[place] = f"tests_{len(databases)}"
                    body = msgspec.json.encode({"name": databases[place]})
                    headers = {"content-type": "application/json"}
                    made = f"{url}/api/v2/tenants/default_tenant/databases"
                    urllib.request.urlopen(urllib.request.Request(made, body, headers)).close()
                return {"url": url, "database": databases[place]}

            with reserved_port() as nobody:
                yield Subject(
                    spec=SPEC,
                    config=config,
                    broken=lambda place: adapter(SPEC, {"url": f"http://127.0.0.1:{nobody}"}, place),
                )
        finally:
            process.kill()
            process.wait(_LIMIT_S)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/api/v2/heartbeat", timeout=1).close()
            return
        except OSError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError(f"Chroma did not start: {log.read_text()[-2000:]}")


KIND = Kind(spec=SPEC, start=started, abilities=frozenset())
