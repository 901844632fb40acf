"""The one root for everything we write: where distributions and server records live, and how files get there.

Knows folders and names; of what is inside the files only `.source`, since a name has to lead to a file. Standard
library, `text` and `runtime.errors` only, since `--help` and listings import it.

    <home>/distributions/<name>/   run.yaml, or .source that names it; pylock.toml, .venv, state/, logs/
    <home>/servers/<id>.json       the record of a running server

All of it is for its owner: folders that we make are 0700, files 0600.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from runtime.config.text import as_meant
from runtime.errors import RequestError, StackError

HOME_VARIABLES = ("LLAMA_HOME", "LLAMA_STACK_CONFIG_DIR", "OGX_CONFIG_DIR")
"""Where the root is named, the first that is set and not empty wins; the later two are older names."""

SOURCE = ".source"
"""In a distribution's folder: the path of the user's file that it was built from."""

NAME_HINT = "use up to 128 letters, digits, `.`, `_` and `-`, and begin with a letter or a digit"
"""What a distribution can be called."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def llama_home(env: Mapping[str, str] | None = None) -> Path:
    """The root folder, absolute; it need not exist. env: `os.environ` unless given. Raises StackError where nothing
    says where it is: no variable, and a user without a home.
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
    """A path as a user types it, `~` and all; that stays where there is no such user or no home."""
    return Path(as_meant(path))


def distributions_dir(env: Mapping[str, str] | None = None) -> Path:
    return llama_home(env) / "distributions"


def distribution_dir(name: str, env: Mapping[str, str] | None = None) -> Path:
    """The folder of one distribution. Raises RequestError for a name that cannot be a folder's."""
    if not is_distribution_name(name):
        raise RequestError(f"`{name}` cannot name a distribution", hint=NAME_HINT)
    return distributions_dir(env) / name


def servers_dir(env: Mapping[str, str] | None = None) -> Path:
    return llama_home(env) / "servers"


def is_distribution_name(name: str) -> bool:
    """Whether `name` can name a folder on every system, and none above it."""
    return _NAME.fullmatch(name) is not None


def config_of(folder: Path) -> Path | None:
    """The file that a distribution's folder leads to: its own run.yaml, or the one of the user that it was built from,
    whether or not that still exists. None where the folder holds no distribution of ours.
    """
    own = folder / "run.yaml"
    if own.is_file():
        return own
    try:
        return Path(os.fsdecode((folder / SOURCE).read_bytes()).rstrip("\n"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def has_environment(folder: Path) -> bool:
    """Whether a distribution has been installed, as far as a look at its folder tells."""
    return (folder / ".venv").is_dir()


def private_folder(path: Path) -> Path:
    """Make a folder and what is missing above it, for nobody but its owner; one that exists stays as it is."""
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def atomic_write(path: Path, data: bytes | str, *, mode: int = 0o600) -> None:
    """Replace `path` by `data` so that a reader, or a crash, sees the old file or the new one and nothing between.

    For files of ours: where the user may have named anything, `user_file` looks first what it is. Text is written as
    UTF-8, and a path in it as the bytes that it has. Missing folders are made. Raises OSError; the old file is then as
    it was.
    """
    private_folder(path.parent)
    content = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    # Not `tempfile`: it imports a third of what `--help` costs.
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # The rename itself is on disk only once the folder is; Windows cannot open folders and needs no such step.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
