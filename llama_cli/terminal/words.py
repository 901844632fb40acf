"""How durations, sizes and names, one or several, are written for people."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.durations import duration

__all__ = ["counted", "duration", "size", "some", "spelt"]


def size(size_bytes: float) -> str:
    """`131072` -> `131.1 kB`."""
    amount = int(size_bytes)
    if amount < 1000:
        return f"{amount} bytes" if amount != 1 else "1 byte"
    exact = amount / 1000
    for unit in ("kB", "MB", "GB"):
        if exact < 1000:
            return f"{exact:.1f} {unit}"
        exact /= 1000
    return f"{exact:,.1f} TB"


def spelt(name: str) -> str:
    """What JSON calls by a name, for people: `not_built` -> `not built`."""
    return name.replace("_", " ")


def counted(count: int, noun: str) -> str:
    """`1 model`, `2 models`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def some(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: as many of them as a message can hold; empty where there are none."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
