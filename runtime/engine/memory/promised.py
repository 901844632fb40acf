"""Main memory that the models of this process may still take although it looks free: a KV cache takes it only when it
is written. One account for the process, since its providers share the memory. No torch.
"""

from __future__ import annotations

from collections.abc import Callable

_untouched: dict[int, Callable[[], int]] = {}


def promise(owner: object, untouched_bytes: Callable[[], int]) -> None:
    """Count memory as taken until `forget`. untouched_bytes: says how much of it the owner has not used yet."""
    _untouched[id(owner)] = untouched_bytes


def forget(owner: object) -> None:
    """Does nothing where nothing was promised."""
    _untouched.pop(id(owner), None)


def promised_bytes() -> int:
    """What all owners together may still take."""
    return sum(untouched() for untouched in _untouched.values())
