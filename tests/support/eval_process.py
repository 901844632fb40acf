"""A server with evaluations as a process, and how they are asked for over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from runtime.conformance.upstream import Upstream
from tests.support.server_process import ServerProcess, running_server
from tests.support.stacks import openai_at

LIMIT_S = 60.0
AT = "/v1alpha/eval/benchmarks/numbers"
EQUAL = "basic::equality"
Json = dict[str, Any]


def running(vendor: Upstream, folder: Path, **config: Any) -> AbstractAsyncContextManager[ServerProcess]:
    """A server. config: of its evaluations."""
    providers = {
        "inference": [openai_at(vendor.url)],
        "datasetio": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "scoring": [{"provider_id": "basic", "provider_type": "inline::basic"}],
        "eval": [{"provider_id": "meta-reference", "provider_type": "inline::meta-reference", "config": config}],
    }
    return running_server({"version": 2, "distro_name": "evaluations", "providers": providers}, folder, said="serving")


async def begun(server: ServerProcess, rows: list[Json], model: str) -> str:
    """The path of a run of a new benchmark of these rows."""
    facts = {"dataset_id": "numbers", "purpose": "eval/question-answer", "source": {"type": "rows", "rows": rows}}
    benchmark = {"benchmark_id": "numbers", "dataset_id": "numbers", "scoring_functions": [EQUAL]}
    config = {"benchmark_config": {"eval_candidate": {"type": "model", "model": model}}}
    job: Json = {}
    for path, body in (("/v1beta/datasets", facts), (AT.rpartition("/")[0], benchmark), (f"{AT}/jobs", config)):
        status, job = await server.ask("POST", path, json=body)
        assert status == 200, job
    return f"{AT}/jobs/{job['job_id']}"


async def once(server: ServerProcess, path: str, *, done: int = 0, is_ended: bool = False) -> Json:
    """The run, once so many rows are done, or it has ended."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            _, job = await server.ask("GET", path)
            if job["progress"]["done"] >= done and (job["ended_at"] is not None or not is_ended):
                found: Json = job
                return found
            await asyncio.sleep(0.02)
