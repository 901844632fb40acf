"""Turns for those who would spoil each other's work on one thing. Imports nothing else of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Turns:
    """Of one event loop. A thing is known as long as somebody holds or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: Hashable) -> asyncio.Lock:
        """What to hold while one works on the thing with this key: `async with turns.of(key)`."""
        return self._locks.setdefault(key, asyncio.Lock())
