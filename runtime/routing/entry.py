"""A resource in a resource table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from runtime.access import Caller, User, sees_all
from runtime.addresses import origin_of
from runtime.clock import stamp
from runtime.context import current
from runtime.redaction import redact

_ADDRESSES = ("url", "uri")
"""What a resource calls the address of its server."""
_NAMES = ("huggingface://", "package://")
"""Addresses that name what everybody may know of: not a server, and without a key."""
Source = Literal["config", "registered", "listed", "alias"]
"""Where a name comes from; an alias is one more name of a resource that has another."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One resource. id: its name in requests. provider_resource_id: its provider's own name for it. known_as: what
    everybody else calls it, which may be asked for too; empty where that is the same or nobody knows. kind: for models,
    llm, embedding or rerank. facts: the other fields of its kind of resource. created: seconds since 1970. owner: the
    user who registered it, None if it has no owner.
    """

    id: str
    provider_id: str
    provider_resource_id: str
    known_as: str = ""
    kind: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: Source = "listed"
    created: int = field(default_factory=lambda: int(stamp()))
    owner: User | None = None

    @property
    def full_id(self) -> str:
        """`provider_id/provider_resource_id`, which is always unique."""
        return f"{self.provider_id}/{self.provider_resource_id}"

    def without_secrets(self) -> Self:
        """As the caller may see it: it may hold keys, also inside addresses. Of an address that the caller has not
        given only the origin, since some servers have keys in their paths.
        """
        facts = redact(self.facts)
        if not self._is_given_by(current().user):
            facts = _origins_alone(facts)
        return replace(self, metadata=redact(self.metadata), facts=facts)

    def _is_given_by(self, user: Caller) -> bool:
        if self.source != "registered":
            return False
        return sees_all(user) or (isinstance(user, User) and user.principal == getattr(self.owner, "principal", None))


def _origins_alone(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _origins_alone(inner, name) for name, inner in value.items()}
    if name not in _ADDRESSES or not isinstance(value, str) or value.startswith(_NAMES):
        return value
    return origin_of(value)
