"""`llama stack eval` at a real server: its examples, a drawing, and a person who leaves while it goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.upstream import upstream_server
from tests.conformance.eval.asking import MODEL, Held, Repeating
from tests.support.command_tree import EVERYTHING
from tests.support.eval_process import running
from tests.support.server_process import ServerProcess
from tests.support.stack_home import TREE, clean_environment

pytestmark = pytest.mark.e2e
LIMIT_S = 60.0
CASES = [
    {"id": f"case-{number}", "category": f"{number % 2}", "input": f"Say {number}", "expected": f"{number}"}
    for number in range(12)
]
SUITE = {"model": MODEL, "scoring_functions": ["basic::equality", "basic::subset_of"]}


class Commands:
    """Command lines in a folder, which ask a server."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.folder = folder
        self._environment = clean_environment() | {
            "LLAMA_STACK_URL": server.url,
            "LLAMA_HOME": str(folder / "home"),
            "PYTHONPATH": str(TREE),
        }
        for name, suite in {"capitals": {**SUITE, "cases": CASES}, "likeness": SUITE}.items():
            (folder / f"{name}.yaml").write_text(json.dumps(suite))

    async def begun(self, line: str) -> Process:
        """A line of a shell."""
        command = f'llama() {{ {sys.executable} -m llama_cli.main "$@"; }}; {line}'
        return await asyncio.create_subprocess_shell(
            command, cwd=self.folder, env=self._environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )

    async def __call__(self, line: str) -> tuple[int, str, str]:
        process = await self.begun(line)
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def commands(vendor: Any, folder: Path) -> AsyncIterator[Commands]:
    folder.joinpath("work").mkdir()
    async with upstream_server() as upstream, running(upstream, folder / "server") as server:
        upstream.misbehaves = vendor
        yield Commands(server, folder / "work")


async def test_its_examples_work(tmp_path: Path) -> None:
    nodes = [node for node in EVERYTHING if node.path.startswith("llama stack eval")]
    examples = list(dict.fromkeys(example for node in nodes for example in node.command.examples))
    order = ["--model", "run likeness", "run capitals", "ls", "show last --json >", "show", "compare"]
    examples.sort(key=lambda line: next((at for at, part in enumerate(order) if part in line), len(order)))
    async with commands(Repeating(), tmp_path) as run:
        asked = {"model": MODEL, "messages": [{"role": "user", "content": "Say 3"}]}
        assert (await run(f"llama api POST /v1/chat/completions --data '{json.dumps(asked)}'"))[0] == 0
        for example in examples:
            if "cancel" not in example:
                code, _, err = await run(example.replace("SmolLM2-135M-Instruct", MODEL))
                assert (code, "Traceback" in err) == (0, False), f"{example}: {err}"
        code, found, _ = await run("llama stack eval ls --json")
        assert code == 0 and [one["benchmark_id"] for one in json.loads(found)] == [
            "eval-capitals",
            "eval-likeness",
            "eval-capitals",
            "eval-capitals",
        ]


async def test_a_worse_model_is_held_back_and_drawn(tmp_path: Path) -> None:
    vendor = Repeating()
    async with commands(vendor, tmp_path) as run:
        assert (await run("llama stack eval capitals.yaml -q"))[0] == 0
        vendor.wrong = {case["input"] for case in CASES[:8]}
        reports = "--plot plot.png --markdown report.md --junit junit.xml"
        code, _, err = await run(f"llama stack eval capitals.yaml --baseline last {reports}")
        assert code == 9 and "`basic::equality` went from 1.000 to 0.333 (p = 0.008): `case-0`, `case-1`" in err
        assert (run.folder / "plot.png").read_bytes().startswith(b"\x89PNG")
        assert "![Scores by category](plot.png)" in (run.folder / "report.md").read_text()
        code, versions, _ = await run("llama api GET /v1beta/datasetio/versions/eval-capitals")
        assert code == 0 and len(json.loads(versions)["data"]) == 1, "the same cases are no new version"


@pytest.mark.parametrize(("sent", "code_of_end"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_whoever_leaves_is_told_that_it_goes_on(tmp_path: Path, sent: int, code_of_end: int) -> None:
    held = Held(free=2)
    async with commands(held, tmp_path) as run:
        left = await run.begun(
            "exec python -m llama_cli.main stack eval capitals.yaml".replace("python", sys.executable)
        )
        await held.until(3)
        left.send_signal(sent)
        async with asyncio.timeout(LIMIT_S):
            _, err = await left.communicate()
        assert left.returncode == code_of_end and b"the run goes on without you: `" in err and b"Traceback" not in err
        _, ids, _ = await run("llama stack eval ls -q")
        code, _, err_of_show = await run(f"llama stack eval show {ids.strip()} -q")
        assert code == 1 and "is in_progress" in err_of_show
        assert (await run(f"llama stack eval cancel {ids.strip()}"))[0] == 0
        held.let()
        assert (await run(f"llama stack eval cancel {ids.strip()}"))[0] == 5
