"""Who a caller is, and what a caller may see. Below the providers: tables and stores ask here.

The default rule is that of llama-stack 0.4 and newer: a caller sees what nobody owns, what is the caller's own, and
what belongs to somebody with whom the caller shares a role, team, project or namespace. A server that authenticates
nobody shows everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class User:
    """An authenticated caller, or the owner of a resource as it was when that was made.

    principal: the name that authentication gave. attributes: by category, such as `teams`.
    """

    principal: str
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANYBODY = User(principal="")
"""A caller who sees only what nobody owns."""


def may_see(user: User | None, owner: User | None) -> bool:
    """Whether a caller may know of what `owner` owns. user: None where nobody is authenticated."""
    if user is None or owner is None or user.principal == owner.principal:
        return True
    return any(
        not set(values).isdisjoint(owner.attributes.get(category, ())) for category, values in user.attributes.items()
    )
