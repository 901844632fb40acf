"""Which subjects of a conformance suite a test is for: those that claim all that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def needs(*abilities: str) -> Callable[[F], F]:
    """The test is for subjects that claim all of these."""

    def marked(test: F) -> F:
        test.__dict__["abilities"] = frozenset(abilities)
        return test

    return marked


def needed_by(test: Callable[..., Any]) -> frozenset[str]:
    """What a test needs; nothing if it does not say."""
    found: frozenset[str] = test.__dict__.get("abilities", frozenset())
    return found
