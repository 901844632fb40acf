"""Whether this host can keep the code of containers apart, for tests that need it."""

from __future__ import annotations

from functools import cache

from runtime.providers.containers.bubblewrap.isolation import CannotIsolate, find_isolation


@cache
def why_not() -> str | None:
    """None where it can."""
    try:
        find_isolation()
    except CannotIsolate as error:
        return f"this host cannot keep code apart: {error.reason}"
    return None
