"""The error for a database server that cannot be used, in the same words for each of them."""

from __future__ import annotations

import os
import ssl

from runtime.errors import Unavailable


def server_unavailable(place: str, verb: str, error: BaseException) -> Unavailable:
    """place: the server, without user and password. verb: `opened`, `read`, `written` or `asked`."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, TimeoutError):
        reason = "it did not answer in time"
    elif isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
        reason = os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    ours = Unavailable(
        f"{place} could not be {verb}: {reason}",
        hint="check that it runs, and the settings of `storage.backends`",
        code="storage_unavailable",
    )
    ours.__cause__ = error
    return ours
