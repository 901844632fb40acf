"""The system's folder for temporary files, and what a caller is told when it is full or missing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import Unavailable


@contextmanager
def writing_temporary() -> Iterator[None]:
    """Around making and writing a temporary file. Raises Unavailable in place of OSError."""
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"what arrives cannot be written to `{tempfile.tempdir or 'the folder for temporary files'}`: "
            f"{error.strerror}",
            hint="make room there, or set `TMPDIR` to another folder",
            code="storage_unavailable",
        ) from error
