"""The commands of the README and of docs/guide, run in their order in a home of their own: a document that no longer
works is a failing test.

A block is left out by `<!-- not run: reason -->` on the line before it. Only the port is another than the pages',
since 8321 may be somebody else's.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.stack_home import TREE, Home

pytestmark = [pytest.mark.e2e, pytest.mark.smollm2]

_BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>sh|python)\n(?P<code>.*?)```", re.DOTALL)


class Block(NamedTuple):
    line: int
    language: str
    code: str
    not_run: str | None


def blocks(text: str) -> list[Block]:
    """Its code blocks in a language that can be run, in their order."""
    return [
        Block(text.count("\n", 0, found.start("code")), found["language"], found["code"], found["reason"])
        for found in _BLOCK.finditer(text)
    ]


def test_blocks_are_found_with_their_reasons() -> None:
    text = (
        "a\n```sh\none\n```\n<!-- not run: it waits -->\n```sh\ntwo\n```\n```toml\nx = 1\n```\n```python\nthree\n```\n"
    )
    assert blocks(text) == [
        Block(2, "sh", "one\n", None), Block(6, "sh", "two\n", "it waits"), Block(12, "python", "three\n", None),
    ]  # fmt: skip


PAGES = sorted((TREE / "docs/guide").glob("*.md"))


@pytest.mark.timeout(600)
def test_every_block_of_the_readme_runs(shell: Home, tmp_path: Path) -> None:
    """The README's from a bare home, then those of each page of the guide, while the README's server runs."""
    assert run_blocks(TREE / "README.md", shell, tmp_path) > 3
    for page in PAGES:
        assert shell("stack", "run", "starter", "--detach").code == 0
        run_blocks(page, shell, tmp_path)


def run_blocks(page: Path, shell: Home, folder: Path) -> int:
    """Run a page's blocks in their order; how many ran."""
    runnable = [block for block in blocks(page.read_text(encoding="utf-8")) if not block.not_run]
    for block in runnable:
        code = block.code.replace("8321", shell.environment["LLAMA_STACK_PORT"])
        command = ["sh", "-euc", code] if block.language == "sh" else [sys.executable, "-c", code]
        done = subprocess.run(
            command, cwd=folder, env=shell.environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=240,
        )  # fmt: skip
        said = f"{page}:{block.line}\n{block.code}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0 and '"error":' not in done.stdout, said
        # Data or words: a command that says nothing at all has not done what the page shows.
        assert done.stdout.strip() or done.stderr.strip(), said
    return len(runnable)


@pytest.mark.parametrize("page", ["README.md", *sorted(str(page.relative_to(TREE)) for page in PAGES)])
def test_a_link_leads_to_what_is_there(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", (TREE / page).read_text(encoding="utf-8")):
        assert ((TREE / page).parent / target).is_file(), f"{page} has a link to {target}"
