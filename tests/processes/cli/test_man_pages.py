"""What mandoc, the strictest reader of man pages, says of ours."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.command_runner import Cli
from tests.support.command_tree import EVERYTHING


def test_man_pages_are_sound(cli: Cli) -> None:
    mandoc = shutil.which("mandoc")
    if mandoc is None:
        pytest.skip("mandoc is not installed")
    for node in EVERYTHING:
        page = cli("help", *node.words, "--format", "man").out
        checked = subprocess.run(
            [mandoc, "-Tlint", "-Wwarning"], input=page, capture_output=True, text=True, timeout=30, check=False
        )
        assert [line for line in checked.stdout.splitlines() if "missing date" not in line] == [], node.path
