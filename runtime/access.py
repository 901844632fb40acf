"""Who a caller is, and what a caller may see. Resource tables and stores use it.

The rule is that of llama-stack 0.4 and newer: a caller sees what has no owner, what the caller owns, and what belongs
to a user with whom the caller shares a role, team, project or namespace. A server without authentication shows
everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class User:
    """An authenticated caller, or the owner of a resource as of when it was registered.

    principal: the name that authentication gave. attributes: by category, such as `teams`.
    """

    principal: str
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANYBODY = User(principal="")
"""A caller who sees only what has no owner."""


def may_see(user: User | None, owner: User | None) -> bool:
    """Whether a caller may see a resource of `owner`. user: None if the server has no authentication."""
    if user is None or owner is None or user.principal == owner.principal:
        return True
    return any(
        not set(values).isdisjoint(owner.attributes.get(category, ())) for category, values in user.attributes.items()
    )
