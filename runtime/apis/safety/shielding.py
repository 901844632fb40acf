"""llama-stack's `run-shield`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from runtime.apis._request import Response, example
from runtime.apis.safety.assessing import AssessRequest, ViolationLevel


class RunShieldRequest(AssessRequest):
    """A conversation to be looked at by one shield."""

    model_config = example(shield_id="profanity", messages=[{"role": "user", "content": "Have a nice day"}], params={})


class SafetyViolation(Response):
    """What a shield has found."""

    violation_level: ViolationLevel = Field(description="How bad it is.")
    user_message: str | None = Field(None, description="What to tell whoever wrote or asked for it. Default: nothing.")
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="What it is, such as `violation_type`. Default: nothing."
    )


class RunShieldResponse(Response):
    """What a shield says of a conversation's last message."""

    violation: SafetyViolation | None = Field(None, description="What it has found; null if nothing.")
