"""Which folder of recordings is meant. Opens none of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import recording_variables
from runtime.config.home import expanded
from runtime.recording.names import MANIFEST

USUAL = ("recordings", "tests/recordings")
"""Where recordings are looked for from where somebody is."""

RECORD = "record some: `llama stack exec starter --record {folder} -- pytest -q`"


class Place(NamedTuple):
    """path: of a folder, absolute; shown: as it was named."""

    path: Path
    shown: str


def place_of(given: str | None, *, sought: str | None = None) -> Place:
    """The folder that is named, or else the one that a variable of llama-stack names, or the usual one from here.
    sought: what is looked for in it; a file that is there tells the folder that it is in.

    Raises Failure (USAGE) where there is none.
    """
    if given is not None:
        return Place(_checked(given), given)
    if sought is not None and (file := expanded(sought)).is_file():
        above = file.absolute().parents
        whole = next((folder for folder in above if (folder / MANIFEST).is_file()), above[0])
        return Place(whole, str(whole))
    for name in recording_variables.FOLDER:
        if value := os.environ.get(name):
            return Place(_checked(value, f", as `{name}` says,"), value)
    for usual in USUAL:
        if Path(usual).is_dir():
            return Place(Path(usual).absolute(), usual)
    hint = f"name the folder, or {RECORD.format(folder=USUAL[0])}"
    where = f" that could have `{sought}`" if sought else ""
    raise Failure(f"there is no folder `{'` or `'.join(USUAL)}` here{where}", hint=hint, code=ExitCode.USAGE)


def _checked(given: str, origin: str = "") -> Path:
    path = expanded(given).absolute()
    if path.is_dir():
        return path
    what = "is no folder" if path.exists() else "is not there"
    hint = f"name the folder of the recordings, or {RECORD.format(folder=given)}"
    raise Failure(f"`{given}`{origin} {what}", hint=hint, code=ExitCode.USAGE)
