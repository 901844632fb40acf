"""A resource as its table knows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.access import User

Source = Literal["config", "registered", "listed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One resource. id: the name to ask for; provider_resource_id: its provider's own name for it; kind: of models llm,
    embedding or rerank; facts: what its kind says beyond that; created: seconds since 1970; owner: the user who
    registered it, None for what belongs to nobody.
    """

    id: str
    provider_id: str
    provider_resource_id: str
    kind: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: Source = "listed"
    created: int = field(default_factory=lambda: int(time.time()))
    owner: User | None = None

    @property
    def full_id(self) -> str:
        """`provider_id/provider_resource_id`, unique whatever else is registered."""
        return f"{self.provider_id}/{self.provider_resource_id}"
