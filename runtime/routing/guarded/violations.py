"""What a shield has found that is to be stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from runtime.apis.safety.assessing import Assessment
from runtime.sse import Json

_MESSAGE = "I cannot help with that."
Way = Literal["input", "output"]
"""To a model, and back."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """shield_id: who has found it, found_in: in what. message: what the user is told. metadata: what it is."""

    shield_id: str
    found_in: Way
    level: str
    message: str
    metadata: dict[str, Any]

    def shown(self) -> Json:
        """Beside a refusal, for programs: the shape of `run-shield`, with the shield."""
        return {
            "shield_id": self.shield_id,
            "found_in": self.found_in,
            "violation_level": self.level,
            "user_message": self.message,
            "metadata": self.metadata,
        }


def what_it_is(found: Assessment) -> dict[str, Any]:
    """The metadata of what a shield has flagged: what it says, and the categories."""
    flagged = [name for name, is_flagged in found.categories.items() if is_flagged]
    return {"categories": flagged, **found.metadata} if flagged else dict(found.metadata)


def violation_of(shield_id: str, way: Way, found: Assessment) -> Violation:
    """What a shield that has flagged something says."""
    return Violation(
        shield_id=shield_id,
        found_in=way,
        level=found.violation_level,
        message=found.user_message or _MESSAGE,
        metadata=what_it_is(found),
    )
