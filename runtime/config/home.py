"""The root folder of everything we write: where distributions and server records are, and how files are written.

Knows folders and names. Of the files' contents it knows only `.source`, which leads from a name to a file. Imports only
the standard library, `text` and `runtime.errors`, since `--help` and listings import it.

    <home>/distributions/<name>/   run.yaml, or .source that names it; pylock.toml, .venv, state/, logs/
    <home>/servers/<id>.json       the record of a running server
    <home>/models/<name>/          a model that was downloaded or imported, with the checksums of its files
    <home>/cache/                  what can be made again: names for completion, compiled kernels

Only the owner may read it: folders that we make are 0700, files 0600.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from runtime.config.text import as_meant
from runtime.errors import RequestError, StackError

HOME_VARIABLES = ("LLAMA_HOME", "LLAMA_STACK_CONFIG_DIR", "OGX_CONFIG_DIR")
"""The variables that name the root folder. The first that is set and not empty is used; the last two are older names.
"""

SOURCE = ".source"
"""In a distribution's folder: the path of the user's file that it was built from."""

REPLAY = "replay"
"""In a distribution's folder: the lock and the environment of servers that replay."""

LOCK = "pylock.toml"
"""In a distribution's folder: the versions and hashes of its packages (PEP 751)."""

EXTERNAL = "providers.json"
"""In a distribution's folder: what its external packages bring, as its own interpreter has said it."""

NAME_HINT = "use up to 128 letters, digits, `.`, `_` and `-`, and begin with a letter or a digit"
"""What a distribution can be called."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def llama_home(env: Mapping[str, str] | None = None) -> Path:
    """The root folder as an absolute path; it may not exist yet. env: `os.environ` by default. Raises StackError if no
    variable is set and the user has no home folder.
    """
    variables = os.environ if env is None else env
    chosen = next((variables[name] for name in HOME_VARIABLES if variables.get(name)), "~/.llama")
    home = expanded(chosen)
    if home.parts[0].startswith("~"):
        raise StackError(
            f"there is no home folder, so `{chosen}` leads nowhere", hint=f"set `{HOME_VARIABLES[0]}` to a folder"
        )
    return home.absolute()


def expanded(path: str) -> Path:
    """A path as a user types it, with `~` expanded; `~` stays if there is no such user or no home folder."""
    return Path(as_meant(path))


def distributions_dir(env: Mapping[str, str] | None = None) -> Path:
    return llama_home(env) / "distributions"


def distribution_dir(name: str, env: Mapping[str, str] | None = None) -> Path:
    """The folder of one distribution. Raises RequestError for a name that cannot be the name of a folder."""
    if not is_distribution_name(name):
        raise RequestError(f"`{name}` cannot name a distribution", hint=NAME_HINT)
    return distributions_dir(env) / name


def servers_dir(env: Mapping[str, str] | None = None) -> Path:
    return llama_home(env) / "servers"


def models_dir(env: Mapping[str, str] | None = None) -> Path:
    return llama_home(env) / "models"


def cache_dir(env: Mapping[str, str] | None = None) -> Path:
    return llama_home(env) / "cache"


def usable_models_dir() -> Path | None:
    """Where models are that the user downloaded or imported; None for a user without a home."""
    try:
        return models_dir()
    except StackError:
        return None


def usable_cache_dir(env: Mapping[str, str] | None = None) -> Path | None:
    """The folder for what can be made again. None where it cannot be written, others can write it, or there is no root
    folder yet, which is then not made for this alone.
    """
    try:
        if not llama_home(env).is_dir():
            return None
        folder = private_folder(cache_dir(env))
        is_others = os.name != "nt" and folder.stat().st_mode & 0o022 != 0
    except (OSError, StackError):
        return None
    return folder if not is_others and os.access(folder, os.W_OK | os.X_OK) else None


def is_distribution_name(name: str) -> bool:
    """Whether `name` is a valid folder name on every system, and does not lead to a parent folder."""
    return _NAME.fullmatch(name) is not None


def config_of(folder: Path) -> Path | None:
    """The run config of a distribution's folder: its own run.yaml, or the user's file that it was built from, which may
    no longer exist. None if the folder contains no distribution of ours.
    """
    own = folder / "run.yaml"
    if own.is_file():
        return own
    try:
        return Path(os.fsdecode((folder / SOURCE).read_bytes()).rstrip("\n"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def environment_dir(folder: Path, *, for_replay: bool = False) -> Path:
    """Where the environment of a distribution is, with its lock. for_replay: that of servers that replay, which has
    nothing of the providers that something stands in for.
    """
    return folder / REPLAY if for_replay else folder


def has_environment(folder: Path, *, for_replay: bool = False) -> bool:
    """Whether a distribution has a virtual environment. Only looks whether the folder exists."""
    return (environment_dir(folder, for_replay=for_replay) / ".venv").is_dir()


def private_folder(path: Path) -> Path:
    """Make a folder, and missing folders above it, for its owner only. An existing folder is not changed."""
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def atomic_write(path: Path, data: bytes | str | Iterable[bytes], *, mode: int = 0o600) -> None:
    """Replace `path` by `data`: a reader, or a crash, sees either the old file or the new one, never a part.

    For our own files; for a path that the user names, `user_file` first checks what it is. Text is written as UTF-8,
    and a path in it keeps its original bytes. Missing folders are made. Raises OSError, and what taking the next piece
    of `data` raises; the old file is then unchanged.
    """
    private_folder(path.parent)
    content = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    pieces = [content] if isinstance(content, bytes) else content
    # Not `tempfile`: importing it would make `--help` a third slower.
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # The rename is on disk only after the folder was synced. Windows cannot open folders, and does not need this.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
