"""Main memory that the models of this process may still take although it looks free: a KV cache takes it only when it
is written. One account for the process, since its providers share the memory. No torch.
"""

from __future__ import annotations

_promised: dict[int, int] = {}


def promise(owner: object, size_bytes: int) -> None:
    """Count memory as taken until `forget`; a second call replaces the first."""
    _promised[id(owner)] = size_bytes


def forget(owner: object) -> None:
    _promised.pop(id(owner), None)


def promised_bytes() -> int:
    """What all owners together may still take."""
    return sum(_promised.values())
