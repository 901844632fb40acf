"""Why a document is not read, in words for whoever sent it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import RequestError, StackError

INVALID = "invalid_document"
ENCRYPTED = "encrypted_document"
UNSUPPORTED = "unsupported_document"
OVER_LIMIT = "document_over_limit"
NO_TEXT = "document_without_text"
_MAX_REASON = 300


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Around a library at work on a document: what it raises is the document's fault. what: such as `The PDF`.

    Raises RequestError instead; MemoryError, RecursionError, a missing module and our own errors stay what they are.
    """
    try:
        yield
    except (StackError, MemoryError, RecursionError, ModuleNotFoundError):
        raise
    except Exception as error:
        raise invalid(what, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error


def invalid(what: str, reason: str) -> RequestError:
    """It is damaged, or not what it begins as."""
    return RequestError(f"{what} cannot be read: {reason[:_MAX_REASON]}", param="file", code=INVALID)


def encrypted(what: str) -> RequestError:
    return RequestError(
        f"{what} is encrypted", param="file", code=ENCRYPTED, hint="remove its password, and send it again"
    )


def unsupported(what: str, hint: str | None = None) -> RequestError:
    return RequestError(what, param="file", code=UNSUPPORTED, hint=hint)


def without_text(what: str, hint: str | None = None) -> RequestError:
    return RequestError(what, param="file", code=NO_TEXT, hint=hint)


def over_limit(what: str, hint: str | None = None) -> RequestError:
    return RequestError(what, param="file", code=OVER_LIMIT, hint=hint)
