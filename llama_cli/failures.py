"""Turns whatever a command raised into how it ends: words, a hint and an exit code.

Knows which errors the user can correct and which are bugs of ours, and keeps secrets out of what is written about
those. Prints nothing.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console
from runtime import __version__
from runtime.errors import StackError
from runtime.stdio import well_formed

_NOT_OURS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    *(errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.EFBIG),
}
"""What the system says of the user's disk and limits; any other error of it is one that we should have foreseen."""


_TOO_MUCH = {errno.EAGAIN, errno.ENOMEM}
"""What it says, of no file, where it starts no more processes."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP, as an exception: what a command has begun is ended in good order, as with Ctrl-C."""


INTERRUPTED = Failure("interrupted", code=ExitCode.INTERRUPTED)
TERMINATED = Failure("terminated", code=ExitCode.TERMINATED)


def failure_of(error: Exception, arguments: Sequence[str]) -> Failure:
    """The failure that an exception is. arguments: of the command line. `--debug` raises a bug of ours again."""
    if isinstance(error, Failure):
        return error
    if (end := _end_in(error)) is not None:
        return end
    if isinstance(error, StackError):
        return Failure.from_error(error)
    if console.settings.debug:
        raise error
    return (_of_the_system(error) if isinstance(error, OSError) else None) or _unexpected(error, arguments)


def _end_in(error: Exception) -> Failure | None:
    """How the command was ended, if that is what a library reports in words of its own: pydantic does so while it makes
    a model.
    """
    ends = {KeyboardInterrupt.__name__: INTERRUPTED, Terminated.__name__: TERMINATED}
    last = str(error).strip().rpartition("\n")[2].strip()
    return ends.get(last.partition(":")[0])


def _of_the_system(error: OSError) -> Failure | None:
    """A folder, a disk or a limit that the user can change; None for an error that is a bug of ours."""
    try:
        Path.cwd()  # where it was removed, whatever starts from it fails
    except FileNotFoundError:
        return Failure("the current folder is gone: it was removed, or moved away", hint="change to one that is there")
    code = ExitCode.ACCESS if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else ExitCode.FAILED
    hint = "set `LLAMA_HOME` to a folder that is yours"
    home = _home_around(error.filename)
    if home is not None and not os.path.isdir(home):  # noqa: PTH112  # `Path.is_dir` raises where a name is too long
        message = f"the folder `{home}`, where everything of ours is kept, cannot be made: {error.strerror}"
        return Failure(message, hint=hint, code=code)
    if error.errno in _TOO_MUCH and not error.filename:
        message = f"the system cannot start another process: {error.strerror}"
        return Failure(message, hint="end what is not needed; `ulimit -a` and `free -m` show what there is")
    if error.errno not in _NOT_OURS:
        return None
    message = f"{error.strerror}: `{error.filename}`" if error.filename else str(error.strerror)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(message, hint="free some space, or name folders elsewhere: `LLAMA_HOME`, `UV_CACHE_DIR`")
    if code == ExitCode.ACCESS:
        return Failure(message, hint=f"give yourself access{f', or {hint}' if home else ''}", code=code)
    return Failure(message)


def _home_around(place: Any) -> Path | None:
    """The Llama home, where a place that could not be opened or made is in it or above it."""
    from runtime.config.home import llama_home

    try:
        home, failed = llama_home(), os.path.abspath(os.fsdecode(place))  # noqa: PTH100  # it need not exist
    except (StackError, TypeError):  # the latter for a descriptor, or no place
        return None
    homes = {home, Path(os.path.realpath(home))}
    places = {Path(failed), Path(os.path.realpath(failed))}
    around = any(one.is_relative_to(other) or other.is_relative_to(one) for one in homes for other in places)
    return home if around else None


def _unexpected(error: Exception, arguments: Sequence[str]) -> Failure:
    """A bug of ours: an id and a file with the traceback, secrets of the environment blanked out."""
    import secrets
    import traceback

    from runtime.config.home import atomic_write, llama_home

    incident = secrets.token_hex(4)
    # Arguments can be prompts and keys: of them only the names of options are kept.
    options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
    where = f"llama {__version__}, Python {sys.version}\noptions: {options}"
    text = f"{where}\n\n{''.join(traceback.format_exception(error))}"
    facts: dict[str, Any] = {"id": incident, "log_file": None}
    try:
        log_file = llama_home() / "logs" / f"cli-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{incident}.log"
        atomic_write(log_file, well_formed(without_secrets(text)))
        facts["log_file"] = str(log_file)
        hint = f"this is a bug of ours: please report it with `{log_file}`; `--debug` shows the traceback"
    except (OSError, StackError):
        hint = "this is a bug of ours: please report it with what `--debug` shows"
    message = without_secrets(f"unexpected {type(error).__name__} (incident {incident}): {error}")
    return Failure(message, hint=hint, facts=facts)


def without_secrets(text: str) -> str:
    """A text without the values of this process's variables that are secrets, nor passwords in addresses."""
    from runtime.redaction import MASK, is_secret, redact_text

    for name, value in os.environ.items():
        if is_secret(name) and len(value) >= 4:
            text = text.replace(value, MASK)
    return redact_text(text)
