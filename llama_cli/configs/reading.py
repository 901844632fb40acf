"""A sign of life for commands that read run configs and print them: what reads them takes a while to be imported."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

from llama_cli.terminal import console
from llama_cli.terminal.progress import waiting
from runtime.config.text import as_meant, is_stdin, shown


def while_reading(*names: str | None) -> AbstractContextManager[None]:
    """Shown on a terminal for as long as the block runs, unless a person types one of them there meanwhile. The block
    imports what it needs. names: of files and templates as the user gave them.
    """
    given = [as_meant(name) for name in names if name is not None]
    if console.is_terminal(sys.stdin) and any(is_stdin(name) for name in given):
        return nullcontext()
    return waiting(f"reading {', '.join(f'`{shown(name)}`' for name in given)}")
