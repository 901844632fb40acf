"""What a shield has found that is to be stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.apis.safety.assessing import Assessment
from runtime.sse import Json

_MESSAGE = "I cannot help with that."


@dataclass(frozen=True, kw_only=True)
class Violation:
    """shield_id: who has found it. message: what the user is told. metadata: what it is."""

    shield_id: str
    level: str
    message: str
    metadata: dict[str, Any]

    def shown(self) -> Json:
        """Beside a refusal, for programs: the shape of `run-shield`, with the shield."""
        return {
            "shield_id": self.shield_id,
            "violation_level": self.level,
            "user_message": self.message,
            "metadata": self.metadata,
        }


def violation_of(shield_id: str, found: Assessment) -> Violation:
    """What a shield that has flagged something says."""
    flagged = [name for name, is_flagged in found.categories.items() if is_flagged]
    return Violation(
        shield_id=shield_id,
        level=found.violation_level,
        message=found.user_message or _MESSAGE,
        metadata={"categories": flagged, **found.metadata} if flagged else dict(found.metadata),
    )
