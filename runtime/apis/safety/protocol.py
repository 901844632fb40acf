"""The operations of the API `safety`."""

from __future__ import annotations

from typing import Protocol

from runtime.apis._api import inner, route
from runtime.apis.safety.assessing import Assessment, AssessRequest
from runtime.apis.safety.moderations import Moderation, ModerationRequest
from runtime.apis.safety.shielding import RunShieldRequest, RunShieldResponse


class Safety(Protocol):
    """Providers implement `assess`; the router makes everything else of it."""

    @inner(key="shield_id")
    async def assess(self, request: AssessRequest) -> Assessment:
        """Say whether the last message of a conversation is harmful.

        Raises RequestError for content that the shield cannot look at, NotFound for a model that it does not have, and
        Unavailable where it does not answer: it never says that something is harmless that it could not look at.
        """
        ...

    @route("POST", "/v1/safety/run-shield", key="shield_id")
    async def run_shield(self, request: RunShieldRequest) -> RunShieldResponse:
        """Run one shield on a conversation. 404 with close matches for an unknown shield."""
        ...

    @route("POST", "/v1/moderations", aliases=("/v1/openai/v1/moderations",))
    async def moderate(self, request: ModerationRequest) -> Moderation:
        """Say for each input whether it is harmful. 404 with close matches for an unknown shield."""
        ...
