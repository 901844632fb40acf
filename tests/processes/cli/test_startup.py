"""What a command line loads before it does anything: the light paths stay light."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import runtime.apis
from runtime import discovery
from scripts.bench.cli_budgets import ASKS, LINES
from tests.support.command_tree import COMMANDS
from tests.support.light_imports import FORBIDDEN
from tests.support.screen import on_a_terminal

FOR_SERVERS = {
    *("litestar", "uvicorn", "aiohttp", "httpx", "httpx2", "requests", "http.client", "asyncio", "websockets"),
    *("torch", "numpy", "transformers", "tokenizers", "openai", "uv"),
    *("sqlite3", "sqlalchemy", "psycopg", "asyncpg", "redis", "pymongo", "duckdb", "chromadb"),
}
"""Servers' libraries, engines, clients, and the drivers of databases."""
PLANS = [line for line in LINES if LINES[line].reads_config and {"starter", "mine"} & {*line.split()}]
APIS = Path(runtime.apis.__file__).parent
OF_FACTS = {
    f"runtime.apis.{name}"
    for name in (
        *("containers.limits", "files.limits", "vector_stores.configured"),
        *("shields.protocol", "tool_groups.protocol"),  # a plan makes entries of what providers have without being told
    )
}
"""Of APIs that are packages: bounds of settings, and the resources that run configs list."""


def run(arguments: list[str], home: Path) -> tuple[set[str], int]:
    """Modules that are loaded at the end, and the peak memory in MB (0 where `/proc` does not tell)."""
    # Not getrusage: its peak is inherited from the process that forked, which is pytest.
    script = (
        "import contextlib, json, pathlib, re, sys\n"
        "from llama_cli.entry import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main()\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', status.read_text()) if status.exists() else None\n"
        "sys.stderr.write('\\n' + json.dumps([sorted(sys.modules), int(peak[1]) // 1024 if peak else 0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"LLAMA_HOME": str(home)},
        check=True,
    )
    modules, peak = json.loads(done.stderr.splitlines()[-1])
    return set(modules), peak


@pytest.mark.parametrize("line", LINES)
def test_what_starts_nothing_loads_nothing_that_does(line: str, tmp_path: Path) -> None:
    modules, peak = run(shlex.split(line)[1:], tmp_path)
    if LINES[line].reads_config:
        assert "pydantic" in modules  # or it was a failure that came first
    forbidden = (
        FOR_SERVERS if LINES[line].reads_config else FORBIDDEN - {"jinja2"} if LINES[line].renders else FORBIDDEN
    )
    assert modules & forbidden == set()
    assert peak <= LINES[line].peak_mb


@pytest.mark.parametrize("line", PLANS)
def test_a_plan_is_made_of_facts_about_apis_without_their_protocols_and_models(line: str, tmp_path: Path) -> None:
    modules = run(shlex.split(line)[1:], tmp_path)[0]
    packages = {f"runtime.apis.{name}" for name in discovery.built_in().api_names if (APIS / name).is_dir()}
    assert packages <= modules
    inside = {name for name in modules if name.rpartition(".")[0] in packages}
    assert inside <= OF_FACTS, "facts, plans or settings import it: what these need of it belongs into a module apart"


@pytest.mark.parametrize("line", [line for line in LINES if LINES[line].reads_config])
def test_what_reads_a_run_config_says_so_on_a_terminal_before_it_loads_what_that_takes(
    line: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    command = [sys.executable, "-m", "llama_cli.entry", *shlex.split(line)[1:]]
    shown = on_a_terminal(command, environment | {"LLAMA_HOME": str(tmp_path)})
    assert re.match(r"\r\x1b\[K\S reading [^\n]+\r", shown.text), shown.text[:80]


def test_every_command_has_a_budget_or_asks_someone() -> None:
    paths = {node.path for node in COMMANDS}
    with_lines = {path for path in paths if any(line == path or line.startswith(f"{path} ") for line in LINES)}
    assert paths - with_lines == ASKS.keys(), "enter it in scripts/bench/cli_budgets.py"


def test_all_commands_together_load_nothing_heavy(tmp_path: Path) -> None:
    loaded = run(["help", "--json"], tmp_path)[0]
    assert {node.module for node in COMMANDS} <= loaded
    assert loaded & FORBIDDEN == set(), "import it inside the function of the command that needs it"


def test_help_loads_no_command_that_was_not_asked_for(tmp_path: Path) -> None:
    commands = {name for name in run(["stack", "--help"], tmp_path)[0] if name.startswith("llama_cli.stack.")}
    assert commands == set()
    commands = {name for name in run(["stack", "ps", "--help"], tmp_path)[0] if name.startswith("llama_cli.stack.")}
    assert commands == {"llama_cli.stack.ps"}


def test_help_on_a_terminal_has_colors_and_says_the_same(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100", "LLAMA_HOME": str(tmp_path)}
    shown = on_a_terminal([sys.executable, "-m", "llama_cli.main", "stack", "run", "--help"], environment)
    text = shown.text
    assert (shown.code, shown.has_colors) == (0, True)
    assert all(option in text for option in ("--detach", "--port", "--env", "Arguments:", "Options:"))
    assert "llama stack run starter --detach --env OPENAI_API_KEY" in text
