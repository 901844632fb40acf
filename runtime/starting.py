"""What somebody is told who waits for a process that the system does not start."""

from __future__ import annotations

import errno

from runtime.errors import Unavailable

_SHORT = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
_TRY_LATER = "the system has no room for more processes or open files: try again later"


def start_hint(error: OSError | ValueError, otherwise: str) -> str:
    """What to do about a process that could not be started. otherwise: where the program itself is the reason."""
    return _TRY_LATER if isinstance(error, OSError) and error.errno in _SHORT else otherwise


def not_started(what: str, error: OSError, *, hint: str, code: str | None = None) -> Unavailable:
    """what: such as `The process of the container`. hint: as `otherwise` of `start_hint`."""
    return Unavailable(f"{what} cannot be started: {error.strerror or error}", hint=start_hint(error, hint), code=code)
