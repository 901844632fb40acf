"""Who a caller is, and what a caller may see. Resource tables and stores use it.

The rule is that of llama-stack 0.4 and newer: a caller sees what has no owner, what the caller owns, and what belongs
to a user with whom the caller shares a role, team, project or namespace. Callers without a name are told apart: who
sees everything is said aloud, and whoever says nothing is `ANYBODY`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final


@dataclass(frozen=True, kw_only=True)
class User:
    """An authenticated caller, or the owner of a resource as of when it was registered.

    principal: the name that authentication gave. attributes: by category, such as `teams`.
    """

    principal: str
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Nameless(Enum):
    """A caller without a name. What it makes belongs to nobody."""

    ANYBODY = "anybody"
    EVERYBODY = "everybody"
    SYSTEM = "system"


ANYBODY: Final = Nameless.ANYBODY
"""Sees only what has no owner. So does work in the background that has not said for whom it is done."""
EVERYBODY: Final = Nameless.EVERYBODY
"""Who asks a server without authentication: sees everything."""
SYSTEM: Final = Nameless.SYSTEM
"""The stack itself, which looks after what all users have: sees everything."""
Caller = User | Nameless


def sees_all(user: Caller) -> bool:
    return user is EVERYBODY or user is SYSTEM


def as_owner(user: Caller) -> User | None:
    """Whose what a caller makes is; None for nobody's."""
    return user if isinstance(user, User) else None


def may_see(user: Caller, owner: User | None) -> bool:
    """Whether a caller may see a resource of `owner`, None for what is nobody's."""
    if owner is None or sees_all(user):
        return True
    if not isinstance(user, User):
        return False
    if user.principal == owner.principal:
        return True
    return any(
        not set(values).isdisjoint(owner.attributes.get(category, ())) for category, values in user.attributes.items()
    )
