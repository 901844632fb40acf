"""What other programs say to us, and what they cannot take from us."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llama_cli.packages import build
from llama_cli.packages.environment import Environment
from llama_cli.packages.source import Choice, Source
from llama_cli.programs import answer_of

NOISY = """#!/bin/sh
printf 'caf\\351\\n' >&2
cat
echo '{"failures": []}'
"""


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Writes what is no UTF-8, and all of its standard input."""
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(NOISY)
    program.chmod(0o700)
    return program


def test_a_library_that_writes_other_bytes_breaks_no_build(noisy: Path, tmp_path: Path) -> None:
    source = Source(name="mine", folder=tmp_path, run_yaml=tmp_path / "run.yaml", text="text", origin="mine")
    made = Environment(tmp_path)
    assert made.python == noisy
    locked: Any = SimpleNamespace(digest="d")
    seconds = [build._check(source, Choice(target="mine"), "text", made, locked, {}) for _ in range(2)]
    assert (seconds[0] > 0, seconds[1]) == (True, 0)


def test_another_program_reads_nothing_of_ours(noisy: Path) -> None:
    asks = f"from llama_cli.programs import answer_of; print(answer_of([{str(noisy)!r}], limit_s=20).stdout)"
    done = subprocess.run([sys.executable, "-c", asks], input="ours", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '{"failures": []}'


def test_a_program_that_does_not_end_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        answer_of(["sleep", "60"], limit_s=0.05)
