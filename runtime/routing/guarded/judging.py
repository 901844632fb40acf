"""Whether it is a shield that asks: what a guard model is asked goes through no guardrails itself, whoever asked the
shield.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_is_judging: ContextVar[bool] = ContextVar("is_judging", default=False)


def is_judging() -> bool:
    """Whether a shield is at work."""
    return _is_judging.get()


@contextlib.contextmanager
def judging() -> Iterator[None]:
    """While a shield is asked."""
    token = _is_judging.set(True)
    try:
        yield
    finally:
        _is_judging.reset(token)
