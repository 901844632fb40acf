"""A real Prometheus that scrapes a server of ours, for the tests that need one: Debian's `prometheus`.

Where none can be started, what needs it is skipped with the reason; `LLAMA_TEST_PROMETHEUS=off` plays such a machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.stack_home import reserved_port

VARIABLE = "LLAMA_TEST_PROMETHEUS"
_LIMIT_S = 30.0
_POLL_S = 0.2


@dataclass(frozen=True)
class Prometheus:
    url: str
    session: aiohttp.ClientSession

    async def find(self, query: str) -> list[dict[str, Any]]:
        """What PromQL finds now. Fails the test where the query is wrong."""
        async with self.session.get(f"{self.url}/api/v1/query", params={"query": query}) as answer:
            said = await answer.json()
        assert said["status"] == "success", (query, said)
        found: list[dict[str, Any]] = said["data"]["result"]
        return found

    async def targets(self) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.url}/api/v1/targets") as answer:
            found: list[dict[str, Any]] = (await answer.json())["data"]["activeTargets"]
        return found


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    """One that scrapes `target` twice a second, once it answers. target: host and port. Skips where there is none."""
    if os.environ.get(VARIABLE) == "off":
        pytest.skip(f"{VARIABLE}=off")
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("there is no Prometheus: install Debian's `prometheus`")
    jobs = [{"job_name": "llama-stack", "static_configs": [{"targets": [target]}]}]
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "500ms"}, "scrape_configs": jobs}))  # JSON is YAML
    with reserved_port() as port, (folder / "prometheus.log").open("wb") as log:
        listen = f"127.0.0.1:{port}"
        places = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={listen}"]
        process = subprocess.Popen([program, *places], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            async with aiohttp.ClientSession() as session:
                url = f"http://{listen}"
                until = time.monotonic() + _LIMIT_S
                while not await _is_ready(session, url):
                    if process.poll() is not None or time.monotonic() > until:
                        raise AssertionError((folder / "prometheus.log").read_text()[-2000:])
                    await asyncio.sleep(_POLL_S)
                yield Prometheus(url, session)
        finally:
            process.kill()
            process.wait()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
