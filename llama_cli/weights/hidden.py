"""Hidden folders beside the models, in which one is on its way in or out, so that none is ever found in part.

Who works in one holds it; what nobody holds was left by a process that was killed, and goes.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from llama_cli.exits import Failure
from llama_cli.weights.held import held
from llama_cli.weights.places import INCOMPLETE
from runtime.config.home import models_dir, private_folder


def hidden_folder(name: str) -> Path:
    """The path of a new one, which is not made."""
    return models_dir() / INCOMPLETE / f".{name}.{os.urandom(4).hex()}"


def discard(folder: Path) -> None:
    """Take a model's folder away, out of sight at once; of a link, the link. Raises OSError."""
    if folder.is_symlink():
        folder.unlink()
        return
    gone = hidden_folder(folder.name)
    private_folder(gone.parent)
    folder.rename(gone)
    shutil.rmtree(gone)


def sweep() -> None:
    """Take away what was left behind."""
    with suppress(OSError):
        for folder in (models_dir() / INCOMPLETE).glob(".*"):
            with suppress(OSError, Failure), held(folder):
                shutil.rmtree(folder)
