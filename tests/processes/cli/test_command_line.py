"""What a command line does with other processes: it asks git, leaves a reader that has gone, prepares a start."""

from __future__ import annotations

import platform
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from llama_cli.stack import list_apis
from runtime import __version__
from tests.support.command_runner import Cli
from tests.support.schemas import conform


def test_version_as_json_says_what_runs_here(cli: Cli) -> None:
    lock = cli.home / "distributions" / "mine" / "pylock.toml"
    lock.parent.mkdir(parents=True)
    lock.write_text("locked")
    facts = cli("--version", "--json").json()
    assert facts["locks"] == {"mine": sha256(b"locked").hexdigest()}
    conform(facts, "version")
    assert (facts["version"], facts["python"]) == (__version__, platform.python_version())
    tree = Path(list_apis.__file__).parents[2]
    if (tree / ".git").exists():
        asked = subprocess.run(
            ["git", "-C", str(tree), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        assert facts["commit"] == asked.stdout.strip()


def test_a_closed_pipe_ends_quietly(cli: Cli) -> None:
    # More than a pipe holds, so that the writer is still writing when its reader has gone.
    script = "from llama_cli import main\nfrom llama_cli.stack import list_apis\n"
    script += "from runtime import discovery\nfrom runtime.discovery import ApiSummary\n"
    script += "rows = [ApiSummary(api='x' * 90, summary='y', providers=1)] * 20000\n"
    script += "discovery.api_summaries = lambda: rows\nimport sys\nsys.exit(main.run(['stack', 'list-apis']))\n"
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stdout is not None and writer.stderr is not None
    assert writer.stdout.readline() == "x" * 90 + "\t1\ty\n"
    writer.stdout.close()
    assert writer.stderr.read() == ""
    assert writer.wait() == 0
    writer.stderr.close()


def test_a_file_that_is_gone_is_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "run.yaml"
    file.write_text("version: 2\ndistro_name: mine\napis: [inspect]\nproviders: {}\n")
    cli("stack", "build", "--config", "run.yaml", "--no-install")
    file.unlink()
    for words in (["run", "mine"], ["run", "mine", "--dry-run"], ["show", "mine"], ["build", "mine"]):
        result = cli("stack", *words)
        assert (result.code, f"`mine` was built from `{file}`, and that file is gone" in result.err) == (2, True), words
    assert "mine" in cli("stack", "list", "-q").out.splitlines()
