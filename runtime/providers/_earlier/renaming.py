"""Errors of the APIs behind a door, with the names that fields have at the door."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar

from runtime.errors import StackError

T = TypeVar("T")


async def renamed(answer: Awaitable[T], names: Mapping[str, str]) -> T:
    """Raises errors with the name that a field has at the door. names: by the names that fields have behind it; what
    follows a name, such as `[0].content`, stays.
    """
    try:
        return await answer
    except StackError as error:
        if error.param:
            end = min(at for mark in "[." if (at := f"{error.param}{mark}".find(mark)) >= 0)
            field, inside = (error.param, "") if error.param in names else (error.param[:end], error.param[end:])
            error.param = names.get(field, field) + inside
        raise
