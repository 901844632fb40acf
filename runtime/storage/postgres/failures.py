"""What PostgreSQL and its driver say, as errors of ours. https://www.postgresql.org/docs/current/errcodes-appendix.html"""

from __future__ import annotations

import asyncpg

from runtime.errors import RequestError, StackError
from runtime.storage.sql.failures import Duplicate, Stale
from runtime.storage.unavailable import server_unavailable

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises when the database cannot be used, or refuses a statement."""

_TAKEN = "23505"  # unique_violation
_WITHOUT_OWNER = "23503"  # foreign_key_violation
_NO_SUCH_TEXT = ("22021", "22P05")  # U+0000 in a text, and in a string of JSON
_COLLIDED = ("40001", "40P01", "55P03")  # serialization_failure, deadlock_detected, lock_not_available


def as_ours(place: str, verb: str, error: BaseException) -> BaseException:
    """The error for the caller of a statement that failed. place: of the database; verb: as for `server_unavailable`.

    A mistake in the code, such as a value of the wrong type, is returned as it is.
    """
    if isinstance(error, StackError) or is_our_mistake(error) or not isinstance(error, DRIVER_ERRORS):
        return error
    state = sqlstate(error)
    if state == _TAKEN:
        ours: StackError = Duplicate(f"a row like this is there already: {error}")
    elif state == _WITHOUT_OWNER:
        ours = Stale("what a row is part of is not there")
    elif state in _NO_SUCH_TEXT:
        ours = RequestError(
            "a text has the character U+0000, which PostgreSQL cannot keep", code="unsupported_character"
        )
    else:
        ours = server_unavailable(place, verb, error)
    ours.__cause__ = error
    return ours


def is_our_mistake(error: BaseException) -> bool:
    """Whether a value does not fit its column: a bug, which no database in order would help."""
    state = sqlstate(error) or ""
    is_unfit = state.startswith(("22", "23"))  # data_exception, integrity_constraint_violation
    return is_unfit and state not in (_TAKEN, _WITHOUT_OWNER, *_NO_SUCH_TEXT)


def is_collision(error: BaseException) -> bool:
    """Whether a transaction was given up for another one, so that it may work when it is tried again."""
    return sqlstate(error) in _COLLIDED


def sqlstate(error: BaseException) -> str | None:
    """The server's code of five characters; None for what the driver says."""
    return getattr(error, "sqlstate", None) if isinstance(error, asyncpg.PostgresError) else None
