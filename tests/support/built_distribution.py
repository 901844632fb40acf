"""A distribution that looks built: what its interpreter is asked, that of these tests answers, with its packages."""

from __future__ import annotations

import sys
from pathlib import Path


def built_distribution(home: Path, name: str, run_yaml: str | None = None) -> Path:
    """Make it in a Llama home. Returns its folder, in which `state` is there and empty."""
    folder = home / "distributions" / name
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / "state").mkdir()
    if run_yaml is not None:
        (folder / "run.yaml").write_text(run_yaml)
    return folder
