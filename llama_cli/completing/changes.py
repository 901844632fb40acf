"""Writes what a shell reads to complete `llama`, or takes it away, and says what that changed."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from pathlib import Path

from llama_cli.completing.places import place_of, shell_of
from llama_cli.completing.tree import tree
from llama_cli.terminal import console
from runtime.config.home import atomic_write


def change(shell: str | None, *, installed: bool, dry_run: bool) -> None:
    """Bring a shell's files to what they should be, and print it. Raises Failure for a shell that we do not know."""
    place = place_of(shell_of(shell, os.environ), os.environ)
    changes = place.changes(installed=installed)
    if not dry_run:
        for path, text in changes.items():
            if text is None:
                path.unlink()
            else:
                _write(path, text)
        if installed:
            tree(keeps=True)  # so that the first key is answered at once
    if console.settings.json:
        paths = [str(path) for path in place.wanted(installed=installed)]
        facts = {"shell": place.shell, "installed": installed, "paths": paths}
        console.document({**facts, "changed": [str(path) for path in changes], "is_dry_run": dry_run})
        return
    for path in changes:
        console.row(path)
    if not changes:
        nothing = "nothing would change" if dry_run else "nothing has changed"
        console.say(f"{nothing}: completion for {place.shell} is {'' if installed else 'not '}installed")
        return
    is_now = "would be" if dry_run else "is"
    console.say(f"completion for {place.shell} {is_now} {'installed' if installed else 'removed'}")
    if installed and not dry_run:
        console.next_step(f"open a new {place.shell}, and press Tab after llama and a blank")
        here = Path(sys.argv[0])
        if shutil.which("llama") is None and here.name == "llama":
            link = shlex.quote(str(here.absolute()))
            console.hint(
                f"llama itself is not on PATH: `ln -s {link} ~/.local/bin/llama` puts it into a folder that often is"
            )


def _write(path: Path, text: str) -> None:
    """A start file keeps its mode, and a link stays one."""
    target = path.resolve()
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, text, mode=mode)
