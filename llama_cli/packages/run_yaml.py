"""The run.yaml of a distribution: rendered, piped in, or the user's own file, and when ours may be replaced.

    distributions/<name>/run.yaml     ours to write, then the user's: an edited one is never overwritten
                        .rendered     digest of what we wrote last, by which an edit is noticed
                        .source       instead of a run.yaml: the path of the user's file that it was built from

Knows nothing of packages, nor what is in a run config.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from runtime.config.home import SOURCE, atomic_write
from runtime.config.text import is_stream, read_text
from runtime.errors import Conflict

if TYPE_CHECKING:
    from llama_cli.packages.source import Source

_MARK = ".rendered"


def will_hold(source: Source, *, force: bool = False) -> str:
    """The text of its run.yaml once it is built. Writes nothing.

    force: also in place of what the user has edited. Raises Conflict where that keeps what was piped in from its place,
    Failure where something stands there that is no file.
    """
    if source.text is None:
        return read_text(source.run_yaml, what="run config")
    if is_stream(str(source.run_yaml)):
        raise Failure(
            f"`{source.run_yaml}` is no regular file, so it is neither read nor replaced",
            hint="remove it",
            code=ExitCode.CONFLICT,
        )
    if force or not source.run_yaml.exists():
        if not force:
            _refuse_to_hide(source)
        return source.text
    if source.run_yaml.read_bytes() == source.text.encode() or not is_edited(source.folder):
        return source.text
    if source.is_piped:
        raise Conflict(
            f"`{source.name}` has a run.yaml that was edited, and what was piped in is another",
            hint="give yours another `distro_name`, or keep a copy of that one: "
            "`llama stack build --config FILE --force`",
        )
    console.detail(f"{source.run_yaml} was edited and stays as it is; `llama stack build --force` renders it again")
    return read_text(source.run_yaml, what="run config")


def write(source: Source, text: str) -> bool:
    """Put `text`, as `will_hold` gave it, into the run.yaml that is ours to write; a copy of an edited one is kept.
    Returns whether anything was written.
    """
    file, mark, digest = source.run_yaml, source.folder / _MARK, _digest(text.encode())
    if source.text is None:
        return False
    if file.exists() and file.read_bytes() == text.encode():
        if text == source.text and is_edited(
            source.folder
        ):  # a build that was killed after it wrote the one, or by hand
            atomic_write(mark, digest + "\n")
        return False
    if file.exists() and is_edited(source.folder):
        copy = file.with_name(f"run.yaml.{time.strftime('%Y%m%dT%H%M%S')}.bak")
        file.replace(copy)
        console.say(f"the edited run.yaml is kept as {copy}")
    atomic_write(file, text)
    atomic_write(mark, digest + "\n")
    return True


def is_edited(folder: Path) -> bool:
    """Whether a distribution has a run.yaml of its own that is not as we have written it."""
    file = folder / "run.yaml"
    return file.is_file() and _digest(file.read_bytes()) != _text_of(folder / _MARK).strip()


def note(source: Source) -> bool:
    """Let the name of a distribution that is built from the user's own file lead there. Returns whether it is new."""
    if source.run_yaml.resolve().parent == source.folder.resolve():
        return False
    place, leads_to = source.folder / SOURCE, f"{source.run_yaml}\n"
    if _text_of(place) == leads_to:
        return False
    atomic_write(place, leads_to)
    return True


def _refuse_to_hide(source: Source) -> None:
    """A copy of what was piped in would stand in the way of the file that the name leads to."""
    leads_to = _text_of(source.folder / SOURCE).rstrip("\n")
    if source.is_piped and leads_to:
        raise Conflict(
            f"`{source.name}` was built from `{leads_to}`, and what was piped in would take its name",
            hint="name that file, or give what you pipe in another `distro_name`",
        )


def _text_of(note: Path) -> str:
    """Of a small file of ours; empty where it is not there."""
    try:
        return os.fsdecode(note.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
